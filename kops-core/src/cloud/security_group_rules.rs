//! Rules of security groups, for providers whose cloud has separate rules within a group.
//!
//! Others may add rules to such a group, so the owner of each rule has to be recorded; the provider decides where (in
//! a description, for example). This module has the common part.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::refers_to;
use crate::graph::{Closed, Id, Input, Open, Stage};
use crate::resource::{At, Direction, Ports, Protocol, Resource};

/// The rules of one security group, an object of kind `G`, that the scope owns; rules of others are neither returned
/// nor removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct SecurityGroupRules<G: Resource + Ord, S: Stage = Open> {
    /// The group.
    pub group: At<S, Id<G>>,
    /// The allowed traffic.
    pub rules: BTreeSet<SecurityGroupRule<G, S>>,
}

/// A rule that allows traffic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct SecurityGroupRule<G: Resource + Ord, S: Stage = Open> {
    /// Whether into or out of the group's members.
    pub direction: Direction,
    /// The protocol.
    pub protocol: Protocol,
    /// The ports of the receiver, or the type and code of ICMP; `None` means all, which is never written as `0` to
    /// `65535`: see [`SecurityGroupRule::new`].
    pub ports: Option<Ports>,
    /// The peer.
    pub peer: RulePeer<G, S>,
}

/// The peer of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum RulePeer<G: Resource + Ord, S: Stage = Open> {
    /// A CIDR without host bits.
    Cidr(At<S, String>),
    /// The members of a security group.
    Group(At<S, Id<G>>),
    /// A list of CIDRs that the cloud manages, by its identifier: see
    /// [`Capabilities::prefix_lists`](super::Capabilities).
    PrefixList(String),
}

impl<G: Resource + Ord> Resource for SecurityGroupRules<G> {
    const KIND: &'static str = "SecurityGroupRules";
    type Resolved = SecurityGroupRules<G, Closed>;
}

impl<G: Resource + Ord, S: Stage> SecurityGroupRule<G, S> {
    /// A rule in canonical form: all ports are `None`, and so are those of protocols that have no ports.
    pub fn new(direction: Direction, protocol: Protocol, ports: Option<Ports>, peer: RulePeer<G, S>) -> Self {
        Self { direction, protocol, ports: protocol.ports(ports), peer }
    }
}

impl<G: Resource + Ord> SecurityGroupRules<G> {
    /// Whether an observed rule is one of these, whose peers may be known only by their tasks; `task_of` returns the
    /// task that a group was created for, by the group's identifier.
    pub fn want<'a>(
        &self,
        rule: &SecurityGroupRule<G, Closed>,
        task_of: impl Fn(&str) -> Option<&'a str>,
    ) -> bool {
        let is_peer = |wanted: &RulePeer<G>| match (&rule.peer, wanted) {
            (RulePeer::Cidr(cidr), RulePeer::Cidr(Input::Known(wanted))) => is_same_range(cidr, wanted),
            (RulePeer::Group(group), RulePeer::Group(wanted)) => {
                refers_to(wanted, group.as_str(), task_of(group.as_str()))
            }
            (RulePeer::PrefixList(list), RulePeer::PrefixList(wanted)) => list == wanted,
            _ => false,
        };
        let is_it = |wanted: &SecurityGroupRule<G>| {
            (rule.direction, rule.protocol, rule.ports) == (wanted.direction, wanted.protocol, wanted.ports)
                && is_peer(&wanted.peer)
        };
        self.rules.iter().any(is_it)
    }
}

impl<G: Resource + Ord> SecurityGroupRule<G, Closed> {
    /// Whether it allows all egress by IPv4 or by IPv6: clouds add such rules to new groups.
    pub fn lets_everything_out(&self) -> bool {
        let everywhere = matches!(&self.peer, RulePeer::Cidr(cidr) if cidr == "0.0.0.0/0" || cidr == "::/0");
        self.direction == Direction::Egress && self.protocol == Protocol::Any && everywhere
    }
}

fn is_same_range(a: &str, b: &str) -> bool {
    a == b || matches!((a.parse::<IpNet>(), b.parse::<IpNet>()), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Handle;

    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    struct Group {}

    impl Resource for Group {
        const KIND: &'static str = "Group";
        type Resolved = Self;
    }

    fn tcp<S: Stage>(peer: RulePeer<Group, S>) -> SecurityGroupRule<Group, S> {
        let ports = Some(Ports { from: 443, to: 443 });
        SecurityGroupRule::new(Direction::Ingress, Protocol::Tcp, ports, peer)
    }

    #[test]
    fn a_rule_is_known_by_its_peer_which_may_be_to_come() {
        let nodes = Handle::<Group>::named("nodes").id();
        let peers = [RulePeer::Cidr("2001:db8::/32".to_owned().into()), RulePeer::Group(nodes)];
        let rules = SecurityGroupRules {
            group: Handle::<Group>::named("masters").id(),
            rules: peers.into_iter().map(tcp).collect(),
        };
        let task_of = |id: &str| (id == "g1").then_some("nodes");
        let wants = |peer| rules.want(&tcp(peer), task_of);
        assert!(wants(RulePeer::Group(Id::new("g1"))));
        assert!(!wants(RulePeer::Group(Id::new("g2"))));
        assert!(wants(RulePeer::Cidr("2001:DB8:0::/32".to_owned())));
        assert!(!wants(RulePeer::Cidr("2001:db8::/48".to_owned())));
        assert!(!wants(RulePeer::PrefixList("pl-1".to_owned())));
    }

    #[test]
    fn only_what_lets_everything_out_does() {
        let all = |direction, protocol, cidr: &str| {
            SecurityGroupRule::<Group, Closed>::new(
                direction,
                protocol,
                None,
                RulePeer::Cidr(cidr.to_owned()),
            )
            .lets_everything_out()
        };
        assert!(all(Direction::Egress, Protocol::Any, "0.0.0.0/0"));
        assert!(all(Direction::Egress, Protocol::Any, "::/0"));
        assert!(!all(Direction::Ingress, Protocol::Any, "0.0.0.0/0"));
        assert!(!all(Direction::Egress, Protocol::Tcp, "0.0.0.0/0"));
        assert!(!all(Direction::Egress, Protocol::Any, "10.0.0.0/8"));
    }
}
