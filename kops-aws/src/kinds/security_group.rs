//! Security groups.

use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::Vpc;
use crate::tags::Tags;

/// A group of network interfaces that share rules; its name is the task's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct SecurityGroup<S: Stage = Open> {
    /// The VPC.
    pub vpc: At<S, Id<Vpc>>,
    /// What it is for, in words.
    pub description: String,
    /// Tags beyond those of ownership.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for SecurityGroup {
    const KIND: &'static str = "SecurityGroup";
    type Resolved = SecurityGroup<Closed>;
}
