//! Disks that outlive machines.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Resource;
use crate::setters;

/// A disk in a zone, attached by the machine that needs it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Volume {
    /// The zone.
    pub zone: String,
    /// The size in GiB. Disks can grow, but not shrink.
    pub size_gib: u32,
    /// The disk type, as named by the cloud; the provider's default if `None`.
    pub volume_type: Option<String>,
    /// The provisioned operations per second, for types with that option.
    pub iops: Option<u32>,
    /// The provisioned throughput in MiB/s, for types with that option.
    pub throughput_mibps: Option<u32>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The encryption key; the account's default if `None`.
    pub kms_key: Option<String>,
    /// Labels, in addition to the marks.
    pub labels: BTreeMap<String, String>,
}

impl Volume {
    /// A disk of the provider's default type in a zone.
    ///
    /// ```
    /// use kops_core::resource::Volume;
    ///
    /// let data = Volume::new("eu-central-1a", 100).volume_type("gp3").throughput_mibps(250).label("app", "shop");
    /// assert_eq!(data.size_gib, 100);
    /// ```
    pub fn new(zone: impl Into<String>, size_gib: u32) -> Self {
        Self { zone: zone.into(), size_gib, ..Self::default() }
    }

    setters! {
        /// Sets the size in GiB.
        set size_gib: u32;
        /// Sets the disk type, as named by the cloud.
        text volume_type;
        /// Sets the provisioned operations per second.
        option iops: u32;
        /// Sets the provisioned throughput in MiB/s.
        option throughput_mibps: u32;
        /// Sets whether it is encrypted.
        set encrypted: bool;
        /// Sets the encryption key.
        text kms_key;
        /// Adds labels.
        extend labels: (String, String);
    }

    /// Adds a label.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }
}

impl Resource for Volume {
    const KIND: &'static str = "Volume";
    type Resolved = Self;
}
