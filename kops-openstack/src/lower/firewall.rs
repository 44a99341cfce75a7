//! Lowers a firewall to a security group, and its rules to a set of rules; except for firewalls of load
//! balancers.
//!
//! A load balancer has no security group of ours: its service creates one, and allows what each listener
//! allows. So the rules of a load balancer's firewall are lowered to what its listeners allow ([`allowed`]),
//! and a rule that allows traffic from such a firewall's members allows the subnets of those load balancers,
//! from where they connect; and if connections pass through the load balancer, those whom its firewall admits.

use std::collections::BTreeSet;

use ipnet::IpNet;
use kops_core::graph::{Id, Input};
use kops_core::lower::Lowered;
use kops_core::resource::{
    Direction, Firewall, FirewallRule, FirewallRules, Listener, LoadBalancer, Peer, Protocol, Subnet,
};
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site, native, tags_with};
use crate::extensions::OpenstackLoadBalancer;
use crate::kinds::{RulePeer, SecurityGroup, SecurityGroupRule, SecurityGroupRules};

impl Lowered<Site> for Firewall {
    type Native = SecurityGroup;

    fn lower(name: &str, _: Self, cx: &mut Lowering<'_>) -> Result<()> {
        if balancers_in(|it| Lowering::is_for(it, name), cx)?.is_empty() {
            let tags = tags_with(cx, []);
            cx.add(name, SecurityGroup { tags });
        }
        Ok(())
    }
}

impl Lowered<Site> for FirewallRules {
    type Native = SecurityGroupRules;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        cx.firewall_of(&spec)?;
        if !balancers_in(|it| *it == spec.firewall, cx)?.is_empty() {
            return Ok(());
        }
        let mut rules = BTreeSet::new();
        for rule in spec.rules {
            for peer in peers(&rule, cx)? {
                rules.insert(SecurityGroupRule::new(rule.direction, rule.protocol, rule.ports, peer));
            }
        }
        cx.add(name, SecurityGroupRules { group: native(spec.firewall), rules });
        Ok(())
    }
}

/// The load balancers with a firewall.
fn balancers_in(
    is_it: impl Fn(&Input<Id<Firewall>>) -> bool,
    cx: &Lowering<'_>,
) -> Result<Vec<LoadBalancer>> {
    let balancers = cx.specs::<LoadBalancer>()?;
    Ok(balancers.into_iter().map(|(_, it)| it).filter(|it| it.firewalls.iter().any(&is_it)).collect())
}

/// The other sides of a rule.
fn peers(rule: &FirewallRule, cx: &Lowering<'_>) -> Result<Vec<RulePeer>> {
    Ok(match &rule.peer {
        Peer::Cidr(cidr) => vec![RulePeer::Cidr(cidr.trunc().to_string().into())],
        Peer::Address(address) => vec![RulePeer::Cidr(Input::concat([address.clone(), "/32".into()]))],
        Peer::PrefixList(list) => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("OpenStack does not support prefix lists: {list}"),
            )
            .with_hint("list the CIDRs"));
        }
        Peer::Group(group) => {
            let balancers = balancers_in(|it| it == group, cx)?;
            if balancers.is_empty() {
                vec![RulePeer::Group(native(group.clone()))]
            } else {
                let mut ranges = BTreeSet::new();
                for balancer in &balancers {
                    ranges
                        .extend(ranges_of(balancer, cx)?.iter().map(|range| Input::Known(range.to_string())));
                    let extension = balancer.extensions.get::<OpenstackLoadBalancer>()?.unwrap_or_default();
                    let leads_here = |it: &&Listener| {
                        let ports = rule
                            .protocol
                            .ports(rule.ports)
                            .filter(|_| rule.protocol == Protocol::Tcp || rule.protocol == Protocol::Udp);
                        ports.is_none_or(|ports| (ports.from..=ports.to).contains(&it.target_port))
                    };
                    for listener in
                        balancer.listeners.iter().filter(|_| extension.passes_through()).filter(leads_here)
                    {
                        ranges.extend(admitted(balancer, listener.port, cx)?);
                    }
                }
                ranges.into_iter().map(RulePeer::Cidr).collect()
            }
        }
    })
}

/// The CIDRs that may contain a load balancer's address.
fn ranges_of(balancer: &LoadBalancer, cx: &Lowering<'_>) -> Result<Vec<IpNet>> {
    let mut ranges = Vec::new();
    let subnets = cx.specs::<Subnet>()?;
    for subnet in &balancer.subnets {
        let own = subnets.iter().find(|(name, _)| Lowering::is_for(subnet, name));
        match own {
            Some((_, spec)) => ranges.push(spec.cidr.trunc()),
            None => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "the CIDR of the load balancer's subnet, from which machines must allow traffic, is not known",
                )
                .with_hint("place the load balancer in a subnet of the graph"));
            }
        }
    }
    Ok(ranges)
}

/// All sources.
const EVERYBODY: &str = "0.0.0.0/0";

/// The sources that may connect to a port of a load balancer, as its listener has them: empty for any.
pub(super) fn allowed(
    balancer: &LoadBalancer,
    port: u16,
    cx: &Lowering<'_>,
) -> Result<BTreeSet<Input<String>>> {
    let mut allowed = admitted(balancer, port, cx)?;
    // "Any" includes every other source.
    if allowed.contains(&Input::Known(EVERYBODY.to_owned())) {
        return Ok(BTreeSet::new());
    }
    if allowed.is_empty() {
        // An empty list would allow any source.
        allowed.insert("255.255.255.255/32".to_owned().into());
    }
    Ok(allowed)
}

/// The sources that may connect to a port of a load balancer: the CIDRs that the rules of its firewalls
/// allow, or any if it has no firewalls. For machines of groups, these are the CIDRs of all subnets of the
/// network. CIDRs of IPv6 say nothing about an IPv4 address, and a listener rejects them.
fn admitted(balancer: &LoadBalancer, port: u16, cx: &Lowering<'_>) -> Result<BTreeSet<Input<String>>> {
    if balancer.firewalls.is_empty() {
        return Ok([EVERYBODY.to_owned().into()].into());
    }
    let mut allowed = BTreeSet::new();
    let sets = cx.specs::<FirewallRules>()?;
    let own = sets.iter().filter(|(_, set)| balancer.firewalls.contains(&set.firewall));
    let lets_in = |rule: &&FirewallRule| {
        rule.direction == Direction::Ingress
            && [Protocol::Any, Protocol::Tcp, Protocol::Udp].contains(&rule.protocol)
            && rule.ports.is_none_or(|ports| (ports.from..=ports.to).contains(&port))
    };
    for rule in own.flat_map(|(_, set)| set.rules.iter().filter(lets_in)) {
        match &rule.peer {
            Peer::Cidr(IpNet::V4(cidr)) => drop(allowed.insert(cidr.trunc().to_string().into())),
            Peer::Address(address) => {
                allowed.insert(Input::concat([address.clone(), "/32".into()]));
            }
            Peer::Group(_) => {
                let subnets = cx.specs::<Subnet>()?;
                let beside = subnets.iter().filter(|(_, it)| it.network == balancer.network);
                allowed.extend(beside.map(|(_, it)| Input::Known(it.cidr.trunc().to_string())));
            }
            Peer::Cidr(IpNet::V6(_)) | Peer::PrefixList(_) => {}
        }
    }
    Ok(allowed)
}
