//! Lowers a network to a VPC with DHCP options of its own, and an egress-only gateway if it has IPv6.

use ipnet::IpNet;
use kops_core::graph::Setting;
use kops_core::lower::Lowered;
use kops_core::resource::Network;
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site, tags_with};
use crate::kinds::{DhcpOptions, DhcpOptionsAssociation, EgressOnlyInternetGateway, Vpc, VpcCidrBlock};

impl Lowered<Site> for Network {
    type Native = Vpc;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let Some((&first, further)) = spec.cidrs.split_first() else {
            return Err(Error::invalid("a network needs a CIDR")
                .with_hint("specify one with a prefix of 16 to 28 bits, for example 172.20.0.0/16"));
        };
        if let Some(other) = spec.cidrs.iter().find(|cidr| matches!(cidr, IpNet::V6(_))) {
            return Err(Error::new(ErrorKind::Unsupported, format!("{other} is not an IPv4 CIDR"))
                .with_hint("AWS assigns IPv6 CIDRs itself: request one with `ipv6`"));
        }
        let vpc = cx.add(
            name,
            Vpc {
                cidr: first.trunc(),
                ipv6: Setting::To(spec.ipv6),
                dns_support: true.into(),
                // Load balancers and API endpoints of private zones need host names.
                dns_hostnames: true.into(),
                tags: tags_with(cx, []),
            },
        );
        for cidr in further {
            let block = VpcCidrBlock { vpc: vpc.id(), cidr: cidr.trunc() };
            cx.add(&VpcCidrBlock::name_of(name, cidr.trunc()), block);
        }
        let options = cx.add(
            name,
            DhcpOptions {
                domain_name: Some(domain_name(&cx.provider().region)),
                name_servers: vec!["AmazonProvidedDNS".to_owned()],
                tags: tags_with(cx, []),
            },
        );
        cx.add(name, DhcpOptionsAssociation { vpc: vpc.id(), options: options.id() });
        if spec.ipv6 {
            cx.add(name, EgressOnlyInternetGateway { vpc: vpc.id(), tags: tags_with(cx, []) });
        }
        Ok(())
    }
}

/// The domain of machines' names in AWS's name server.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/DHCPOptionSet.html>
fn domain_name(region: &str) -> String {
    if region == "us-east-1" { "ec2.internal".to_owned() } else { format!("{region}.compute.internal") }
}
