//! Google Cloud-specific settings, as typed extensions of the agnostic kinds.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use kops_core::resource::Extension;
use kops_core::setters;
use serde::{Deserialize, Serialize};

/// Extends an [`InstanceGroup`](kops_core::resource::InstanceGroup).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GceInstanceGroup {
    /// Accelerators of each machine, by type, with their number: `nvidia-tesla-t4` → 1.
    pub accelerators: BTreeMap<String, u32>,
    /// Whether user data is a script for Google's guest agent (metadata `startup-script`, run on every boot)
    /// rather than for cloud-init (`user-data`): for images without cloud-init, such as Google's Debian
    /// images.
    pub startup_script: bool,
    /// Additional network tags of its machines.
    pub tags: BTreeSet<String>,
    /// Addresses of pods that Google routes to their machines; routes, if there are any, are made by others if `None`.
    pub pods: Option<PodRanges>,
}

/// Secondary ranges of the subnet, from which machines have addresses for pods:
/// <https://cloud.google.com/vpc/docs/alias-ip>.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PodRanges {
    /// The range of pods, of which each machine gets a /24.
    pub pods: IpNet,
    /// The range of services, reserved so that nothing else in the network uses it.
    pub services: Option<IpNet>,
}

impl PodRanges {
    /// A range of pods, without one of services.
    pub fn new(pods: IpNet) -> Self {
        Self { pods, services: None }
    }

    setters! {
        /// Sets the range of services.
        option services: IpNet;
    }
}

impl Extension for GceInstanceGroup {
    const NAME: &'static str = "gce/InstanceGroup";
}

/// Extends an [`Identity`](kops_core::resource::Identity).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct GceIdentity {
    /// Additional roles in the project: `roles/artifactregistry.reader`.
    pub roles: BTreeSet<String>,
}

impl GceIdentity {
    setters! {
        /// Adds roles in the project.
        texts roles;
    }
}

impl Extension for GceIdentity {
    const NAME: &'static str = "gce/Identity";
}
