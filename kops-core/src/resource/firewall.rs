//! Firewalls: groups of machines, and the rules for traffic to and from them.
//!
//! If a group contained its rules, groups that refer to each other would form a cycle; so the rules of a group are a
//! separate task.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{At, Network, Resource};
use crate::graph::{Closed, Id, Open, Stage};
use crate::setters;

/// A group of machines that share rules: a security group, a network tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct Firewall<S: Stage = Open> {
    /// The network it belongs to.
    pub network: At<S, Id<Network>>,
    /// A description, as text.
    pub description: String,
}

impl<S: Stage> Firewall<S> {
    /// A firewall of a network, with a description.
    pub fn new(network: At<S, Id<Network>>, description: impl Into<String>) -> Self {
        Self { network, description: description.into() }
    }
}

impl Resource for Firewall {
    const KIND: &'static str = "Firewall";
    type Resolved = Firewall<Closed>;
}

/// The rules of a firewall. Rules added to the group by others are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct FirewallRules<S: Stage = Open> {
    /// The firewall.
    pub firewall: At<S, Id<Firewall>>,
    /// The allowed traffic; everything else is denied.
    pub rules: BTreeSet<FirewallRule<S>>,
}

impl<S: Stage> FirewallRules<S> {
    /// The rules of a firewall.
    pub fn new(firewall: At<S, Id<Firewall>>, rules: impl IntoIterator<Item = FirewallRule<S>>) -> Self {
        Self { firewall, rules: rules.into_iter().collect() }
    }
}

impl Resource for FirewallRules {
    const KIND: &'static str = "FirewallRules";
    type Resolved = FirewallRules<Closed>;
}

/// A rule that allows traffic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct FirewallRule<S: Stage = Open> {
    /// Whether into or out of the group's machines.
    pub direction: Direction,
    /// The protocol.
    pub protocol: Protocol,
    /// The ports of the receiver; `None` means all, and is the only choice for protocols without ports. For ICMP, the
    /// type and the code; a cloud that does not distinguish types allows all of them.
    pub ports: Option<Ports>,
    /// The peer.
    pub peer: Peer<S>,
}

impl<S: Stage> FirewallRule<S> {
    /// Allows a protocol to or from `peer`, on all ports.
    pub fn new(direction: Direction, protocol: Protocol, peer: Peer<S>) -> Self {
        Self { direction, protocol, ports: None, peer }
    }

    setters! {
        /// Sets the direction.
        set direction: Direction;
        /// Sets the peer.
        set peer: Peer<S>;
        /// Sets the ports of the receiver: see [`FirewallRule::ports`](Self#structfield.ports).
        option ports: Ports;
    }
}

impl FirewallRule {
    /// Allows `peer` to connect to a TCP port.
    pub fn tcp(port: u16, peer: Peer) -> Self {
        Self::tcp_range(port, port, peer)
    }

    /// Allows `peer` to connect to a range of TCP ports.
    pub fn tcp_range(from: u16, to: u16, peer: Peer) -> Self {
        let ports = Some(Ports { from, to });
        Self { direction: Direction::Ingress, protocol: Protocol::Tcp, ports, peer }
    }

    /// Allows `peer` to send to a range of UDP ports.
    pub fn udp_range(from: u16, to: u16, peer: Peer) -> Self {
        Self { protocol: Protocol::Udp, ..Self::tcp_range(from, to, peer) }
    }

    /// Allows `peer` to report that packets are too big for the path: ICMP type 3, code 4, and for an IPv6 CIDR
    /// ICMPv6 type 2. Without it, connections hang if a link on the path has a small MTU.
    pub fn packet_too_big(peer: Peer) -> Self {
        let (protocol, from, to) = match peer {
            Peer::Cidr(IpNet::V6(_)) => (Protocol::IcmpV6, 2, 0),
            _ => (Protocol::Icmp, 3, 4),
        };
        Self { direction: Direction::Ingress, protocol, ports: Some(Ports { from, to }), peer }
    }

    /// Allows all traffic of a protocol from `peer`.
    pub fn protocol(protocol: Protocol, peer: Peer) -> Self {
        Self { protocol, ..Self::all_from(peer) }
    }

    /// Allows all traffic from `peer`.
    pub fn all_from(peer: Peer) -> Self {
        Self { direction: Direction::Ingress, protocol: Protocol::Any, ports: None, peer }
    }

    /// Allows all traffic to `peer`.
    pub fn all_to(peer: Peer) -> Self {
        Self { direction: Direction::Egress, ..Self::all_from(peer) }
    }
}

/// The direction in which a connection is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Direction {
    /// Into the group's machines.
    Ingress,
    /// Out of the group's machines.
    Egress,
}

/// An IP protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Protocol {
    /// Any protocol.
    Any,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP over IPv4.
    Icmp,
    /// ICMP over IPv6.
    IcmpV6,
    /// Another protocol, by its IANA number (4 is IP-in-IP, 50 is ESP).
    Number(u8),
}

impl Protocol {
    /// Ports in canonical form: all ports are `None`, and so are those of protocols that have no ports. Clouds write
    /// all ports as `0` to `65535` or `1` to `65535`.
    pub fn ports(self, ports: Option<Ports>) -> Option<Ports> {
        ports.filter(|ports| match self {
            Self::Any | Self::Number(_) => false,
            Self::Tcp | Self::Udp => ports.from > 1 || ports.to < u16::MAX,
            Self::Icmp | Self::IcmpV6 => true,
        })
    }
}

/// An inclusive range of ports. Exhaustive, because a range has two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ports {
    /// The first.
    pub from: u16,
    /// The last.
    pub to: u16,
}

/// The peer of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum Peer<S: Stage = Open> {
    /// A CIDR.
    Cidr(IpNet),
    /// The machines of a firewall group.
    Group(At<S, Id<Firewall>>),
    /// A list of CIDRs that the cloud manages, by its identifier.
    PrefixList(String),
    /// A single IPv4 address, which may be another task's output, such as the address of a NAT gateway.
    Address(At<S, String>),
}
