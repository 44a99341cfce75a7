//! Existing networks, as a cloud describes them.

use ipnet::IpNet;

/// An existing network, as the cloud describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExistingNetwork {
    /// Its identifier.
    pub id: String,
    /// Its CIDRs, the primary one first.
    pub cidrs: Vec<IpNet>,
    /// All subnets in it.
    pub subnets: Vec<ExistingSubnet>,
}

/// A subnet of an existing network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExistingSubnet {
    /// Its identifier.
    pub id: String,
    /// Its zone, if subnets are zonal.
    pub zone: Option<String>,
    /// Its CIDR.
    pub cidr: IpNet,
}

impl ExistingNetwork {
    /// A network with its subnets.
    pub fn new(
        id: impl Into<String>,
        cidrs: impl IntoIterator<Item = IpNet>,
        subnets: impl IntoIterator<Item = ExistingSubnet>,
    ) -> Self {
        Self { id: id.into(), cidrs: cidrs.into_iter().collect(), subnets: subnets.into_iter().collect() }
    }
}

impl ExistingSubnet {
    /// A subnet, with its zone if subnets are zonal.
    pub fn new(id: impl Into<String>, zone: Option<String>, cidr: IpNet) -> Self {
        Self { id: id.into(), zone, cidr }
    }
}
