//! Lowers a network to a virtual network with a route table, for routes that the cluster adds.

use ipnet::IpNet;
use kops_core::lower::Lowered;
use kops_core::resource::Network;
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site, group, labels};
use crate::kinds::VirtualNetwork;

impl Lowered<Site> for Network {
    type Native = VirtualNetwork;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        if spec.cidrs.is_empty() {
            return Err(
                Error::invalid("a network needs a CIDR").with_hint("specify one, for example 10.0.0.0/16")
            );
        }
        if spec.ipv6 || spec.cidrs.iter().any(|cidr| matches!(cidr, IpNet::V6(_))) {
            return Err(Error::new(ErrorKind::Unsupported, "networks with IPv6 are not supported on Azure")
                .with_hint("use IPv4 CIDRs only"));
        }
        let group = group(cx);
        let tags = labels(cx, []);
        cx.add(name, VirtualNetwork { group, cidrs: spec.cidrs.iter().map(IpNet::trunc).collect(), tags });
        Ok(())
    }
}
