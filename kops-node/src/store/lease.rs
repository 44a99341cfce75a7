//! Leases: one machine at a time does a thing.
//!
//! A lease is an object that names its holder and ends by itself. Taking an expired one is a write on condition of the
//! version that was read, so two cannot both succeed where the store compares versions. On Swift it is a courtesy:
//! whatever is done under a lease must bear that two machines do it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Precondition, Store};
use crate::error::{Error, Result};

/// Who holds a lease, as it is in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    holder: String,
    expires: Timestamp,
}

/// How a lease is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// By nobody.
    Free,
    /// By this machine.
    Mine,
    /// By this other one.
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
    /// How the lease is held.
    ///
    /// # Errors
    /// When the store does not say.
    pub fn look(&self, key: &str, now: Timestamp) -> Result<Held> {
        Ok(self.read(key)?.map_or(Held::Free, |(document, _)| self.held(document, now)))
    }

    /// Takes the lease for so long, or holds on to it for so long from now. Whoever holds it otherwise is the answer.
    ///
    /// # Errors
    /// When the store does not say.
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
    /// When it may not have been released; it expires by itself then.
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
