//! Lowers firewalls to network tags, and their rules to firewall rules of the network.
//!
//! A firewall rule has one direction and one set of peers, and any number of protocols and ports. So the
//! rules of a firewall are combined: one rule for each group of machines as a peer, and one for each protocol
//! and port that address ranges have in common. A network allows all outgoing traffic unless a rule denies
//! it; if a firewall restricts outgoing traffic, one more rule denies what the others do not allow.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use kops_core::Result;
use kops_core::graph::{Id, Input};
use kops_core::lower::Lowered;
use kops_core::resource::{Direction, Firewall, FirewallRule, FirewallRules, Peer, Protocol};

use super::{Lowering, Site, native, network, unsupported};
use crate::kinds::{GceFirewall, NetworkTag, Traffic};

/// After every rule of ours and before Google's own, which allows all outgoing traffic (65535):
/// <https://cloud.google.com/firewall/docs/firewalls#default_firewall_rules>.
const LAST: u32 = 65_534;

impl Lowered<Site> for Firewall {
    type Native = NetworkTag;

    fn lower(name: &str, _: Self, cx: &mut Lowering<'_>) -> Result<()> {
        cx.looked_up::<NetworkTag>(name);
        Ok(())
    }
}

impl Lowered<Site> for FirewallRules {
    type Native = GceFirewall;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let (_, firewall) = cx.firewall_of(&spec)?;
        let target = native(spec.firewall);
        let blank = |direction: &str| network::firewall(&firewall.network, direction, cx);
        for (what, rule) in rules(&spec.rules, &blank, &target)? {
            cx.add(&format!("{what}-to-{name}"), rule);
        }
        Ok(())
    }
}

/// The rules, with the prefixes of their names; `blank` is a rule of a direction, without traffic.
fn rules(
    rules: &BTreeSet<FirewallRule>,
    blank: &dyn Fn(&str) -> GceFirewall,
    target: &Input<Id<NetworkTag>>,
) -> Result<BTreeMap<String, GceFirewall>> {
    let mut made: BTreeMap<String, GceFirewall> = BTreeMap::new();
    let mut lets_everything_out = false;
    for rule in rules {
        let traffic = traffic(rule);
        let (ranges, six) = match &rule.peer {
            Peer::Cidr(cidr) => {
                let all_out = rule.direction == Direction::Egress && traffic.protocol == "all";
                if all_out && cidr.prefix_len() == 0 {
                    // Networks have IPv4 only: to let out all of IPv6 is to let out nothing.
                    lets_everything_out |= cidr.addr().is_ipv4();
                    continue;
                }
                (Some(Input::Known(cidr.trunc().to_string())), matches!(cidr, IpNet::V6(_)))
            }
            Peer::Address(address) => (Some(Input::concat([address.clone(), "/32".into()])), false),
            Peer::Group(_) => (None, false),
            Peer::PrefixList(list) => {
                return Err(unsupported(
                    format!("{list} is a prefix list, which Google Cloud's firewall rules do not support"),
                    "list the CIDRs instead",
                ));
            }
        };
        let (way, egress) = match rule.direction {
            Direction::Ingress => ("INGRESS", false),
            Direction::Egress => ("EGRESS", true),
        };
        let what = match (&rule.peer, &ranges) {
            (Peer::Group(group), _) => {
                if egress {
                    return Err(unsupported(
                        "an egress rule cannot have a firewall as its peer",
                        "list the CIDRs that the machines may reach",
                    ));
                }
                name_of(group)
            }
            _ => format!(
                "{}{}{}",
                if egress { "out-" } else { "" },
                kind_of(&traffic),
                if six { "-ipv6" } else { "" }
            ),
        };
        let firewall = made
            .entry(what)
            .or_insert_with(|| GceFirewall { target_tags: [target.clone()].into(), ..blank(way) });
        add(&mut firewall.allowed, traffic);
        match (&rule.peer, ranges) {
            (Peer::Group(group), _) => drop(firewall.source_tags.insert(native(group.clone()))),
            (_, Some(range)) if egress => drop(firewall.destination_ranges.insert(range)),
            (_, Some(range)) => drop(firewall.source_ranges.insert(range)),
            (_, None) => {}
        }
    }
    if !lets_everything_out {
        made.insert(
            "no-more-out".to_owned(),
            GceFirewall {
                priority: LAST,
                denied: [Traffic { protocol: "all".to_owned(), ports: BTreeSet::new() }].into(),
                destination_ranges: ["0.0.0.0/0".into()].into(),
                target_tags: [target.clone()].into(),
                ..blank("EGRESS")
            },
        );
    }
    Ok(made)
}

/// The name of the other side.
fn name_of(group: &Input<Id<Firewall>>) -> String {
    match group {
        Input::Known(id) => id.as_str().to_owned(),
        Input::Output(output) => output.task.name().to_owned(),
        Input::Concat(_) => "group".to_owned(),
    }
}

fn kind_of(traffic: &Traffic) -> String {
    let ports = traffic.ports.iter().map(|ports| format!("-{ports}"));
    std::iter::once(traffic.protocol.clone()).chain(ports).collect()
}

/// Adds traffic to what a rule allows: the ports of a protocol are combined, and all ports include each
/// single one.
fn add(allowed: &mut BTreeSet<Traffic>, traffic: Traffic) {
    let all = |it: &Traffic| it.protocol == "all";
    if allowed.iter().any(all) {
        return;
    }
    if all(&traffic) {
        allowed.clear();
        allowed.insert(traffic);
        return;
    }
    let same = allowed.iter().find(|it| it.protocol == traffic.protocol).cloned();
    let Some(mut same) = same else {
        allowed.insert(traffic);
        return;
    };
    allowed.remove(&same);
    if same.ports.is_empty() || traffic.ports.is_empty() {
        same.ports.clear();
    } else {
        same.ports.extend(traffic.ports);
    }
    allowed.insert(same);
}

fn traffic(rule: &FirewallRule) -> Traffic {
    let protocol = match rule.protocol {
        Protocol::Any => "all".to_owned(),
        Protocol::Tcp => "tcp".to_owned(),
        Protocol::Udp => "udp".to_owned(),
        Protocol::Icmp => "icmp".to_owned(),
        // Only its number is known: https://cloud.google.com/firewall/docs/firewalls#protocols_and_ports
        Protocol::IcmpV6 => "58".to_owned(),
        Protocol::Number(4) => "ipip".to_owned(),
        Protocol::Number(50) => "esp".to_owned(),
        Protocol::Number(51) => "ah".to_owned(),
        Protocol::Number(number) => number.to_string(),
    };
    // ICMP types and codes are not distinguished.
    let has_ports = matches!(rule.protocol, Protocol::Tcp | Protocol::Udp);
    let ports = rule.ports.filter(|_| has_ports).map(|ports| match (ports.from, ports.to) {
        (from, to) if from == to => from.to_string(),
        (from, to) => format!("{from}-{to}"),
    });
    Traffic { protocol, ports: ports.into_iter().collect() }
}

/// A rule that allows Google's health checks to reach machines with a tag.
pub(super) fn health_checks(
    blank: GceFirewall,
    tag: Id<NetworkTag>,
    public: bool,
    ports: BTreeSet<String>,
) -> GceFirewall {
    // https://cloud.google.com/load-balancing/docs/health-check-concepts#ip-ranges
    let ranges: &[&str] = if public {
        &["35.191.0.0/16", "209.85.152.0/22", "209.85.204.0/22"]
    } else {
        &["35.191.0.0/16", "130.211.0.0/22"]
    };
    GceFirewall {
        allowed: [Traffic { protocol: "tcp".to_owned(), ports }].into(),
        source_ranges: ranges.iter().map(|range| (*range).into()).collect(),
        target_tags: [Input::Known(tag)].into(),
        ..blank
    }
}

#[cfg(test)]
mod tests {
    use kops_core::graph::Handle;

    use super::*;

    fn made(given: impl IntoIterator<Item = FirewallRule>) -> BTreeMap<String, GceFirewall> {
        let blank = |way: &str| GceFirewall::of(Input::Known(Id::new("n")), way);
        rules(&given.into_iter().collect(), &blank, &Input::Known(Id::new("t"))).unwrap()
    }

    fn out() -> FirewallRule {
        FirewallRule::all_to(Peer::Cidr("0.0.0.0/0".parse().unwrap()))
    }

    #[test]
    fn peers_of_a_kind_share_a_rule() {
        let group = || Peer::Group(Handle::<Firewall>::named("nodes.x").id());
        let range = |text: &str| Peer::Cidr(text.parse().unwrap());
        let made = made([
            FirewallRule::tcp_range(1, 2378, group()),
            FirewallRule::tcp_range(2382, 4000, group()),
            FirewallRule::udp_range(1, 65535, group()),
            FirewallRule::tcp(22, range("192.0.2.0/24")),
            FirewallRule::tcp(22, range("198.51.100.0/24")),
            FirewallRule::tcp(22, range("2001:db8::/32")),
            out(),
        ]);
        let names: Vec<_> = made.keys().map(String::as_str).collect();
        assert_eq!(names, ["nodes.x", "tcp-22", "tcp-22-ipv6"]);
        assert_eq!(made["tcp-22"].source_ranges.len(), 2);
        let allowed: Vec<_> = made["nodes.x"].allowed.iter().map(kind_of).collect();
        assert_eq!(allowed, ["tcp-1-2378-2382-4000", "udp-1-65535"]);
    }

    #[test]
    fn who_may_not_go_anywhere_is_stopped() {
        assert_eq!(made([out()]).len(), 0);
        let to =
            FirewallRule::tcp(443, Peer::Cidr("192.0.2.1/32".parse().unwrap())).direction(Direction::Egress);
        let made = made([to]);
        assert_eq!(made["no-more-out"].priority, LAST);
        assert_eq!(made["out-tcp-443"].destination_ranges.len(), 1);
    }

    #[test]
    fn everything_includes_each() {
        let group = || Peer::Group(Handle::<Firewall>::named("a").id());
        let made = made([FirewallRule::tcp(1, group()), FirewallRule::all_from(group()), out()]);
        let allowed: Vec<_> = made["a"].allowed.iter().map(kind_of).collect();
        assert_eq!(allowed, ["all"]);
    }
}
