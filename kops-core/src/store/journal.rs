//! The journal: creations of objects that could not be found again otherwise.
//!
//! Most objects of a cloud can be found again after a crash: by a unique name, by tags set on creation, or by an
//! idempotency token. A few have none of these ([`IdentityClass::Journal`](crate::cloud::IdentityClass::Journal)).
//! Before such an object is created, an *intent* is written: the task, the content, and the existing objects of the
//! kind. Once the creation has succeeded, the object's identifier is added. After a crash in between, an object with
//! the intended content that is not among the existing ones is the one that was created.
//!
//! Each intent is a small object of the store, which is only written conditionally, so after a crash at any
//! point an intent is either not written, open, or done. Its name is derived from its content: recording the
//! same intent again, such as after a lost response, has no effect. For a scope without such objects, the
//! journal is empty and costs one listing.
//!
//! ```
//! use kops_core::store::{IntentLog, Journal};
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let journal = Journal::in_memory();
//! let intent = journal.intend("Port/api", "3f7a…", &["port-1".to_owned()]).await?;
//! // … create it; a crash here leaves the intent open …
//! journal.done(&intent, "port-2").await?;
//!
//! let entries = journal.entries().await?;
//! assert_eq!(entries[0].key(), "Port/api");
//! assert_eq!(entries[0].object(), Some("port-2"));
//!
//! journal.forget("port-2").await?; // it was deleted
//! assert!(journal.entries().await?.is_empty());
//! # Ok::<(), kops_core::Error>(()) }).unwrap();
//! ```

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{
    MemoryStore, Precondition, Prefix, StateStore, StateStoreExt as _, StoreKey, StoredObject, Version,
};
use crate::digest::Hasher;
use crate::{Error, ErrorKind, Result};

/// Records intents: the part of a [`Journal`] that the engine needs.
#[async_trait]
pub trait IntentLog: fmt::Debug + Send + Sync {
    /// Records that an object with this content is about to be created for the task `key`, in addition to the
    /// `existing` objects of its kind.
    ///
    /// # Behavior
    /// - Once this returns, the intent survives a crash.
    /// - Recording the same intent again returns the same intent, open.
    async fn intend(&self, key: &str, content_digest: &str, existing: &[String]) -> Result<Intent>;

    /// Records the object that was created for an intent.
    ///
    /// # Behavior
    /// - Recording the same object again succeeds.
    /// - Recording another object, or one for an abandoned intent, is a `Conflict`.
    async fn done(&self, intent: &Intent, object: &str) -> Result<()>;

    /// Removes an intent for which nothing was created.
    ///
    /// # Behavior
    /// - Abandoning an intent that no longer exists succeeds.
    /// - Abandoning an intent that was completed in the meantime is a `Conflict`.
    async fn abandon(&self, intent: &Intent) -> Result<()>;

    /// Removes all records of an object that was deleted.
    ///
    /// # Behavior
    /// - Forgetting an unknown object succeeds.
    async fn forget(&self, object: &str) -> Result<()>;

    /// All intents, open and done, in no particular order.
    async fn entries(&self) -> Result<Vec<Intent>>;
}

/// The record of a creation that was intended, or done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    at: StoreKey,
    version: Version,
    record: Record,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    key: String,
    digest: String,
    existing: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<String>,
}

impl Intent {
    /// The key of the object's task.
    pub fn key(&self) -> &str {
        &self.record.key
    }

    /// The digest of the object's intended content.
    pub fn content_digest(&self) -> &str {
        &self.record.digest
    }

    /// The objects of the kind that existed before.
    pub fn existing(&self) -> &[String] {
        &self.record.existing
    }

    /// The object that was created; `None` while that is not known.
    pub fn object(&self) -> Option<&str> {
        self.record.object.as_deref()
    }
}

/// The journal of one scope, in a state store.
#[derive(Clone, Debug)]
pub struct Journal {
    store: Arc<dyn StateStore>,
    prefix: Prefix,
}

impl Journal {
    /// The journal under a prefix of a store.
    pub fn new(store: Arc<dyn StateStore>, prefix: Prefix) -> Self {
        Self { store, prefix }
    }

    /// A journal in memory: for clouds that are in memory, too.
    pub fn in_memory() -> Self {
        Self::new(Arc::new(MemoryStore::new()), Prefix::root())
    }

    async fn write(&self, at: &StoreKey, record: &Record, condition: Precondition) -> Result<Version> {
        let bytes = serde_json::to_vec_pretty(record)
            .map_err(|error| Error::internal("an intent cannot be serialised").with_source(error))?;
        self.store.put(at, bytes, condition).await
    }

    fn parse(&self, at: StoreKey, object: &StoredObject) -> Result<Intent> {
        let record = serde_json::from_slice(&object.bytes).map_err(|error| {
            Error::invalid(format!("{}/{at} is not an intent in a supported format", self.store.location()))
                .with_hint("use the program that wrote it")
                .with_source(error)
        })?;
        Ok(Intent { at, version: object.version.clone(), record })
    }

    async fn read(&self, at: &StoreKey) -> Result<Option<Intent>> {
        self.store.get(at).await?.map(|object| self.parse(at.clone(), &object)).transpose()
    }
}

#[async_trait]
impl IntentLog for Journal {
    async fn intend(&self, key: &str, content_digest: &str, existing: &[String]) -> Result<Intent> {
        let mut existing = existing.to_vec();
        existing.sort();
        let mut name = Hasher::default();
        name.text(key).text(content_digest);
        for object in &existing {
            name.text(object);
        }
        let at = self.prefix.key(&name.finish())?;
        let record =
            Record { key: key.to_owned(), digest: content_digest.to_owned(), existing, object: None };
        let version = match self.write(&at, &record, Precondition::Absent).await {
            Err(error) if error.kind() == ErrorKind::Conflict => match self.read(&at).await? {
                Some(same) if same.object().is_none() => return Ok(same),
                // The object created earlier is not among the existing ones: it is gone, and another one has to be
                // created.
                Some(done) => self.write(&at, &record, Precondition::Match(done.version)).await?,
                None => self.write(&at, &record, Precondition::Absent).await?,
            },
            outcome => outcome?,
        };
        Ok(Intent { at, version, record })
    }

    async fn done(&self, intent: &Intent, object: &str) -> Result<()> {
        let record = Record { object: Some(object.to_owned()), ..intent.record.clone() };
        match self.write(&intent.at, &record, Precondition::Match(intent.version.clone())).await {
            // As after a lost response.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let now = self.read(&intent.at).await?;
                if now.is_some_and(|now| now.record == record) { Ok(()) } else { Err(error) }
            }
            outcome => outcome.map(drop),
        }
    }

    async fn abandon(&self, intent: &Intent) -> Result<()> {
        match self.store.delete(&intent.at, Some(&intent.version)).await {
            Err(error) if error.kind() == ErrorKind::Conflict && self.read(&intent.at).await?.is_none() => {
                Ok(())
            }
            outcome => outcome,
        }
    }

    async fn forget(&self, object: &str) -> Result<()> {
        for entry in self.entries().await? {
            if entry.object() == Some(object) {
                self.abandon(&entry).await?;
            }
        }
        Ok(())
    }

    async fn entries(&self) -> Result<Vec<Intent>> {
        let keys = self.store.list(&self.prefix, None).await?.into_iter().map(|entry| entry.key).collect();
        let objects = self.store.get_all(keys).await?;
        objects.into_iter().map(|(at, object)| self.parse(at, &object)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FaultyStore, StoreFault};

    fn journal(store: &FaultyStore) -> Journal {
        Journal::new(Arc::new(store.clone()), Prefix::new(".kops/x/journal").unwrap())
    }

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    #[tokio::test]
    async fn an_intent_outlives_its_writer() {
        let store = FaultyStore::default();
        let intent = journal(&store).intend("Port/api", "d1", &ids(&["b", "a"])).await.unwrap();
        let found = journal(&store).entries().await.unwrap();
        assert_eq!(found, std::slice::from_ref(&intent));
        assert_eq!((found[0].key(), found[0].content_digest(), found[0].object()), ("Port/api", "d1", None));
        assert_eq!(found[0].existing(), ["a", "b"]);
        journal(&store).done(&found[0], "c").await.unwrap();
        assert_eq!(journal(&store).entries().await.unwrap()[0].object(), Some("c"));
        // The first one finds it done, by itself or the other one.
        journal(&store).done(&intent, "c").await.unwrap();
        assert_eq!(journal(&store).done(&intent, "d").await.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(journal(&store).abandon(&intent).await.unwrap_err().kind(), ErrorKind::Conflict);
    }

    #[tokio::test]
    async fn the_same_intent_is_written_once() {
        let store = FaultyStore::default();
        let journal = journal(&store);
        store.script([StoreFault::LoseAnswer]);
        assert_eq!(journal.intend("A/1", "d", &[]).await.unwrap_err().kind(), ErrorKind::Unavailable);
        let again = journal.intend("A/1", "d", &[]).await.unwrap();
        for (key, digest, existing) in
            [("A/2", "d", ids(&[])), ("A/1", "e", ids(&[])), ("A/1", "d", ids(&["x"]))]
        {
            journal.intend(key, digest, &existing).await.unwrap();
        }
        assert_eq!(journal.entries().await.unwrap().len(), 4);

        // Once done, it can be recorded again, because the created object is gone.
        store.script([StoreFault::LoseAnswer]);
        assert!(journal.done(&again, "x").await.is_err());
        journal.done(&again, "x").await.unwrap();
        assert_eq!(journal.intend("A/1", "d", &[]).await.unwrap().object(), None);
    }

    #[tokio::test]
    async fn what_is_gone_is_forgotten() {
        let store = FaultyStore::default();
        let journal = journal(&store);
        let one = journal.intend("A/1", "d", &[]).await.unwrap();
        let two = journal.intend("A/2", "d", &[]).await.unwrap();
        let three = journal.intend("A/3", "d", &[]).await.unwrap();
        journal.done(&one, "x").await.unwrap();
        journal.done(&two, "y").await.unwrap();
        journal.forget("x").await.unwrap();
        journal.forget("x").await.unwrap();
        store.script([StoreFault::LoseAnswer]);
        assert!(journal.abandon(&three).await.is_err());
        journal.abandon(&three).await.unwrap();
        let left = journal.entries().await.unwrap();
        assert_eq!(left.iter().map(Intent::key).collect::<Vec<_>>(), ["A/2"]);
    }

    #[tokio::test]
    async fn an_empty_journal_costs_one_list() {
        let store = FaultyStore::default();
        journal(&store).entries().await.unwrap();
        assert_eq!(store.calls(), ["list .kops/x/journal/"]);
    }

    #[tokio::test]
    async fn what_is_no_intent_is_named() {
        let store = FaultyStore::default();
        let at = StoreKey::new(".kops/x/journal/odd").unwrap();
        store.put(&at, b"?".to_vec(), Precondition::Any).await.unwrap();
        let error = journal(&store).entries().await.unwrap_err().to_string();
        assert!(error.contains(".kops/x/journal/odd is not an intent"), "{error}");
    }
}
