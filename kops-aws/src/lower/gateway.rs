//! Lowers gateways to AWS's gateways.

use kops_core::graph::Handle;
use kops_core::lower::Lowered;
use kops_core::resource::{InternetGateway, NatGateway};
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site, native, tags_with};
use crate::kinds::{Ec2InternetGateway, Ec2NatGateway};

impl Lowered<Site> for InternetGateway {
    type Native = Ec2InternetGateway;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let gateway = Ec2InternetGateway { vpc: Some(native(spec.network)), tags: tags_with(cx, []) };
        cx.add(name, gateway);
        Ok(())
    }
}

impl Lowered<Site> for NatGateway {
    type Native = Ec2NatGateway;

    const OUTPUT_NAMES: &'static [(&'static str, &'static str)] =
        &[(Self::PUBLIC_IP.name(), Ec2NatGateway::PUBLIC_IP.name())];

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let Some(subnet) = spec.subnet else {
            return Err(Error::new(ErrorKind::Unsupported, "on AWS a NAT gateway must be in a subnet")
                .with_hint("specify a public subnet"));
        };
        super::require_in_zones_of(cx, [&subnet], super::NAT)?;
        let gateway =
            Ec2NatGateway { subnet: native(subnet), address: native(spec.address), tags: tags_with(cx, []) };
        let gateway = cx.add(name, gateway);
        // AWS fails a NAT gateway whose VPC has no internet gateway (`Gateway.NotAttached`).
        let doors: Vec<Handle<Ec2InternetGateway>> = cx
            .specs::<InternetGateway>()?
            .into_iter()
            .filter(|(_, door)| door.network == spec.network)
            .map(|(name, _)| Handle::named(name))
            .collect();
        for door in &doors {
            cx.after(&gateway, door);
        }
        Ok(())
    }
}
