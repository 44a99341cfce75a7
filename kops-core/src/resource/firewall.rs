//! Firewalls: groups of machines, and the rules about who may talk to them.
//!
//! Groups that refer to each other would make a cycle if a group held its rules; so the rules of a group
//! are a task of their own.

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
    /// The network it guards.
    pub network: At<S, Id<Network>>,
    /// What it is for, in words.
    pub description: String,
}

impl<S: Stage> Firewall<S> {
    /// A firewall of a network. The description says what it is for, in words.
    pub fn new(network: At<S, Id<Network>>, description: impl Into<String>) -> Self {
        Self { network, description: description.into() }
    }
}

impl Resource for Firewall {
    const KIND: &'static str = "Firewall";
    type Resolved = Firewall<Closed>;
}

/// The rules of one firewall. Rules that others add to the group are left alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct FirewallRules<S: Stage = Open> {
    /// The firewall.
    pub firewall: At<S, Id<Firewall>>,
    /// What is allowed; everything else is not.
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

/// Something that is allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct FirewallRule<S: Stage = Open> {
    /// Into the group's machines or out of them.
    pub direction: Direction,
    /// Which protocol.
    pub protocol: Protocol,
    /// Which ports of the receiver; `None` is all, and the only choice for protocols without ports. For ICMP
    /// the type and the code; a cloud that does not tell types apart lets all of them in.
    pub ports: Option<Ports>,
    /// The other side.
    pub peer: Peer<S>,
}

impl<S: Stage> FirewallRule<S> {
    /// Allows a protocol with `peer` as the other side, on all ports.
    pub fn new(direction: Direction, protocol: Protocol, peer: Peer<S>) -> Self {
        Self { direction, protocol, ports: None, peer }
    }

    setters! {
        /// Sets into which direction it allows.
        set direction: Direction;
        /// Sets the other side.
        set peer: Peer<S>;
        /// Sets which ports of the receiver: see [`FirewallRule::ports`](Self#structfield.ports).
        option ports: Ports;
    }
}

impl FirewallRule {
    /// Lets `peer` reach a TCP port.
    pub fn tcp(port: u16, peer: Peer) -> Self {
        Self::tcp_range(port, port, peer)
    }

    /// Lets `peer` reach a range of TCP ports.
    pub fn tcp_range(from: u16, to: u16, peer: Peer) -> Self {
        let ports = Some(Ports { from, to });
        Self { direction: Direction::Ingress, protocol: Protocol::Tcp, ports, peer }
    }

    /// Lets `peer` reach a range of UDP ports.
    pub fn udp_range(from: u16, to: u16, peer: Peer) -> Self {
        Self { protocol: Protocol::Udp, ..Self::tcp_range(from, to, peer) }
    }

    /// Lets `peer` say that packets are too big for the path to it: ICMP's type 3, code 4, and for an IPv6
    /// range ICMPv6's type 2. Without it connections hang where a link takes small packets only.
    pub fn packet_too_big(peer: Peer) -> Self {
        let (protocol, from, to) = match peer {
            Peer::Cidr(IpNet::V6(_)) => (Protocol::IcmpV6, 2, 0),
            _ => (Protocol::Icmp, 3, 4),
        };
        Self { direction: Direction::Ingress, protocol, ports: Some(Ports { from, to }), peer }
    }

    /// Lets `peer` in with everything of a protocol.
    pub fn protocol(protocol: Protocol, peer: Peer) -> Self {
        Self { protocol, ..Self::all_from(peer) }
    }

    /// Lets `peer` in with any protocol on any port.
    pub fn all_from(peer: Peer) -> Self {
        Self { direction: Direction::Ingress, protocol: Protocol::Any, ports: None, peer }
    }

    /// Lets the group's machines reach `peer` with any protocol on any port.
    pub fn all_to(peer: Peer) -> Self {
        Self { direction: Direction::Egress, ..Self::all_from(peer) }
    }
}

/// Which way a connection is opened.
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
    /// Another, by its number at IANA (4 is IP-in-IP, 50 is ESP).
    Number(u8),
}

impl Protocol {
    /// Ports as rules are compared by them: all ports are `None`, and so are those of protocols that have none. Clouds
    /// write all ports as `0` to `65535` or `1` to `65535`.
    pub fn ports(self, ports: Option<Ports>) -> Option<Ports> {
        ports.filter(|ports| match self {
            Self::Any | Self::Number(_) => false,
            Self::Tcp | Self::Udp => ports.from > 1 || ports.to < u16::MAX,
            Self::Icmp | Self::IcmpV6 => true,
        })
    }
}

/// A range of ports, both ends included. Exhaustive: a range has two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ports {
    /// The first.
    pub from: u16,
    /// The last.
    pub to: u16,
}

/// The other side of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum Peer<S: Stage = Open> {
    /// A range of addresses.
    Cidr(IpNet),
    /// The machines of a firewall group.
    Group(At<S, Id<Firewall>>),
    /// A list of ranges that the cloud keeps, by its identifier.
    PrefixList(String),
    /// A single IPv4 address, which may be another task's output: the address of a NAT gateway.
    Address(At<S, String>),
}
