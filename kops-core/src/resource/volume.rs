//! Disks that outlive machines.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Resource;

/// A disk in a zone, attached by whoever finds it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    /// The zone.
    pub zone: String,
    /// Size in GiB. Disks grow; they do not shrink.
    pub size: u32,
    /// The cloud's name of the disk type; the provider's choice when `None`.
    pub volume_type: Option<String>,
    /// Provisioned operations a second, for types that have such.
    pub iops: Option<u32>,
    /// Provisioned throughput in MiB/s, for types that have such.
    pub throughput: Option<u32>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The key it is encrypted with; the account's default when `None`.
    pub kms_key: Option<String>,
    /// Labels beyond those of ownership.
    pub labels: BTreeMap<String, String>,
}

impl Resource for Volume {
    const KIND: &'static str = "Volume";
    type Resolved = Self;
}
