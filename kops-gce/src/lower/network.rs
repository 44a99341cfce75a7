//! Lowers a network to a network without ranges of its own; its subnetworks have them.

use kops_core::Result;
use kops_core::lower::Lowered;
use kops_core::resource::Network;

use super::{Lowering, Site, unsupported};
use crate::kinds::GceNetwork;

impl Lowered<Site> for Network {
    type Native = GceNetwork;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        if spec.ipv6 || spec.cidrs.iter().any(|cidr| cidr.addr().is_ipv6()) {
            return Err(unsupported(
                "networks with IPv6 are not supported on Google Cloud yet",
                "use IPv4 CIDRs",
            ));
        }
        cx.add(name, GceNetwork::default());
        Ok(())
    }
}
