//! What a provider can do, as data.

use serde::{Deserialize, Serialize};

/// What a provider can do.
///
/// Each field is named after the thing that can be had, and is `false` or empty when it cannot: a program
/// asks before it offers, and a lowering refuses what is missing before anything is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// NAT gateways.
    pub nat_gateways: bool,
    /// Load balancers on the internet.
    pub public_load_balancers: bool,
    /// Load balancers inside the network.
    pub internal_load_balancers: bool,
    /// DNS zones that the internet sees.
    pub public_dns: bool,
    /// DNS zones that only a network sees.
    pub private_dns: bool,
    /// Firewall rules whose peer is a list of ranges that the cloud keeps.
    pub prefix_lists: bool,
    /// Machines that the cloud may take back.
    pub spot: bool,
    /// Networks with IPv6.
    pub ipv6: bool,
    /// Existing networks and subnets can be used.
    pub shared_networks: bool,
    /// A subnet lies in one zone, so that a cluster wants one in each.
    pub zonal_subnets: bool,
    /// A NAT gateway lies in one zone, so that a cluster wants one in each.
    pub zonal_nat_gateways: bool,
    /// A group can be one machine larger for the time of a replacement.
    pub surge: bool,
}
