//! Internet gateways.

use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::Vpc;
use crate::tags::Tags;

/// A VPC's door to the internet. A VPC has at most one, so its identifier selects it, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Ec2InternetGateway<S: Stage = Open> {
    /// The VPC it is attached to. A new gateway is attached to none: attaching it is an update.
    pub vpc: Option<At<S, Id<Vpc>>>,
    /// Tags beyond those of ownership.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for Ec2InternetGateway {
    const KIND: &'static str = "Ec2InternetGateway";
    type Resolved = Ec2InternetGateway<Closed>;
}
