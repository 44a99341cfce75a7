//! What a member says of itself in the state store, `control-plane/<member>`: where it is, and how it began.

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
    /// The machine, by the cloud's id.
    pub instance: String,
    /// Its address.
    pub address: String,
    /// Since when.
    pub since: Timestamp,
    /// How it began, by cluster of etcd.
    #[serde(default)]
    pub began: BTreeMap<String, Began>,
}

impl Record {
    /// The key of a member's record.
    pub fn key(member: &str) -> String {
        format!("control-plane/{member}")
    }

    /// A member's record, if it has one.
    ///
    /// # Errors
    /// When the store does not say, or it is no record.
    pub fn read(store: &dyn Store, member: &str) -> Result<Option<Self>> {
        let Some(object) = store.read(&Self::key(member))? else { return Ok(None) };
        let record = serde_json::from_slice(&object.bytes)
            .map_err(|e| Error::invalid(format!("reading {}", Self::key(member)), e.to_string()))?;
        Ok(Some(record))
    }

    /// Writes a member's record.
    ///
    /// # Errors
    /// When it may not have been written.
    pub fn write(&self, store: &dyn Store, member: &str) -> Result<()> {
        let bytes = serde_json::to_vec(self)
            .map_err(|e| Error::invalid(format!("writing {}", Self::key(member)), e.to_string()))?;
        store.write(&Self::key(member), &bytes, Precondition::None).map(drop)
    }
}
