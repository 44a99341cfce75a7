//! Lowers a single machine to a port and a server.

use std::collections::{BTreeMap, BTreeSet};

use kops_core::Result;
use kops_core::lower::Lowered;
use kops_core::resource::Instance;

use super::machine::{self, Machine};
use super::{Lowering, Site};
use crate::kinds::{NeutronPort, NovaServer};
use crate::tags::Metadata;

impl Lowered<Site> for Instance {
    type Native = NovaServer;

    /// Its address is the port's.
    const OUTLET: Option<kops_core::lower::Outlet<Self>> = Some(|_, output| {
        (output == Self::PRIVATE_IP.name())
            .then_some((<NeutronPort as kops_core::resource::Resource>::KIND, NeutronPort::IP.name()))
    });

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let machine = Machine {
            subnet: &spec.subnet,
            zone: None,
            image: &spec.image,
            flavor: &spec.machine_type,
            firewalls: &spec.firewalls,
            ssh_key: spec.ssh_key.as_ref(),
            user_data: spec.user_data.as_ref(),
            root_volume: &spec.root_disk,
            volumes: &BTreeMap::new(),
            options: &spec.options,
            labels: &spec.labels,
            metadata: Metadata::new(),
            server_group: None,
            allowed_address_pairs: BTreeSet::new(),
        };
        machine::add(name, machine, cx)
    }
}
