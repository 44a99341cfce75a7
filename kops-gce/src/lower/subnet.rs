//! A subnet becomes a subnetwork. Its way to the internet is the network's default route.

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
                format!("on Google Cloud a subnet spans the zones of its region, and is not in {zone} alone"),
                "leave the zone out, and give instance groups their zones",
            ));
        }
        if let Egress::Existing(target) = &spec.egress {
            return Err(unsupported(
                format!("a way out through {target} is not supported on Google Cloud yet"),
                "leave the egress out and make the route beside, or use a NAT gateway",
            ));
        }
        if let Some(route) = spec.routes.first() {
            return Err(unsupported(
                format!("the route to {} is not supported on Google Cloud yet", route.cidr),
                "routes are the network's here: make it beside, and leave it out of the subnet",
            ));
        }
        let subnetwork = Subnetwork {
            network: native(spec.network),
            cidr: spec.cidr.trunc(),
            secondary_ranges: BTreeMap::new(),
            // Machines without public addresses get at images and logs that way, as kOps has it.
            private_google_access: true,
        };
        cx.add(name, subnetwork);
        Ok(())
    }
}
