//! Machine types.

use std::collections::BTreeSet;

use kops_core::resource::Resource;
use serde::{Deserialize, Serialize};

/// A machine type; looked up by its name, which is its identifier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceType {
    /// Virtual processors.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory: u64,
    /// The processors it has: `x86_64`, `arm64`.
    pub architectures: BTreeSet<String>,
}

impl Resource for InstanceType {
    const KIND: &'static str = "InstanceType";
    type Resolved = Self;
}
