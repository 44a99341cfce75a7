//! VPCs.

use ipnet::IpNet;
use kops_core::graph::{Id, Setting};
use kops_core::resource::{Output, Resource};
use serde::{Deserialize, Serialize};

use crate::tags::Tags;

/// A private network.
///
/// With it AWS makes a main route table, a network ACL and a default security group; they are left as they
/// are and go with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vpc {
    /// The first address range; further ones are [`VpcCidrBlock`](super::VpcCidrBlock)s.
    pub cidr: IpNet,
    /// Whether AWS assigns a public IPv6 range.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub ipv6: Setting<bool>,
    /// Whether AWS's name server answers in the network.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub dns_support: Setting<bool>,
    /// Whether machines with public addresses get public names; needs `dns_support`.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub dns_hostnames: Setting<bool>,
    /// Tags beyond those of ownership.
    #[serde(default)]
    pub tags: Tags,
}

impl Vpc {
    /// The public IPv6 range, once AWS has assigned one.
    pub const IPV6_CIDR: Output<Self, IpNet> = Output::new("ipv6_cidr");
    /// The default security group.
    pub const DEFAULT_SECURITY_GROUP: Output<Self, Id<super::SecurityGroup>> =
        Output::new("default_security_group");

    /// A network with AWS's defaults.
    pub fn new(cidr: IpNet) -> Self {
        Self {
            cidr,
            ipv6: Setting::Unmanaged,
            dns_support: Setting::Unmanaged,
            dns_hostnames: Setting::Unmanaged,
            tags: Tags::new(),
        }
    }
}

impl Resource for Vpc {
    const KIND: &'static str = "Vpc";
    type Resolved = Self;
}
