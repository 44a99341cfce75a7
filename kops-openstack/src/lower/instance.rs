//! Lowers a single machine to a port and a server.

use std::collections::{BTreeMap, BTreeSet};

use kops_core::lower::Lowered;
use kops_core::resource::{Instance, Resource as _};
use kops_core::{Error, ErrorKind, Result};

use super::identity;
use super::machine::{self, Machine};
use super::{Lowering, Site};
use crate::kinds::{FloatingIp, NeutronPort, NovaServer};
use crate::tags::Metadata;

impl Lowered<Site> for Instance {
    type Native = NovaServer;

    /// Its private address is the port's, its public one that of a floating IP address.
    const OUTLET: Option<kops_core::lower::Outlet<Self>> = Some(|_, output| match output {
        it if it == Self::PRIVATE_IP.name() => Some((<NeutronPort>::KIND, NeutronPort::IP.name())),
        it if it == Self::PUBLIC_IP.name() => Some((<FloatingIp>::KIND, FloatingIp::IP.name())),
        _ => None,
    });

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        // Its fixed address is associated by the address's task.
        if spec.address.as_ref().is_some_and(|address| cx.is_shared(address)) {
            return Err(Error::new(ErrorKind::Unsupported, "a shared address cannot be associated")
                .with_hint("add the address to the graph, or adopt it (GraphBuilder::adopt)"));
        }
        let own_ip = spec.options.public_ip.filter(|_| spec.address.is_none());
        let options = spec.options.clone().public_ip(own_ip);
        let machine = Machine {
            subnet: &spec.subnet,
            zone: None,
            image: &spec.image,
            flavor: &spec.machine_type,
            firewalls: &spec.firewalls,
            load_balancers: &spec.load_balancers,
            ssh_key: spec.ssh_key.as_ref(),
            user_data: spec.user_data.as_ref(),
            root_volume: &spec.root_disk,
            volumes: &BTreeMap::new(),
            options: &options,
            labels: &spec.labels,
            metadata: Metadata::new(),
            server_group: None,
            allowed_address_pairs: BTreeSet::new(),
            attached: None,
            login: identity::login(spec.identity.as_ref(), cx)?,
        };
        machine::add(name, machine, cx)
    }
}
