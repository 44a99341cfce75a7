//! Networks.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Resource;
use crate::setters;

/// A private network: a VPC, a VNet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Network {
    /// Its CIDRs; the first is the primary one.
    pub cidrs: Vec<IpNet>,
    /// Whether the cloud also assigns a public IPv6 CIDR.
    pub ipv6: bool,
}

impl Network {
    /// A network with these CIDRs; the first is the primary one.
    ///
    /// ```
    /// use kops_core::resource::Network;
    ///
    /// let network = Network::new(["10.0.0.0/16".parse()?]).ipv6(true);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(cidrs: impl IntoIterator<Item = IpNet>) -> Self {
        Self { cidrs: cidrs.into_iter().collect(), ipv6: false }
    }

    setters! {
        /// Sets whether the cloud also assigns a public IPv6 CIDR.
        set ipv6: bool;
    }
}

impl Resource for Network {
    const KIND: &'static str = "Network";
    type Resolved = Self;
}
