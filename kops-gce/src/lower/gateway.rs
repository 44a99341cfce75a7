//! Lowers gateways: an internet gateway is part of every network; a NAT gateway is part of a router, which
//! lists the subnets that it serves.

use std::collections::BTreeSet;

use kops_core::Result;
use kops_core::graph::Handle;
use kops_core::lower::Lowered;
use kops_core::resource::{Egress, InternetGateway, NatGateway, Subnet};

use super::{Lowering, Site, native, network, unsupported};
use crate::kinds::{DefaultInternetGateway, Nat, Router, Subnetwork};

impl Lowered<Site> for InternetGateway {
    type Native = DefaultInternetGateway;

    fn lower(name: &str, _: Self, cx: &mut Lowering<'_>) -> Result<()> {
        cx.looked_up::<DefaultInternetGateway>(name);
        Ok(())
    }
}

impl Lowered<Site> for NatGateway {
    type Native = Router;

    // The address is known before the gateway exists, as the address' own output. Shared gateways know
    // theirs.
    const OUTPUT_NAMES: &'static [(&'static str, &'static str)] =
        &[(Self::PUBLIC_IP.name(), Router::PUBLIC_IP.name())];

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let mut subnetworks = BTreeSet::new();
        for (subnet, other) in cx.specs::<Subnet>()? {
            if let Egress::Nat(gateway) = &other.egress
                && Lowering::is_for(gateway, name)
            {
                subnetworks.insert(Handle::<Subnetwork>::named(subnet).id());
            }
        }
        if subnetworks.is_empty() {
            // Without a list it would serve the whole network, foreign machines included.
            return Err(unsupported(
                "no subnet uses this NAT gateway",
                "set this gateway as the egress of a subnet of the graph, or remove the gateway",
            ));
        }
        let nat = Nat { addresses: [native(spec.address)].into(), subnetworks };
        let hint = "use subnets that have a way out already, and remove the gateway";
        network::require_own(&spec.network, "a NAT gateway", hint, cx)?;
        let nats = [(crate::names::cloud_name(name), nat)].into();
        cx.add(name, Router { network: native(spec.network), nats });
        Ok(())
    }
}
