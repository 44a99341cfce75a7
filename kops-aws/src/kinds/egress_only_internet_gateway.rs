//! Egress-only internet gateways.

use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::Vpc;
use crate::tags::Tags;

/// Lets machines of a VPC open IPv6 connections to the internet, and nobody in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct EgressOnlyInternetGateway<S: Stage = Open> {
    /// The VPC.
    pub vpc: At<S, Id<Vpc>>,
    /// Tags beyond those of ownership.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for EgressOnlyInternetGateway {
    const KIND: &'static str = "EgressOnlyInternetGateway";
    type Resolved = EgressOnlyInternetGateway<Closed>;
}
