//! The rules of a network's firewalls, as one security group.
//!
//! # Denied traffic
//! Agnostic firewalls allow what a rule allows and nothing else; Azure allows all traffic within a network.
//! So after all allow rules, each firewall has one that denies inbound traffic, and before that one that
//! allows the probes of Azure's load balancers. If a firewall's rules do not allow all outbound traffic,
//! another rule denies it.
//!
//! # Priorities
//! They are derived from the rule itself, by a digest, so that adding a rule does not renumber others. Two
//! rules with the same number are separated in the order of their digests, which renumbers at most one of the
//! two.
//!
//! | priorities | rules |
//! |---|---|
//! | 200–3899 | allow rules, in any order: none of these denies anything |
//! | 3900–3999 | probes of load balancers |
//! | 4000–4096 | deny rules |
//!
//! # Load balancers
//! Azure's load balancers are transparent: machines behind them see the client's address, and the load
//! balancer itself has no firewall. So a rule that allows a load balancer's firewall instead allows the
//! sources that the load balancer's own rules allow at the corresponding ports.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use kops_core::graph::{Handle, Id, Input};
use kops_core::resource::{
    Direction, Firewall, FirewallRule, FirewallRules, LoadBalancer, Network, Peer, Ports, Protocol,
};
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, group, labels, native, ready};
use crate::kinds::{ApplicationSecurityGroup, NetworkSecurityGroup, OURS, SecurityPeer, SecurityRule};
use crate::names;

pub(super) use super::subnet::name_of;

const ALLOWED: RangeInclusive<u16> = 200..=3899;
const PROBED: RangeInclusive<u16> = 3900..=3999;
const STOPPED: RangeInclusive<u16> = 4000..=4096;
/// The maximum number of rules of a group.
/// <https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/azure-subscription-service-limits#azure-networking-limits>
const MOST: usize = 1000;

/// Any source.
const ANY: &str = "*";
/// The source of load balancer probes.
const BALANCERS: &str = "AzureLoadBalancer";

/// A firewall and its rules.
struct Wall<'a> {
    name: &'a str,
    rules: BTreeSet<FirewallRule>,
    /// Whether it is the firewall of a load balancer.
    balancing: bool,
}

/// The security group of a network, if it has firewalls with rules.
pub(super) fn security_group(
    network: &Input<Id<Network>>,
    cx: &mut Lowering<'_>,
) -> Result<Option<Handle<NetworkSecurityGroup>>> {
    let walls = walls(network, cx)?;
    if walls.iter().all(|wall| wall.rules.is_empty()) {
        return Ok(None);
    }
    let balancers = cx.specs::<LoadBalancer>()?;
    let mut drafts = Vec::new();
    for wall in walls.iter().filter(|wall| !wall.balancing) {
        for rule in &wall.rules {
            for rule in seen_through_balancers(rule, &walls, &balancers) {
                drafts.push(allowed(wall.name, &rule)?);
            }
        }
        drafts.extend(stopped(wall));
    }
    if drafts.len() > MOST {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "{} rules are more than the maximum of {MOST} in a security group on Azure",
                drafts.len()
            ),
        ));
    }
    let (group, tags) = (group(cx), labels(cx, []));
    let rules = numbered(drafts)?;
    Ok(Some(cx.add_once(&name_of(network), NetworkSecurityGroup { group, rules, tags })))
}

fn walls<'a>(network: &Input<Id<Network>>, cx: &Lowering<'a>) -> Result<Vec<Wall<'a>>> {
    let balancers = cx.specs::<LoadBalancer>()?;
    let balancing: BTreeSet<&Input<Id<Firewall>>> =
        balancers.iter().flat_map(|(_, balancer)| &balancer.firewalls).collect();
    let rules = cx.specs::<FirewallRules>()?;
    let here = cx.specs::<Firewall>()?.into_iter().filter(|(_, wall)| wall.network == *network);
    let is_of = |id: &Input<Id<Firewall>>, name: &str| Lowering::is_for::<Firewall>(id, name);
    Ok(here
        .map(|(name, _)| Wall {
            name,
            rules: rules
                .iter()
                .filter(|(_, of)| is_of(&of.firewall, name))
                .flat_map(|(_, of)| of.rules.clone())
                .collect(),
            balancing: balancing.iter().any(|id| is_of(id, name)),
        })
        .collect())
}

/// The rule, or those that replace it if the peer is the firewall of a load balancer.
fn seen_through_balancers(
    rule: &FirewallRule,
    walls: &[Wall<'_>],
    balancers: &[(&str, LoadBalancer)],
) -> Vec<FirewallRule> {
    let Peer::Group(peer) = &rule.peer else { return vec![rule.clone()] };
    let wall = walls.iter().find(|wall| wall.balancing && Lowering::is_for::<Firewall>(peer, wall.name));
    let Some(wall) = wall else { return vec![rule.clone()] };
    let behind = balancers.iter().filter(|(_, balancer)| balancer.firewalls.contains(peer));
    let leads_here = |port: u16, target: u16| {
        contains(rule.ports, target)
            && behind
                .clone()
                .flat_map(|(_, it)| &it.listeners)
                .any(|it| it.port == port && it.target_port == target)
    };
    let targets = |outer: &FirewallRule| {
        let listeners = behind.clone().flat_map(|(_, it)| &it.listeners);
        listeners.filter(|it| contains(outer.ports, it.port) && leads_here(it.port, it.target_port)).count()
            > 0
    };
    let admits = |outer: &&FirewallRule| {
        let ported = matches!(rule.protocol, Protocol::Tcp | Protocol::Udp | Protocol::Any);
        outer.direction == Direction::Ingress
            && (outer.protocol == rule.protocol
                || outer.protocol == Protocol::Any
                || rule.protocol == Protocol::Any)
            && (!ported || targets(outer))
    };
    wall.rules
        .iter()
        .filter(admits)
        // Traffic from the machines themselves needs no load balancer.
        .filter(|outer| outer.peer != rule.peer)
        .map(|outer| rule.clone().peer(outer.peer.clone()))
        .collect()
}

fn contains(ports: Option<Ports>, port: u16) -> bool {
    ports.is_none_or(|ports| (ports.from..=ports.to).contains(&port))
}

/// A rule without its priority.
struct Draft {
    band: RangeInclusive<u16>,
    rule: SecurityRule,
}

fn wall_peer(name: &str) -> SecurityPeer {
    SecurityPeer::Group(Handle::<ApplicationSecurityGroup>::named(name).ready().id())
}

fn allowed(wall: &str, rule: &FirewallRule) -> Result<Draft> {
    let protocol = match rule.protocol {
        Protocol::Any => ANY,
        Protocol::Tcp => "Tcp",
        Protocol::Udp => "Udp",
        Protocol::Icmp | Protocol::IcmpV6 => "Icmp",
        Protocol::Number(50) => "Esp",
        Protocol::Number(51) => "Ah",
        Protocol::Number(number) => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("rules on Azure do not support IP protocol {number}"),
            )
            .with_hint(
                "Azure's networks support TCP, UDP, ICMP, ESP and AH: use a tunnel over UDP, such as VXLAN",
            ));
        }
    };
    // Rules cannot distinguish ICMP types.
    let ported = matches!(rule.protocol, Protocol::Tcp | Protocol::Udp);
    let ports = rule.ports.filter(|_| ported);
    let peer = match &rule.peer {
        Peer::Cidr(cidr) if cidr.prefix_len() == 0 => SecurityPeer::Prefix(ANY.into()),
        Peer::Cidr(cidr) => SecurityPeer::Prefix(cidr.trunc().to_string().into()),
        Peer::Group(group) => SecurityPeer::Group(native(group.clone())),
        Peer::Address(address) => SecurityPeer::Prefix(Input::concat([ready(address.clone()), "/32".into()])),
        Peer::PrefixList(list) => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("Azure does not support prefix lists such as {list}"),
            )
            .with_hint("list the CIDRs instead"));
        }
    };
    let inbound = rule.direction == Direction::Ingress;
    let (from, to) = if inbound { (peer, wall_peer(wall)) } else { (wall_peer(wall), peer) };
    let rule = SecurityRule {
        name: String::new(),
        priority: 0,
        inbound,
        allow: true,
        protocol: protocol.to_owned(),
        ports,
        from,
        to,
    };
    Ok(Draft { band: ALLOWED, rule })
}

/// The rules that deny everything else.
fn stopped(wall: &Wall<'_>) -> Vec<Draft> {
    if wall.rules.is_empty() {
        return Vec::new();
    }
    let draft = |band, allow, inbound, from, to| Draft {
        band,
        rule: SecurityRule {
            name: String::new(),
            priority: 0,
            inbound,
            allow,
            protocol: ANY.to_owned(),
            ports: None,
            from,
            to,
        },
    };
    let any = || SecurityPeer::Prefix(ANY.into());
    let probes = SecurityPeer::Prefix(BALANCERS.into());
    let mut drafts = vec![
        draft(PROBED, true, true, probes, wall_peer(wall.name)),
        draft(STOPPED, false, true, any(), wall_peer(wall.name)),
    ];
    let all_out = wall.rules.iter().any(|rule| {
        rule.direction == Direction::Egress
            && rule.protocol == Protocol::Any
            && matches!(&rule.peer, Peer::Cidr(cidr) if cidr.prefix_len() == 0)
    });
    if !all_out {
        drafts.push(draft(STOPPED, false, false, wall_peer(wall.name), any()));
    }
    drafts
}

/// The rules with names and priorities.
fn numbered(drafts: Vec<Draft>) -> Result<BTreeSet<SecurityRule>> {
    // Equal rules become one: the whole of IPv4 and of IPv6 are both "any".
    let mut by_digest: BTreeMap<String, Draft> = BTreeMap::new();
    for draft in drafts {
        let text = serde_json::to_string(&draft.rule)
            .map_err(|error| Error::internal("a rule cannot be serialised").with_source(error))?;
        by_digest.insert(names::guid(&text).replace('-', ""), draft);
    }
    let mut taken: BTreeSet<(bool, u16)> = BTreeSet::new();
    let mut rules = BTreeSet::new();
    for (digest, Draft { band, rule }) in by_digest {
        let priority = free(&digest, &band, |priority| !taken.contains(&(rule.inbound, priority)))
            .ok_or_else(|| {
                Error::new(ErrorKind::Unsupported, "there are more firewalls than priorities on Azure")
            })?;
        taken.insert((rule.inbound, priority));
        let name = format!("{OURS}{}", digest.get(..16).unwrap_or(&digest));
        rules.insert(SecurityRule { name, priority, ..rule });
    }
    Ok(rules)
}

/// The first free number of a range, starting where the digest points.
fn free(digest: &str, band: &RangeInclusive<u16>, is_free: impl Fn(u16) -> bool) -> Option<u16> {
    let size = band.end() - band.start() + 1;
    let start = digest.get(..8).and_then(|it| u32::from_str_radix(it, 16).ok()).unwrap_or_default();
    let start = u16::try_from(start % u32::from(size)).unwrap_or_default();
    (0..size).map(|step| band.start() + (start + step) % size).find(|priority| is_free(*priority))
}
