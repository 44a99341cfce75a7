//! The rules of security groups.

use std::collections::BTreeSet;

use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Direction, Ports, Protocol, Resource};
use serde::{Deserialize, Serialize};

use super::SecurityGroup;

/// The rules of one security group that are the scope's; those of others are neither shown nor removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct SecurityGroupRules<S: Stage = Open> {
    /// The group.
    pub group: At<S, Id<SecurityGroup>>,
    /// What is allowed.
    pub rules: BTreeSet<SecurityGroupRule<S>>,
}

/// Something that is allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct SecurityGroupRule<S: Stage = Open> {
    /// Into the group's interfaces or out of them.
    pub direction: Direction,
    /// Which protocol.
    pub protocol: Protocol,
    /// Which ports of the receiver, or which type and code of ICMP; `None` is all.
    pub ports: Option<Ports>,
    /// The other side.
    pub peer: RulePeer<S>,
}

/// The other side of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum RulePeer<S: Stage = Open> {
    /// A range of addresses, in the form that AWS shows it in: without bits set behind the prefix.
    Cidr(At<S, String>),
    /// The interfaces of a security group.
    Group(At<S, Id<SecurityGroup>>),
    /// A managed prefix list, by its identifier.
    PrefixList(String),
}

impl Resource for SecurityGroupRules {
    const KIND: &'static str = "SecurityGroupRules";
    type Resolved = SecurityGroupRules<Closed>;
}
