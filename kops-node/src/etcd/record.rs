//! The record of a member in the state store, `control-plane/<member>`: its address, and how it was first
//! started.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Began;
use crate::error::{Error, Result};
use crate::store::{Precondition, Store};

/// A member's record. Only the machine that has the member's disk writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The cloud's id of the machine.
    pub instance: String,
    /// Its address.
    pub address: String,
    /// When it was written.
    pub since: Timestamp,
    /// How it was first started, by etcd cluster.
    #[serde(default)]
    pub began: BTreeMap<String, Began>,
    /// The last line of `control/restore` that was carried out or begun, by etcd cluster: if a disk is lost
    /// later, an old snapshot must not be restored silently.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub restored: BTreeMap<String, String>,
    /// The disk that it is being restored to, until that is done: on this one alone it may be tried again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub restoring: BTreeMap<String, String>,
}

impl Record {
    /// The key of a member's record.
    pub fn key(member: &str) -> String {
        format!("control-plane/{member}")
    }

    /// A member's record, if it has one.
    ///
    /// # Errors
    /// If the store cannot be read, or the object is not a record.
    pub fn read(store: &dyn Store, member: &str) -> Result<Option<Self>> {
        let Some(object) = store.read(&Self::key(member))? else { return Ok(None) };
        let record = serde_json::from_slice(&object.bytes)
            .map_err(|e| Error::invalid(format!("reading {}", Self::key(member)), e.to_string()))?;
        Ok(Some(record))
    }

    /// Writes a member's record.
    ///
    /// # Errors
    /// If it may not have been written.
    pub fn write(&self, store: &dyn Store, member: &str) -> Result<()> {
        let bytes = serde_json::to_vec(self)
            .map_err(|e| Error::invalid(format!("writing {}", Self::key(member)), e.to_string()))?;
        store.write(&Self::key(member), &bytes, Precondition::None).map(drop)
    }
}
