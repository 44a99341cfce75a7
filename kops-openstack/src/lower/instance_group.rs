//! Lowers an instance group to a server group, and a port and a server for each of its machines.
//!
//! The number of machines is the group's minimum, because nothing scales it. They are named after the group,
//! `nodes-1`, `nodes-2`, …, and distributed over its subnets and zones in turn.

use kops_core::graph::Handle;
use kops_core::lower::Lowered;
use kops_core::resource::InstanceGroup;
use kops_core::{Error, ErrorKind, Result};

use super::identity;
use super::machine::{self, Machine};
use super::{Lowering, Site};
use crate::extensions::OpenstackInstanceGroup;
use crate::kinds::ServerGroup;
use crate::kinds::server::GROUP;
use crate::tags::Metadata;

/// Machines are kept apart if possible: a cloud with few hosts can still run the cluster.
const POLICY: &str = "soft-anti-affinity";

impl Lowered<Site> for InstanceGroup {
    type Native = ServerGroup;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        if spec.spot.is_some() {
            return Err(Error::new(ErrorKind::Unsupported, "OpenStack has no spot machines"));
        }
        let subnets: Vec<_> = spec.subnets.iter().collect();
        if subnets.is_empty() {
            return Err(Error::invalid("the machines of a group need a subnet"));
        }
        let zones: Vec<_> = spec.zones.iter().collect();
        let extension = spec.extensions.get::<OpenstackInstanceGroup>()?.unwrap_or_default();
        let policy = extension.server_group_policy.unwrap_or_else(|| POLICY.to_owned());
        let login = identity::login(spec.identity.as_ref(), cx)?;
        let group: Handle<ServerGroup> = cx.add(name, ServerGroup { policy });
        for (at, slot) in slots(name, &spec, cx.scope().name()).iter().enumerate() {
            let machine = Machine {
                subnet: subnets[at % subnets.len()],
                zone: (!zones.is_empty()).then(|| zones[at % zones.len()].as_str()),
                image: &spec.image,
                flavor: &spec.machine_type,
                firewalls: &spec.firewalls,
                load_balancers: &spec.load_balancers,
                ssh_key: spec.ssh_key.as_ref(),
                user_data: spec.user_data.as_ref(),
                root_volume: &spec.root_disk,
                volumes: &spec.disks,
                options: &spec.options,
                labels: &spec.labels,
                metadata: Metadata::from([(GROUP.to_owned(), name.to_owned())]),
                server_group: Some(group.id()),
                allowed_address_pairs: extension.allowed_address_pairs.clone(),
                attached: extension.volumes.as_ref().map(|all| all.get(at).cloned().unwrap_or_default()),
                login: login.clone(),
            };
            machine::add(slot, machine, cx)?;
        }
        Ok(())
    }
}

/// The names of a group's machines: the number precedes the scope's name.
pub(super) fn slots(group: &str, spec: &InstanceGroup, scope: &str) -> Vec<String> {
    let own = group.strip_suffix(scope).and_then(|own| own.strip_suffix('.'));
    (1..=spec.min)
        .map(|number| match own {
            Some(own) => format!("{own}-{number}.{scope}"),
            None => format!("{group}-{number}"),
        })
        .collect()
}
