//! Which route table a subnet has.

use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::{Ec2Subnet, RouteTable};

/// Gives a subnet its route table; without one, it has the VPC's main one.
///
/// It carries no tags: it is the scope's when its subnet is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct RouteTableAssociation<S: Stage = Open> {
    /// The subnet.
    pub subnet: At<S, Id<Ec2Subnet>>,
    /// Its table.
    pub table: At<S, Id<RouteTable>>,
}

impl Resource for RouteTableAssociation {
    const KIND: &'static str = "RouteTableAssociation";
    type Resolved = RouteTableAssociation<Closed>;
}
