//! The capabilities of a provider, as data.

use serde::{Deserialize, Serialize};

use crate::setters;

/// The capabilities of a provider.
///
/// Each field is named after a feature, and is `false` if it is not supported: a program checks it before offering
/// the feature, and lowering rejects what is not supported before anything is created.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Capabilities {
    /// NAT gateways.
    pub nat_gateways: bool,
    /// Load balancers on the internet.
    pub public_load_balancers: bool,
    /// Load balancers inside the network.
    pub internal_load_balancers: bool,
    /// Public DNS zones.
    pub public_dns: bool,
    /// Private DNS zones, visible in a network only.
    pub private_dns: bool,
    /// Firewall rules whose peer is a list of CIDRs managed by the cloud.
    pub prefix_lists: bool,
    /// Spot machines, which the cloud may reclaim.
    pub spot: bool,
    /// Networks with IPv6.
    pub ipv6: bool,
    /// Use of existing networks and subnets.
    pub shared_networks: bool,
    /// A subnet is in one zone, so a graph needs one for each.
    pub zonal_subnets: bool,
    /// A NAT gateway is in one zone, so a graph needs one for each.
    pub zonal_nat_gateways: bool,
    /// A group can temporarily have one more machine during a replacement.
    pub surge: bool,
}

impl Capabilities {
    /// No capabilities.
    ///
    /// ```
    /// use kops_core::cloud::Capabilities;
    ///
    /// let capabilities = Capabilities::new().public_dns(true).zonal_subnets(true);
    /// assert!(capabilities.public_dns && !capabilities.private_dns);
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// Sets [`nat_gateways`](Self#structfield.nat_gateways).
        set nat_gateways: bool;
        /// Sets [`public_load_balancers`](Self#structfield.public_load_balancers).
        set public_load_balancers: bool;
        /// Sets [`internal_load_balancers`](Self#structfield.internal_load_balancers).
        set internal_load_balancers: bool;
        /// Sets [`public_dns`](Self#structfield.public_dns).
        set public_dns: bool;
        /// Sets [`private_dns`](Self#structfield.private_dns).
        set private_dns: bool;
        /// Sets [`prefix_lists`](Self#structfield.prefix_lists).
        set prefix_lists: bool;
        /// Sets [`spot`](Self#structfield.spot).
        set spot: bool;
        /// Sets [`ipv6`](Self#structfield.ipv6).
        set ipv6: bool;
        /// Sets [`shared_networks`](Self#structfield.shared_networks).
        set shared_networks: bool;
        /// Sets [`zonal_subnets`](Self#structfield.zonal_subnets).
        set zonal_subnets: bool;
        /// Sets [`zonal_nat_gateways`](Self#structfield.zonal_nat_gateways).
        set zonal_nat_gateways: bool;
        /// Sets [`surge`](Self#structfield.surge).
        set surge: bool;
    }
}
