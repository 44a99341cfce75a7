//! Google Cloud-specific settings, as typed extensions of the agnostic kinds.

use std::collections::{BTreeMap, BTreeSet};

use kops_core::resource::Extension;
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
}

impl Extension for GceInstanceGroup {
    const NAME: &'static str = "gce/InstanceGroup";
}

/// Extends an [`Identity`](kops_core::resource::Identity).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GceIdentity {
    /// Additional roles in the project: `roles/artifactregistry.reader`.
    pub roles: BTreeSet<String>,
}

impl Extension for GceIdentity {
    const NAME: &'static str = "gce/Identity";
}
