//! Further address ranges of VPCs.

use ipnet::IpNet;
use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::Vpc;

/// A further IPv4 range of a VPC.
///
/// It carries no tags: those of the scope's own VPCs are the scope's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct VpcCidrBlock<S: Stage = Open> {
    /// The VPC.
    pub vpc: At<S, Id<Vpc>>,
    /// The range.
    pub cidr: IpNet,
}

impl VpcCidrBlock {
    /// The name of the task for a range, unless it is given another.
    pub(crate) fn name_of(vpc: &str, cidr: IpNet) -> String {
        format!("{vpc}:{cidr}")
    }
}

impl Resource for VpcCidrBlock {
    const KIND: &'static str = "VpcCidrBlock";
    type Resolved = VpcCidrBlock<Closed>;
}
