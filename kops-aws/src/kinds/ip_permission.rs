//! Conversion of security group rules between EC2's form and ours.
//!
//! EC2 returns the rules of one direction as permissions: a protocol and a port range, with all peers, each
//! with a description. One of our rules is one of those.

use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, PrefixListId, UserIdGroupPair};
use kops_core::graph::{Closed, Id};
use kops_core::resource::{Direction, Ports, Protocol};

use super::{RulePeer, SecurityGroupRule};

/// "All ports", as EC2 writes it for TCP and UDP.
const ALL_PORTS: Ports = Ports { from: 0, to: u16::MAX };

type Rule = SecurityGroupRule<Closed>;

/// A rule as observed, with its description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) rule: Rule,
    pub(crate) description: Option<String>,
}

/// The rules in the permissions of one direction.
pub(crate) fn read(direction: Direction, permissions: &[IpPermission]) -> Vec<Described> {
    permissions.iter().flat_map(|permission| read_one(direction, permission)).collect()
}

fn read_one(direction: Direction, permission: &IpPermission) -> Vec<Described> {
    let protocol = protocol(permission.ip_protocol().unwrap_or("-1"));
    let ports = ports(permission.from_port(), permission.to_port());
    let cidr = |cidr: Option<&str>| RulePeer::Cidr(cidr.unwrap_or_default().to_owned());
    let v4 = permission.ip_ranges().iter().map(|it| (cidr(it.cidr_ip()), it.description()));
    let v6 = permission.ipv6_ranges().iter().map(|it| (cidr(it.cidr_ipv6()), it.description()));
    let groups = permission
        .user_id_group_pairs()
        .iter()
        .map(|it| (RulePeer::Group(Id::new(it.group_id().unwrap_or_default())), it.description()));
    let lists = permission.prefix_list_ids().iter().map(|it| {
        (RulePeer::PrefixList(it.prefix_list_id().unwrap_or_default().to_owned()), it.description())
    });
    v4.chain(v6)
        .chain(groups)
        .chain(lists)
        .map(|(peer, description)| Described {
            rule: SecurityGroupRule::new(direction, protocol, ports, peer),
            description: description.map(str::to_owned),
        })
        .collect()
}

/// A rule as a permission of its own.
pub(crate) fn write(rule: &Rule, description: Option<&str>) -> IpPermission {
    let (from, to) = match (rule.protocol, rule.ports) {
        (Protocol::Any | Protocol::Number(_), _) => (None, None),
        (Protocol::Tcp | Protocol::Udp, ports) => {
            let ports = ports.unwrap_or(ALL_PORTS);
            (Some(i32::from(ports.from)), Some(i32::from(ports.to)))
        }
        (Protocol::Icmp | Protocol::IcmpV6, None) => (Some(-1), Some(-1)),
        (Protocol::Icmp | Protocol::IcmpV6, Some(kind)) => (Some(kind.from.into()), Some(kind.to.into())),
    };
    let permission =
        IpPermission::builder().ip_protocol(protocol_name(rule.protocol)).set_from_port(from).set_to_port(to);
    let description = description.map(str::to_owned);
    match &rule.peer {
        RulePeer::Cidr(cidr) if cidr.contains(':') => {
            let range = Ipv6Range::builder().cidr_ipv6(cidr).set_description(description);
            permission.ipv6_ranges(range.build())
        }
        RulePeer::Cidr(cidr) => {
            permission.ip_ranges(IpRange::builder().cidr_ip(cidr).set_description(description).build())
        }
        RulePeer::Group(group) => {
            let pair = UserIdGroupPair::builder().group_id(group.as_str()).set_description(description);
            permission.user_id_group_pairs(pair.build())
        }
        RulePeer::PrefixList(list) => {
            let list = PrefixListId::builder().prefix_list_id(list).set_description(description);
            permission.prefix_list_ids(list.build())
        }
    }
    .build()
}

/// EC2 accepts names and numbers, and returns names where they exist.
fn protocol(name: &str) -> Protocol {
    match name {
        "tcp" | "6" => Protocol::Tcp,
        "udp" | "17" => Protocol::Udp,
        "icmp" | "1" => Protocol::Icmp,
        "icmpv6" | "58" => Protocol::IcmpV6,
        name => name.parse().map_or(Protocol::Any, Protocol::Number),
    }
}

fn protocol_name(protocol: Protocol) -> String {
    match protocol {
        Protocol::Any => "-1".to_owned(),
        Protocol::Tcp => "tcp".to_owned(),
        Protocol::Udp => "udp".to_owned(),
        Protocol::Icmp => "icmp".to_owned(),
        Protocol::IcmpV6 => "icmpv6".to_owned(),
        Protocol::Number(number) => number.to_string(),
    }
}

fn ports(from: Option<i32>, to: Option<i32>) -> Option<Ports> {
    // -1 means all ICMP types.
    Some(Ports { from: u16::try_from(from?).ok()?, to: u16::try_from(to?).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(protocol: Protocol, ports: Option<(u16, u16)>, peer: RulePeer<Closed>) -> Rule {
        let ports = ports.map(|(from, to)| Ports { from, to });
        SecurityGroupRule { direction: Direction::Ingress, protocol, ports, peer }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let v4 = || RulePeer::Cidr("10.0.0.0/8".to_owned());
        let v6 = || RulePeer::Cidr("2001:db8::/32".to_owned());
        let rules = [
            rule(Protocol::Tcp, Some((22, 22)), v4()),
            rule(Protocol::Tcp, None, v6()),
            rule(Protocol::Udp, Some((0, 100)), RulePeer::Group(Id::new("sg-1"))),
            rule(Protocol::Any, None, RulePeer::PrefixList("pl-1".to_owned())),
            rule(Protocol::Icmp, None, v4()),
            rule(Protocol::Icmp, Some((3, 4)), v4()),
            rule(Protocol::IcmpV6, None, v6()),
            rule(Protocol::Number(4), None, v4()),
        ];
        let written: Vec<_> = rules.iter().map(|rule| write(rule, Some("why"))).collect();
        let read = read(Direction::Ingress, &written);
        assert_eq!(read.iter().map(|it| it.rule.clone()).collect::<Vec<_>>(), rules);
        assert!(read.iter().all(|it| it.description.as_deref() == Some("why")));
    }

    #[test]
    fn all_in_one_permission_are_told_apart() {
        let permission = IpPermission::builder()
            .ip_protocol("6")
            .from_port(443)
            .to_port(443)
            .ip_ranges(IpRange::builder().cidr_ip("10.0.0.0/8").build())
            .ip_ranges(IpRange::builder().cidr_ip("192.0.2.0/24").description("x").build())
            .user_id_group_pairs(UserIdGroupPair::builder().group_id("sg-1").build())
            .build();
        let read = read(Direction::Egress, &[permission]);
        assert_eq!(read.len(), 3);
        assert!(read.iter().all(|it| it.rule.protocol == Protocol::Tcp));
        assert_eq!(read[1].description.as_deref(), Some("x"));
    }
}
