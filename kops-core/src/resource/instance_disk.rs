//! Disks that belong to a machine.

use serde::{Deserialize, Serialize};

use crate::setters;

/// A disk of a machine: its system disk, or an additional one.
///
/// A disk that outlives machines, and is attached by the machine that needs it, is a [`Volume`](super::Volume).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InstanceDisk {
    /// The size in GiB; `0` for the disk that is included in a machine type, on clouds with such types.
    pub size_gib: u32,
    /// The disk type, as named by the cloud; the cloud's default if `None`.
    pub disk_type: Option<String>,
    /// The provisioned operations per second, for types with that option.
    pub iops: Option<u32>,
    /// The provisioned throughput in MiB/s, for types with that option.
    pub throughput_mibps: Option<u32>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The encryption key; the account's default if `None`.
    pub kms_key: Option<String>,
    /// Whether it is kept when the machine is deleted.
    #[serde(default)]
    pub keep: bool,
}

impl Default for InstanceDisk {
    /// 20 GiB, which is enough for a typical image of a Linux distribution.
    fn default() -> Self {
        Self::new(20)
    }
}

impl InstanceDisk {
    /// A disk of the cloud's default type.
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
        /// Sets the disk type, as named by the cloud.
        text disk_type;
        /// Sets the provisioned operations per second.
        option iops: u32;
        /// Sets the provisioned throughput in MiB/s.
        option throughput_mibps: u32;
        /// Sets whether it is encrypted.
        set encrypted: bool;
        /// Sets the encryption key.
        text kms_key;
        /// Sets whether it is kept when the machine is deleted.
        set keep: bool;
    }
}
