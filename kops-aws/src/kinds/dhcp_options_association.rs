//! Which DHCP options a VPC has.

use kops_core::graph::{Closed, Id, Open, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::{DhcpOptions, Vpc};

/// Gives a VPC its DHCP options; without one, it has the region's default ones.
///
/// It carries no tags: it is the scope's when both ends are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct DhcpOptionsAssociation<S: Stage = Open> {
    /// The VPC.
    pub vpc: At<S, Id<Vpc>>,
    /// Its options.
    pub options: At<S, Id<DhcpOptions>>,
}

impl Resource for DhcpOptionsAssociation {
    const KIND: &'static str = "DhcpOptionsAssociation";
    type Resolved = DhcpOptionsAssociation<Closed>;
}
