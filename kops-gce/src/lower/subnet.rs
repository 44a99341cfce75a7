//! Lowers a subnet to a subnetwork. Its route to the internet is the network's default route.

use std::collections::BTreeMap;

use ipnet::IpNet;
use kops_core::Result;
use kops_core::lower::Lowered;
use kops_core::resource::{Egress, InstanceGroup, Subnet};

use super::machine::pod_range;
use super::{Lowering, Site, native, network, unsupported};
use crate::extensions::GceInstanceGroup;
use crate::kinds::Subnetwork;
use crate::names;

impl Lowered<Site> for Subnet {
    type Native = Subnetwork;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        if let Some(zone) = &spec.zone {
            return Err(unsupported(
                format!(
                    "on Google Cloud a subnet spans the zones of its region and cannot be in {zone} only"
                ),
                "remove the zone, and set the zones of instance groups",
            ));
        }
        if let Egress::Existing(target) = &spec.egress {
            return Err(unsupported(
                format!("egress through {target} is not supported on Google Cloud yet"),
                "remove the egress and create the route separately, or use a NAT gateway",
            ));
        }
        if let Some(route) = spec.routes.first() {
            return Err(unsupported(
                format!("the route to {} is not supported on Google Cloud yet", route.cidr),
                "routes belong to the network here: create it separately, and remove it from the subnet",
            ));
        }
        network::require_own(&spec.network, "a subnet", "use an existing subnet: specify its id", cx)?;
        let subnetwork = Subnetwork {
            network: native(spec.network),
            cidr: spec.cidr.trunc(),
            secondary_ranges: pod_ranges(name, cx)?,
            // Machines without public addresses need it to reach images and logs, as in kOps.
            private_google_access: true,
        };
        cx.add(name, subnetwork);
        Ok(())
    }
}

/// The secondary ranges for the pods of the machines in a subnet, with their names.
fn pod_ranges(subnet: &str, cx: &Lowering<'_>) -> Result<BTreeMap<String, IpNet>> {
    let mut ranges = BTreeMap::new();
    for (_, group) in cx.specs::<InstanceGroup>()? {
        let here = group.subnets.iter().any(|id| Lowering::is_for::<Subnet>(id, subnet));
        let Some(pods) = group.extensions.get::<GceInstanceGroup>()?.and_then(|it| it.pods).filter(|_| here)
        else {
            continue;
        };
        ranges.insert(pod_range(cx.scope()), pods.pods.trunc());
        if let Some(services) = pods.services {
            ranges.insert(names::cloud_name(&format!("services-{}", cx.scope().name())), services.trunc());
        }
    }
    Ok(ranges)
}
