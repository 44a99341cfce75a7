//! A network becomes a VPC with DHCP options of its own, and an egress-only gateway where it has IPv6.

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
            return Err(Error::invalid("a network needs an address range")
                .with_hint("give one of 16 to 28 bits, for example 172.20.0.0/16"));
        };
        if let Some(other) = spec.cidrs.iter().find(|cidr| matches!(cidr, IpNet::V6(_))) {
            return Err(Error::new(ErrorKind::Unsupported, format!("{other} is no IPv4 range"))
                .with_hint("AWS assigns IPv6 ranges itself: ask for one with `ipv6`"));
        }
        let vpc = cx.add(
            name,
            Vpc {
                cidr: first.trunc(),
                ipv6: Setting::To(spec.ipv6),
                dns_support: true.into(),
                // Load balancers and API endpoints of private zones need names for addresses.
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

/// The domain in which AWS's name server knows machines.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/DHCPOptionSet.html>
fn domain_name(region: &str) -> String {
    if region == "us-east-1" { "ec2.internal".to_owned() } else { format!("{region}.compute.internal") }
}
