//! Lowers a subnet to a subnetwork. Its route to the internet is the network's default route.

use std::collections::BTreeMap;

use kops_core::Result;
use kops_core::lower::Lowered;
use kops_core::resource::{Egress, Subnet};

use super::{Lowering, Site, native, unsupported};
use crate::kinds::Subnetwork;

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
        let subnetwork = Subnetwork {
            network: native(spec.network),
            cidr: spec.cidr.trunc(),
            secondary_ranges: BTreeMap::new(),
            // Machines without public addresses need it to reach images and logs, as in kOps.
            private_google_access: true,
        };
        cx.add(name, subnetwork);
        Ok(())
    }
}
