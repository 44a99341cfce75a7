//! Groups of like machines.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    At, Extensions, Firewall, Identity, LoadBalancer, MachineOptions, Resource, RootVolume, SshKey, Subnet,
};
use crate::graph::{Closed, Id, Open, Secret, Stage};

/// A group of like machines that the cloud keeps at a size.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct InstanceGroup<S: Stage = Open> {
    /// The subnets its machines are spread over.
    pub subnets: BTreeSet<At<S, Id<Subnet>>>,
    /// The zones its machines are spread over, where subnets span the zones; otherwise empty, the subnets say.
    #[serde(default)]
    pub zones: BTreeSet<String>,
    /// The image, by identifier or by a name that the provider resolves.
    pub image: String,
    /// The machine type, as the cloud names it.
    pub machine_type: String,
    /// The fewest machines.
    pub min: u32,
    /// The most machines.
    pub max: u32,
    /// The firewalls around each machine.
    pub firewalls: BTreeSet<At<S, Id<Firewall>>>,
    /// What its machines may do in the cloud.
    pub identity: Option<At<S, Id<Identity>>>,
    /// Who may log in.
    pub ssh_key: Option<At<S, Id<SshKey>>>,
    /// What a machine runs at first boot, plain (not encoded).
    pub user_data: Option<At<S, Secret>>,
    /// The machines' system disks.
    pub root_volume: RootVolume,
    /// Further disks, by device name.
    pub volumes: BTreeMap<String, RootVolume>,
    /// The load balancers that its machines are behind.
    pub load_balancers: BTreeSet<At<S, Id<LoadBalancer>>>,
    /// Further switches of the machines.
    pub options: MachineOptions,
    /// Machines that the cloud may take back, cheaper.
    pub spot: Option<SpotOptions>,
    /// Labels beyond those of ownership.
    pub labels: BTreeMap<String, String>,
    /// What only one provider understands.
    #[serde(default, skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

impl Resource for InstanceGroup {
    const KIND: &'static str = "InstanceGroup";
    type Resolved = InstanceGroup<Closed>;
}

/// On what terms machines may be taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpotOptions {
    /// The most to pay for a machine and hour, in the cloud's currency; the list price when `None`.
    pub max_price: Option<String>,
}
