//! Lowers gateways: an internet gateway needs nothing on Azure; a NAT gateway becomes one.

use kops_core::Result;
use kops_core::lower::Lowered;
use kops_core::resource::{InternetGateway, NatGateway};

use super::{Lowering, Site, group, labels, native};
use crate::kinds::{AzureNatGateway, VirtualNetwork};

impl Lowered<Site> for InternetGateway {
    type Native = VirtualNetwork;

    const IMPLICIT: bool = true;

    fn lower(_: &str, _: Self, _: &mut Lowering<'_>) -> Result<()> {
        Ok(())
    }
}

impl Lowered<Site> for NatGateway {
    type Native = AzureNatGateway;

    const OUTPUT_NAMES: &'static [(&'static str, &'static str)] =
        &[(Self::PUBLIC_IP.name(), AzureNatGateway::PUBLIC_IP.name())];

    /// It serves the subnets that refer to it; the subnet that should contain it is ignored.
    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let group = group(cx);
        let tags = labels(cx, []);
        cx.add(name, AzureNatGateway { group, addresses: [native(spec.address)].into(), tags });
        Ok(())
    }
}
