//! Route tables.

use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::Vpc;
use crate::tags::Tags;

/// A set of routes that subnets share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct RouteTable<S: Stage = Open> {
    /// The VPC.
    pub vpc: At<S, Id<Vpc>>,
    /// Tags beyond those of ownership.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for RouteTable {
    const KIND: &'static str = "RouteTable";
    type Resolved = RouteTable<Closed>;
}
