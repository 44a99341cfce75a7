//! Single machines, and what machines share with groups of machines.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{At, Firewall, Identity, Output, Resource, SshKey, Subnet};
use crate::graph::{Closed, Id, Open, Secret, Stage};

/// A single machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Instance<S: Stage = Open> {
    /// The subnet it lives in.
    pub subnet: At<S, Id<Subnet>>,
    /// The image, by identifier or by a name that the provider resolves.
    pub image: String,
    /// The machine type, as the cloud names it.
    pub machine_type: String,
    /// The firewalls around it.
    pub firewalls: BTreeSet<At<S, Id<Firewall>>>,
    /// What it may do in the cloud.
    pub identity: Option<At<S, Id<Identity>>>,
    /// Who may log in.
    pub ssh_key: Option<At<S, Id<SshKey>>>,
    /// What it runs at first boot, plain (not encoded).
    pub user_data: Option<At<S, Secret>>,
    /// Its system disk.
    pub root_volume: RootVolume,
    /// Further switches.
    pub options: MachineOptions,
    /// Labels beyond those of ownership.
    pub labels: BTreeMap<String, String>,
}

impl Instance {
    /// Its address inside the network.
    pub const PRIVATE_IP: Output<Self, String> = Output::new("private_ip");
}

impl Resource for Instance {
    const KIND: &'static str = "Instance";
    const OUTPUTS: &'static [&'static str] = &[Self::PRIVATE_IP.name()];
    type Resolved = Instance<Closed>;
}

/// A machine's system disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootVolume {
    /// Size in GiB.
    pub size: u32,
    /// The cloud's name of the disk type; the cloud's choice when `None`.
    pub volume_type: Option<String>,
    /// Provisioned operations a second, for types that have such.
    pub iops: Option<u32>,
    /// Provisioned throughput in MiB/s, for types that have such.
    pub throughput: Option<u32>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The key it is encrypted with; the account's default when `None`.
    pub kms_key: Option<String>,
    /// Whether it outlives the machine.
    #[serde(default)]
    pub keep: bool,
}

/// Switches of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineOptions {
    /// Whether it gets a public address; the subnet decides when `None`.
    pub public_ip: Option<bool>,
    /// Whether the metadata service answers only to session tokens.
    pub metadata_tokens_required: bool,
    /// How many network hops an answer of the metadata service survives.
    pub metadata_hop_limit: Option<u32>,
    /// Whether metrics come in short intervals.
    pub detailed_monitoring: bool,
}
