//! Validation of access to the API.

use std::net::IpAddr;

use super::text::not_dns_name;
use crate::spec::address::mend_address;
use crate::spec::defaults::CloudDefaults;
use crate::spec::path::Path;
use crate::spec::problem::Problems;
use crate::spec::types::{
    ApiLoadBalancer, ClusterSpec, DnsType, LoadBalancerClass, LoadBalancerSubnet, SubnetType,
};

pub(super) fn check(spec: &ClusterSpec, dns: DnsType, cloud: &CloudDefaults, problems: &mut Problems) {
    let at = Path::of("spec.api");
    let api = &spec.api;
    // Beside a load balancer, `dns: {}` says nothing: kOps writes both on some clouds.
    if api.dns.is_some() && api.load_balancer.is_none() && dns == DnsType::None {
        problems.error(
            at.key("dns"),
            "the API cannot use DNS if no names are published",
            "use loadBalancer: {}, or set the DNS of the topology to Public or Private",
        );
    }
    if let Some(name) = &api.public_name
        && let Some(why) = not_dns_name(name)
    {
        problems.error(
            at.key("publicName"),
            format!("{name:?} is not a DNS name: {why}"),
            "use one such as api.demo.example.com",
        );
    }
    for (number, name) in api.additional_sans.iter().enumerate() {
        let name_or_wildcard = name.strip_prefix("*.").unwrap_or(name);
        if name.parse::<IpAddr>().is_err() && not_dns_name(name_or_wildcard).is_some() {
            problems.error(
                at.key("additionalSANs").index(number),
                format!("{name:?} is neither a DNS name nor an address"),
                "use a name such as proxy.example.com, or an address",
            );
        }
    }
    if api.access.is_empty() {
        problems.warn(at.key("access"), "the API is not reachable from outside", "list the allowed CIDRs");
    }
    if let Some(balancer) = &api.load_balancer {
        load_balancer(balancer, spec, &at.key("loadBalancer"), cloud, problems);
    }
}

/// The range of idle timeouts of a network load balancer, in seconds:
/// docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html
const NETWORK_IDLE_TIMEOUT: std::ops::RangeInclusive<i64> = 60..=6_000;

fn load_balancer(
    balancer: &ApiLoadBalancer,
    spec: &ClusterSpec,
    at: &Path,
    cloud: &CloudDefaults,
    problems: &mut Problems,
) {
    match (balancer.class, cloud.load_balancer_class) {
        (Some(LoadBalancerClass::Classic), Some(_)) => problems.error(
            at.key("class"),
            "classic load balancers are not supported",
            "use class Network; moving an existing cluster changes the address of its API",
        ),
        (Some(class), None) => {
            problems.error(
                at.key("class"),
                format!("there is no {class} class on {}", cloud.name),
                "remove it",
            );
        }
        _ => {}
    }
    if let Some(seconds) = balancer.idle_timeout_seconds
        && !NETWORK_IDLE_TIMEOUT.contains(&seconds)
    {
        let (least, most) = (NETWORK_IDLE_TIMEOUT.start(), NETWORK_IDLE_TIMEOUT.end());
        problems.error(
            at.key("idleTimeoutSeconds"),
            format!("{seconds} s is not between {least} s and {most} s"),
            "use a value within that range",
        );
    }
    if balancer.ssl_policy.is_some() && balancer.ssl_certificate.is_none() {
        problems.error(
            at.key("sslPolicy"),
            "it has no effect without a certificate",
            "set sslCertificate, or remove it",
        );
    }
    if let Some(arn) = &balancer.ssl_certificate
        && !arn.starts_with("arn:")
    {
        problems.error(
            at.key("sslCertificate"),
            format!("{arn:?} is not an ARN"),
            "specify the ARN of the certificate",
        );
    }
    if balancer.security_group_override.is_some() && !balancer.additional_security_groups.is_empty() {
        problems.error(
            at.key("additionalSecurityGroups"),
            "a load balancer with securityGroupOverride cannot have additional security groups",
            "remove securityGroupOverride or additionalSecurityGroups",
        );
    }
    for (number, place) in balancer.subnets.iter().enumerate() {
        let here = at.key("subnets").index(number);
        if balancer.subnets[..number].iter().any(|other| other.name == place.name) {
            problems.error(
                here.key("name"),
                format!("subnet {} is listed twice", place.name),
                "list each only once",
            );
        }
        load_balancer_subnet(place, balancer, spec, &here, problems);
    }
}

fn load_balancer_subnet(
    place: &LoadBalancerSubnet,
    balancer: &ApiLoadBalancer,
    spec: &ClusterSpec,
    at: &Path,
    problems: &mut Problems,
) {
    let Some(subnet) = spec.networking.subnet(&place.name) else {
        let all =
            spec.networking.subnets.iter().map(|subnet| subnet.name.as_str()).collect::<Vec<_>>().join(", ");
        problems.error(
            at.key("name"),
            format!("there is no subnet {:?}", place.name),
            format!("use one of {all}"),
        );
        return;
    };
    if balancer.is_public() && matches!(subnet.r#type, Some(SubnetType::Private | SubnetType::DualStack)) {
        problems.error(
            at.key("name"),
            format!("a public load balancer is not reachable in the private subnet {}", subnet.name),
            "use utility or public subnets, or type Internal",
        );
    }
    if place.allocation_id.is_some() && !balancer.is_public() {
        problems.error(
            at.key("allocationId"),
            "an internal load balancer has no public address",
            "remove it, or use type Public",
        );
    }
    if let Some(address) = &place.private_ipv4_address {
        if balancer.is_public() {
            problems.error(
                at.key("privateIPv4Address"),
                "a public load balancer cannot have a fixed private address",
                "remove it, or use type Internal",
            );
        }
        match address.parse::<std::net::Ipv4Addr>() {
            Err(_) => problems.error(
                at.key("privateIPv4Address"),
                format!("{address:?} is not an address"),
                mend_address(address).unwrap_or_else(|| "use an address such as 10.0.0.10".to_owned()),
            ),
            Ok(parsed) if subnet.cidr.is_some_and(|cidr| !cidr.contains(&IpAddr::V4(parsed))) => problems
                .error(
                    at.key("privateIPv4Address"),
                    format!("{address} is not in subnet {}", subnet.name),
                    "use an address of the subnet",
                ),
            Ok(_) => {}
        }
    }
}
