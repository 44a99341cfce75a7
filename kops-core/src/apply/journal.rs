//! The intent log: how objects are found again that carry neither a name nor a mark.
//!
//! Before such an object is created, the engine writes down for which task, what it will be like, and which
//! objects exist that are alike; afterwards, what its identifier is. After a crash in between, whatever is
//! alike and was not there before is ours.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::graph::Key;
use crate::{Error, ErrorKind, Result};

/// Something that was intended, and perhaps done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// What tells the entry from others in the log.
    pub entry: String,
    /// The task.
    pub key: Key,
    /// A digest of what the object shall be like.
    pub digest: String,
    /// The identifiers of the objects that were alike already.
    pub existing: Vec<String>,
    /// The identifier of the object, once it is known.
    pub id: Option<String>,
}

/// An append-only log of intents, kept outside the cloud that it is about.
///
/// # Behavior
/// - When a method returns `Ok`, what it wrote survives a crash.
#[async_trait]
pub trait IntentLog: fmt::Debug + Send + Sync {
    /// All entries, oldest first.
    async fn entries(&self) -> Result<Vec<Intent>>;
    /// Writes an intent and returns its entry.
    async fn intend(&self, key: &Key, digest: &str, existing: &[String]) -> Result<String>;
    /// Writes down the identifier of what was intended in `entry`.
    async fn done(&self, entry: &str, id: &str) -> Result<()>;
    /// Drops an entry: its object is gone, or was never made.
    async fn forget(&self, entry: &str) -> Result<()>;
}

/// For clouds whose objects all carry a name or a mark: remembers nothing and refuses to.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoJournal;

#[async_trait]
impl IntentLog for NoJournal {
    async fn entries(&self) -> Result<Vec<Intent>> {
        Ok(Vec::new())
    }

    async fn intend(&self, key: &Key, _: &str, _: &[String]) -> Result<String> {
        Err(Error::new(ErrorKind::Unsupported, "objects of this kind cannot be found again after a crash")
            .task(key)
            .hint("give the engine a journal: Engine::journal"))
    }

    async fn done(&self, _: &str, _: &str) -> Result<()> {
        Ok(())
    }

    async fn forget(&self, _: &str) -> Result<()> {
        Ok(())
    }
}
