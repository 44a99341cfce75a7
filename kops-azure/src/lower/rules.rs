//! The rules of a network's firewalls, as one security group.
//!
//! # Denied traffic
//! Agnostic firewalls allow what a rule allows and nothing else; Azure allows all traffic within a network.
//! So after all allow rules, each firewall has one that denies inbound traffic, and before that one that
//! allows the probes of Azure's load balancers. If a firewall's rules do not allow all outbound traffic,
//! another rule denies it.
//!
//! # Load balancers
//! Azure's load balancers are transparent: machines behind them see the client's address, and the load
//! balancer itself has no firewall. So a rule that allows a load balancer's firewall instead allows the
//! sources that the load balancer's own rules allow at the corresponding ports.

use std::collections::BTreeSet;

use ipnet::IpNet;
use kops_core::graph::{Handle, Id, Input};
use kops_core::resource::{
    Direction, Firewall, FirewallRule, FirewallRules, LoadBalancer, Network, Peer, Ports, Protocol,
};
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, group, labels, native, ready};
use crate::kinds::{
    ApplicationSecurityGroup, NetworkSecurityGroup, OURS, RuleOrder, SecurityPeer, SecurityRule,
};
use crate::names;

pub(super) use super::subnet::name_of;

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
                drafts.extend(allowed(wall.name, &rule)?);
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
    let rules = named(drafts)?;
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

fn wall_peer(name: &str) -> SecurityPeer {
    SecurityPeer::Group(Handle::<ApplicationSecurityGroup>::named(name).ready().id())
}

/// What a rule allows; nothing if it is for IPv6, which networks do not have here.
fn allowed(wall: &str, rule: &FirewallRule) -> Result<Option<SecurityRule>> {
    if matches!(rule.peer, Peer::Cidr(IpNet::V6(_))) {
        return Ok(None);
    }
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
    Ok(Some(SecurityRule {
        name: String::new(),
        order: RuleOrder::First,
        inbound,
        allow: true,
        protocol: protocol.to_owned(),
        ports,
        from,
        to,
    }))
}

/// The rules that deny everything else.
fn stopped(wall: &Wall<'_>) -> Vec<SecurityRule> {
    if wall.rules.is_empty() {
        return Vec::new();
    }
    let draft = |order, allow, inbound, from, to| SecurityRule {
        name: String::new(),
        order,
        inbound,
        allow,
        protocol: ANY.to_owned(),
        ports: None,
        from,
        to,
    };
    let any = || SecurityPeer::Prefix(ANY.into());
    let probes = SecurityPeer::Prefix(BALANCERS.into());
    let mut drafts = vec![
        draft(RuleOrder::Probes, true, true, probes, wall_peer(wall.name)),
        draft(RuleOrder::Last, false, true, any(), wall_peer(wall.name)),
    ];
    let all_out = wall.rules.iter().any(|rule| {
        rule.direction == Direction::Egress
            && rule.protocol == Protocol::Any
            && matches!(&rule.peer, Peer::Cidr(IpNet::V4(cidr)) if cidr.prefix_len() == 0)
    });
    if !all_out {
        drafts.push(draft(RuleOrder::Last, false, false, wall_peer(wall.name), any()));
    }
    drafts
}

/// The rules with names, which follow from what they say.
fn named(drafts: Vec<SecurityRule>) -> Result<BTreeSet<SecurityRule>> {
    let named = |rule: SecurityRule| {
        let text = serde_json::to_string(&rule)
            .map_err(|error| Error::internal("a rule cannot be serialised").with_source(error))?;
        let digest = names::guid(&text).replace('-', "");
        let name = format!("{OURS}{}", digest.get(..16).unwrap_or(&digest));
        Ok(SecurityRule { name, ..rule })
    };
    drafts.into_iter().map(named).collect()
}
