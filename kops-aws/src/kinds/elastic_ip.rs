//! Elastic addresses.

use kops_core::resource::{Output, Resource};
use serde::{Deserialize, Serialize};

use crate::tags::Tags;

/// A public IPv4 address of the account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ElasticIp {
    /// Tags beyond those of ownership.
    #[serde(default)]
    pub tags: Tags,
}

impl ElasticIp {
    /// The address, in dotted form.
    pub const IP: Output<Self, String> = Output::new("ip");
}

impl Resource for ElasticIp {
    const KIND: &'static str = "ElasticIp";
    type Resolved = Self;
}
