//! NAT gateways.

use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Output, Resource};
use serde::{Deserialize, Serialize};

use super::{Ec2Subnet, ElasticIp};
use crate::tags::Tags;

/// Lets machines without public addresses open connections to the internet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Ec2NatGateway<S: Stage = Open> {
    /// The public subnet it lives in, whose VPC must have an internet gateway.
    pub subnet: At<S, Id<Ec2Subnet>>,
    /// The address that its machines appear under.
    pub address: At<S, Id<ElasticIp>>,
    /// Tags beyond those of ownership.
    #[serde(default)]
    pub tags: Tags,
}

impl Ec2NatGateway {
    /// The public address, in dotted form.
    pub const PUBLIC_IP: Output<Self, String> = Output::new("public_ip");
}

impl Resource for Ec2NatGateway {
    const KIND: &'static str = "Ec2NatGateway";
    type Resolved = Ec2NatGateway<Closed>;
}
