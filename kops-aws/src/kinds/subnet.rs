//! Subnets.

use ipnet::IpNet;
use kops_core::graph::{Closed, Id, Open, Setting, Stage};
use kops_core::resource::{At, Resource};
use serde::{Deserialize, Serialize};

use super::{AvailabilityZone, Vpc};
use crate::tags::Tags;

/// A part of a VPC in one zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Ec2Subnet<S: Stage = Open> {
    /// The VPC.
    pub vpc: At<S, Id<Vpc>>,
    /// Its address range, inside the VPC's.
    pub cidr: IpNet,
    /// The zone.
    pub zone: At<S, Id<AvailabilityZone>>,
    /// Whether machines get a public address unless they say otherwise.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub map_public_ip: Setting<bool>,
    /// Whether machines are called after their identifier (`i-0123….ec2.internal`) rather than their address.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub resource_names: Setting<bool>,
    /// Whether AWS's name server answers for names made of machines' identifiers.
    #[serde(default, skip_serializing_if = "Setting::is_unmanaged")]
    pub resource_name_records: Setting<bool>,
    /// Tags beyond those of ownership.
    #[serde(default)]
    pub tags: Tags,
}

impl Resource for Ec2Subnet {
    const KIND: &'static str = "Ec2Subnet";
    type Resolved = Ec2Subnet<Closed>;
}
