//! Disks that come and go with machines.

use serde::{Deserialize, Serialize};

use crate::setters;

/// A disk of a machine: its system disk, or a further one.
///
/// One that outlives machines, and is attached by whoever finds it, is a [`Volume`](super::Volume).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InstanceDisk {
    /// Size in GiB; `0` for the disk that a machine type brings along, on clouds where it does.
    pub size_gib: u32,
    /// The cloud's name of the disk type; the cloud's choice when `None`.
    pub disk_type: Option<String>,
    /// Provisioned operations a second, for types that have such.
    pub iops: Option<u32>,
    /// Provisioned throughput in MiB/s, for types that have such.
    pub throughput_mibps: Option<u32>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The key it is encrypted with; the account's default when `None`.
    pub kms_key: Option<String>,
    /// Whether it outlives the machine.
    #[serde(default)]
    pub keep: bool,
}

impl Default for InstanceDisk {
    /// 20 GiB, which holds the usual image of a Linux distribution.
    fn default() -> Self {
        Self::new(20)
    }
}

impl InstanceDisk {
    /// A disk of the cloud's choice.
    ///
    /// ```
    /// use kops_core::resource::InstanceDisk;
    ///
    /// let disk = InstanceDisk::new(64).disk_type("gp3").iops(4000).throughput_mibps(250).encrypted(true);
    /// assert_eq!(disk.size_gib, 64);
    /// ```
    pub fn new(size_gib: u32) -> Self {
        Self {
            size_gib,
            disk_type: None,
            iops: None,
            throughput_mibps: None,
            encrypted: false,
            kms_key: None,
            keep: false,
        }
    }

    setters! {
        /// Sets the size in GiB.
        set size_gib: u32;
        /// Sets the disk type, as the cloud names it.
        text disk_type;
        /// Sets the provisioned operations a second.
        option iops: u32;
        /// Sets the provisioned throughput in MiB/s.
        option throughput_mibps: u32;
        /// Sets whether it is encrypted.
        set encrypted: bool;
        /// Sets the key it is encrypted with.
        text kms_key;
        /// Sets whether it outlives the machine.
        set keep: bool;
    }
}
