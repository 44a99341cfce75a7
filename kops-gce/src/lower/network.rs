//! Networks, subnets, addresses and the ways out.
//!
//! A network has no ranges of its own: those are its subnetworks'. A subnet's way to the internet is the
//! network's default route; its NAT gateway is in a router, which lists the subnets that it serves.

use std::collections::{BTreeMap, BTreeSet};

use kops_core::Result;
use kops_core::graph::Handle;
use kops_core::lower::Lowered;
use kops_core::resource::{Address, Egress, InternetGateway, NatGateway, Network, SshKey, Subnet};

use super::{Lowering, Site, native, unsupported};
use crate::kinds::{DefaultInternetGateway, GceAddress, GceNetwork, MetadataSshKey, Nat, Router, Subnetwork};
use crate::labels;

impl Lowered<Site> for Network {
    type Native = GceNetwork;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        if spec.ipv6 || spec.cidrs.iter().any(|cidr| cidr.addr().is_ipv6()) {
            return Err(unsupported(
                "networks with IPv6 are not supported on Google Cloud yet",
                "use IPv4 ranges",
            ));
        }
        cx.add(name, GceNetwork::default());
        Ok(())
    }
}

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

impl Lowered<Site> for InternetGateway {
    type Native = DefaultInternetGateway;

    fn lower(name: &str, _: Self, cx: &mut Lowering<'_>) -> Result<()> {
        cx.looked_up::<DefaultInternetGateway>(name);
        Ok(())
    }
}

impl Lowered<Site> for NatGateway {
    type Native = Router;

    // The address is known before the gateway is; it is the address' own output. Shared gateways know theirs.
    const OUTPUTS: &'static [(&'static str, &'static str)] =
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
            // Without a list it would serve everybody in the network, whose machines are others' perhaps.
            return Err(unsupported(
                "no subnet goes out through this NAT gateway",
                "give a subnet of the graph this gateway as its egress, or leave the gateway out",
            ));
        }
        let nat = Nat { addresses: [native(spec.address)].into(), subnetworks };
        let nats = [(crate::names::cloud_name(name), nat)].into();
        cx.add(name, Router { network: native(spec.network), nats });
        Ok(())
    }
}

impl Lowered<Site> for Address {
    type Native = GceAddress;

    const OUTPUTS: &'static [(&'static str, &'static str)] = &[(Self::IP.name(), GceAddress::IP.name())];

    fn lower(name: &str, _: Self, cx: &mut Lowering<'_>) -> Result<()> {
        cx.add(name, GceAddress { subnetwork: None, labels: labels::of(cx.scope(), []) });
        Ok(())
    }
}

impl Lowered<Site> for SshKey {
    type Native = MetadataSshKey;

    fn lower(name: &str, _: Self, cx: &mut Lowering<'_>) -> Result<()> {
        cx.looked_up::<MetadataSshKey>(name);
        Ok(())
    }
}
