//! Leases: only one machine at a time does something.
//!
//! A lease is an object that names its holder and expires. Taking an expired one is a write that is
//! conditional on the version that was read, so two machines cannot both succeed if the store compares
//! versions. On Swift it is only advisory: everything that is done under a lease must be safe to be done by
//! two machines.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Precondition, Store};
use crate::error::{Error, Result};

/// The holder of a lease, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    holder: String,
    expires: Timestamp,
}

/// The state of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nobody holds it.
    Free,
    /// This machine holds it.
    Mine,
    /// This other machine holds it.
    Other(String),
}

/// Leases of one machine.
#[derive(Debug)]
pub struct Leases<'a> {
    /// The store.
    pub store: &'a dyn Store,
    /// This machine.
    pub holder: &'a str,
}

impl Leases<'_> {
    /// The state of the lease.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn look(&self, key: &str, now: Timestamp) -> Result<Held> {
        Ok(self.read(key)?.map_or(Held::Free, |(document, _)| self.held(document, now)))
    }

    /// Takes or renews the lease for this long from now, and returns its state.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn take(&self, key: &str, now: Timestamp, duration: Duration) -> Result<Held> {
        let current = self.read(key)?;
        let version = current.as_ref().map(|(_, version)| version.clone());
        if let Some((document, _)) = current {
            let held = self.held(document, now);
            if matches!(held, Held::Other(_)) {
                return Ok(held);
            }
        }
        let precondition = version.as_deref().map_or(Precondition::Absent, Precondition::Version);
        let mine = Document { holder: self.holder.to_owned(), expires: now + duration };
        if self.store.write(key, &serialise(&mine)?, precondition)? {
            Ok(Held::Mine)
        } else {
            self.look(key, now)
        }
    }

    /// Releases the lease if this machine holds it: it expires now. (Machines may not delete it.)
    ///
    /// # Errors
    /// If it may not have been released; it expires by itself then.
    pub fn release(&self, key: &str, now: Timestamp) -> Result<()> {
        let Some((document, version)) = self.read(key)? else { return Ok(()) };
        if document.holder == self.holder && document.expires > now {
            let released = Document { expires: now, ..document };
            self.store.write(key, &serialise(&released)?, Precondition::Version(&version))?;
        }
        Ok(())
    }

    fn read(&self, key: &str) -> Result<Option<(Document, String)>> {
        let Some(object) = self.store.read(key)? else { return Ok(None) };
        let document = serde_json::from_slice(&object.bytes)
            .map_err(|e| Error::invalid(format!("reading the lease {key}"), e.to_string()))?;
        Ok(Some((document, object.version)))
    }

    fn held(&self, document: Document, now: Timestamp) -> Held {
        if document.expires <= now {
            Held::Free
        } else if document.holder == self.holder {
            Held::Mine
        } else {
            Held::Other(document.holder)
        }
    }
}

fn serialise(document: &Document) -> Result<Vec<u8>> {
    serde_json::to_vec(document).map_err(|e| Error::invalid("writing a lease", e.to_string()))
}
