//! Networks.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Resource;

/// A private network: a VPC, a VNet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Its address ranges; the first is the primary one.
    pub cidrs: Vec<IpNet>,
    /// Whether the cloud also assigns a public IPv6 range.
    pub ipv6: bool,
}

impl Resource for Network {
    const KIND: &'static str = "Network";
    type Resolved = Self;
}
