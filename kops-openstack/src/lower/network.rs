//! Lowers a network to a network. It has no ranges of its own; its subnets have.

use ipnet::IpNet;
use kops_core::lower::Lowered;
use kops_core::resource::Network;
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site, tags_with};
use crate::kinds::NeutronNetwork;

impl Lowered<Site> for Network {
    type Native = NeutronNetwork;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        if spec.ipv6 || spec.cidrs.iter().any(|cidr| matches!(cidr, IpNet::V6(_))) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "networks with IPv6 are not supported on OpenStack yet",
            )
            .with_hint("use IPv4 CIDRs"));
        }
        let tags = tags_with(cx, []);
        cx.add(name, NeutronNetwork { tags });
        Ok(())
    }
}
