//! The state of a member that a machine keeps across reboots.

use serde::{Deserialize, Serialize};

use super::{ClusterId, MemberId};
use crate::error::{Error, Result};
use crate::machine::{Host, WORK};

/// The state that this machine keeps: the marker is never removed, and only this machine writes the record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// The marker, once it has been read.
    #[serde(default)]
    pub marker: Option<ClusterId>,
    /// The member that was last started on this machine.
    #[serde(default)]
    pub member: Option<MemberId>,
    /// The disk that it was started with.
    #[serde(default)]
    pub disk: String,
    /// The data directory.
    #[serde(default)]
    pub data: String,
}

impl Memory {
    /// The file of a cluster of etcd.
    pub fn file(cluster: &str) -> String {
        format!("{WORK}/etcd-{cluster}.json")
    }

    /// Reads the state; empty on a new machine.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(host: &dyn Host, cluster: &str) -> Result<Self> {
        let bytes = host.read(&Self::file(cluster))?.unwrap_or_default();
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    pub(crate) fn write(&self, host: &dyn Host, cluster: &str) -> Result<()> {
        let bytes = serde_json::to_vec(self)
            .map_err(|e| Error::invalid("remembering etcd's member", e.to_string()))?;
        host.write(&Self::file(cluster), &bytes, 0o600).map(drop)
    }
}
