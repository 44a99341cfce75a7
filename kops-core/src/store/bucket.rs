//! State stores in a bucket: the part that is the same for all object stores.

use std::fmt;

use async_trait::async_trait;

use super::{Entry, Place, Precondition, Prefix, StateStore, StoreKey, StoredObject, Version};
use crate::{Error, ErrorKind, Result};

/// The calls of an object store, by the names of objects there. Every implementation is a [`StateStore`].
///
/// # Behavior
/// - Every method makes a single attempt; [`RetryingStore`](super::RetryingStore) retries.
/// - If the bucket is missing, the error is [`Place::missing`], even if the object store does not distinguish it from
///   a missing object.
#[async_trait]
pub trait Bucket: fmt::Debug + Send + Sync {
    /// The bucket, and the part of it that belongs to the store.
    fn place(&self) -> &Place;

    /// Reads an object.
    async fn get_object(&self, object: &str) -> Result<StoredObject, BucketError>;

    /// Writes an object if the condition holds, and returns its new version.
    async fn put_object(
        &self,
        object: &str,
        bytes: Vec<u8>,
        condition: &Precondition,
    ) -> Result<Version, BucketError>;

    /// Deletes an object, optionally only at a version. If it does not exist, the result may be a success or
    /// [`BucketError::NotFound`].
    async fn delete_object(&self, object: &str, expected: Option<&Version>) -> Result<(), BucketError>;

    /// A listing, including all pages.
    async fn list_objects(&self, range: Range<'_>) -> Result<Listing, BucketError>;
}

/// The range of a listing.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Range<'a> {
    /// The common prefix of the names.
    pub prefix: &'a str,
    /// Only objects after this name are needed; returning others is harmless.
    pub after: Option<&'a str>,
    /// Whether objects with a slash after the prefix are combined, as [`Listing::folders`].
    pub folded: bool,
}

/// The result of a listing, in any order.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Listing {
    /// Objects by name, with their versions.
    pub objects: Vec<(String, Version)>,
    /// The names up to the first slash after the prefix.
    pub folders: Vec<String>,
}

/// Why a call to an object store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BucketError {
    /// There is no such object.
    #[error("there is no such object")]
    NotFound,
    /// The condition of the request does not hold.
    #[error("the condition of the request does not hold")]
    PreconditionFailed,
    /// Any other error.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// For calls without an object or condition.
impl From<BucketError> for Error {
    fn from(refusal: BucketError) -> Self {
        match refusal {
            BucketError::Failed(error) => error,
            BucketError::NotFound => {
                Self::not_found("the object store reports that an object does not exist")
            }
            BucketError::PreconditionFailed => {
                Self::new(ErrorKind::Conflict, "the object store is busy with another request")
            }
        }
    }
}

impl BucketError {
    /// Converts it to an error, if neither is an expected result.
    fn of(self, store: &dyn StateStore, key: &StoreKey, condition: &Precondition) -> Error {
        match (self, condition) {
            (Self::Failed(error), _) => error,
            // The object that should have a version is gone.
            (Self::PreconditionFailed, _) | (Self::NotFound, Precondition::Match(_)) => {
                condition.refusal(store, key)
            }
            (Self::NotFound, _) => Error::not_found(format!("there is no {}/{key}", store.location())),
        }
    }
}

#[async_trait]
impl<B: Bucket> StateStore for B {
    fn location(&self) -> String {
        self.place().location()
    }

    async fn get(&self, key: &StoreKey) -> Result<Option<StoredObject>> {
        match self.get_object(&self.place().object(key)).await {
            Ok(object) => Ok(Some(object)),
            Err(BucketError::NotFound) => Ok(None),
            Err(refusal) => Err(refusal.of(self, key, &Precondition::Any)),
        }
    }

    async fn put(&self, key: &StoreKey, bytes: Vec<u8>, condition: Precondition) -> Result<Version> {
        let written = self.put_object(&self.place().object(key), bytes, &condition).await;
        written.map_err(|refusal| refusal.of(self, key, &condition))
    }

    async fn delete(&self, key: &StoreKey, expected: Option<&Version>) -> Result<()> {
        let condition = expected.cloned().map_or(Precondition::Any, Precondition::Match);
        match self.delete_object(&self.place().object(key), expected).await {
            Err(BucketError::NotFound) if expected.is_none() => Ok(()),
            deleted => deleted.map_err(|refusal| refusal.of(self, key, &condition)),
        }
    }

    async fn list(&self, prefix: &Prefix, after: Option<&StoreKey>) -> Result<Vec<Entry>> {
        let (prefix, first) = (self.place().under(prefix), after.map(|key| self.place().object(key)));
        let range = Range { prefix: &prefix, after: first.as_deref(), folded: false };
        let mut entries = Vec::new();
        for (object, version) in self.list_objects(range).await?.objects {
            if let Some(key) = self.place().key(&object)?
                && after.is_none_or(|after| key > *after)
            {
                entries.push(Entry { key, version });
            }
        }
        // Most object stores sort like this; in some it depends on the operator.
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(entries)
    }

    async fn directories(&self, prefix: &Prefix) -> Result<Vec<String>> {
        let under = self.place().under(prefix);
        let listing = self.list_objects(Range { prefix: &under, after: None, folded: true }).await?;
        let name = |folder: &String| Some(folder.strip_prefix(&under)?.strip_suffix('/')?.to_owned());
        let mut names: Vec<String> = listing.folders.iter().filter_map(name).collect();
        // The folder "" comes from two slashes, which no key has.
        names.retain(|name| !name.is_empty());
        // Not sorted yet: listings include the slash at the end, and a few characters sort before it.
        names.sort();
        names.dedup();
        Ok(names)
    }
}
