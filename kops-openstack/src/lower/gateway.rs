//! Lowers an internet gateway to a router, which also translates the addresses of machines without public
//! ones: there are no separate NAT gateways.

use kops_core::lower::Lowered;
use kops_core::resource::{InternetGateway, NatGateway};
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site, external_network, tags_with};
use crate::kinds::Router;

impl Lowered<Site> for InternetGateway {
    type Native = Router;

    const OUTPUT_NAMES: &'static [(&'static str, &'static str)] =
        &[(Self::PUBLIC_IP.name(), Router::EXTERNAL_IP.name())];

    fn lower(name: &str, _: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let external_network = Some(external_network(cx));
        let tags = tags_with(cx, []);
        cx.add(name, Router { external_network, tags });
        Ok(())
    }
}

impl Lowered<Site> for NatGateway {
    type Native = Router;

    const OUTPUT_NAMES: &'static [(&'static str, &'static str)] =
        &[(Self::PUBLIC_IP.name(), Router::EXTERNAL_IP.name())];

    fn lower(_: &str, _: Self, _: &mut Lowering<'_>) -> Result<()> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "OpenStack has no NAT gateways: the router translates addresses",
        )
        .with_hint("use the internet gateway as the egress of private subnets"))
    }
}
