//! What only Google Cloud understands, typed.

use std::collections::{BTreeMap, BTreeSet};

use kops_core::resource::Extension;
use serde::{Deserialize, Serialize};

/// Of an instance group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GceInstanceGroup {
    /// Accelerators of each machine, by type and number: `nvidia-tesla-t4` → 1.
    pub accelerators: BTreeMap<String, u32>,
    /// Whether user data is a script for Google's guest agent (metadata `startup-script`, run at every boot)
    /// rather than cloud-init's (`user-data`): for images without cloud-init, such as Google's Debian ones.
    pub startup_script: bool,
    /// Further tags of its machines.
    pub tags: BTreeSet<String>,
}

impl Extension for GceInstanceGroup {
    const NAME: &'static str = "gce/InstanceGroup";
}

/// Of an identity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GceIdentity {
    /// Further roles in the project: `roles/artifactregistry.reader`.
    pub roles: BTreeSet<String>,
}

impl Extension for GceIdentity {
    const NAME: &'static str = "gce/Identity";
}
