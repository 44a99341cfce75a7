//! A state store in a bucket: what follows from an object store's own calls, in every cloud alike.

use std::fmt;

use async_trait::async_trait;

use super::{Entry, Place, Precondition, Prefix, StateStore, StoreKey, StoredObject, Version};
use crate::{Error, ErrorKind, Result};

/// The calls of an object store, by the names that objects have there. Whatever implements it is a [`StateStore`].
///
/// # Behavior
/// - Every method makes single attempts; [`RetryingStore`](super::RetryingStore) repeats.
/// - A bucket that is missing is [`Place::missing`], also when the object store does not tell it from a missing object.
#[async_trait]
pub trait Bucket: fmt::Debug + Send + Sync {
    /// The bucket, and which of its objects are the store's.
    fn place(&self) -> &Place;

    /// Reads an object.
    async fn get_object(&self, object: &str) -> Result<StoredObject, BucketError>;

    /// Writes an object on a condition, and returns its new version.
    async fn put_object(
        &self,
        object: &str,
        bytes: Vec<u8>,
        condition: &Precondition,
    ) -> Result<Version, BucketError>;

    /// Deletes an object, if asked only at a version. That it is not there may be a success or
    /// [`BucketError::NotFound`].
    async fn delete_object(&self, object: &str, expected: Option<&Version>) -> Result<(), BucketError>;

    /// All pages of a listing.
    async fn list_objects(&self, range: Range<'_>) -> Result<Listing, BucketError>;
}

/// What a listing is to show.
#[derive(Clone, Copy, Debug)]
pub struct Range<'a> {
    /// Objects whose names begin so.
    pub prefix: &'a str,
    /// Objects behind this name are enough; what is shown besides does no harm.
    pub after: Option<&'a str>,
    /// Whether objects with a slash behind the prefix are shown as one, as [`Listing::folders`].
    pub folded: bool,
}

/// What a listing shows, in any order.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Objects by name, with their versions.
    pub objects: Vec<(String, Version)>,
    /// The beginnings of names up to the first slash behind the prefix.
    pub folders: Vec<String>,
}

/// Why a call to an object store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// There is no such object.
    #[error("there is no such object")]
    NotFound,
    /// The condition did not hold.
    #[error("the condition of the request does not hold")]
    PreconditionFailed,
    /// Anything else, in words.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Where no object and no condition was named.
impl From<BucketError> for Error {
    fn from(refusal: BucketError) -> Self {
        match refusal {
            BucketError::Failed(error) => error,
            BucketError::NotFound => Self::not_found("the object store says that something is not there"),
            BucketError::PreconditionFailed => {
                Self::new(ErrorKind::Conflict, "the object store is busy with another request")
            }
        }
    }
}

impl BucketError {
    /// As an error, where neither can be what was hoped for.
    fn of(self, store: &dyn StateStore, key: &StoreKey, condition: &Precondition) -> Error {
        match (self, condition) {
            (Self::Failed(error), _) => error,
            // What was to be at a version is gone.
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
        // Most object stores sort so; of some it is their operator's choice.
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(entries)
    }

    async fn directories(&self, prefix: &Prefix) -> Result<Vec<String>> {
        let under = self.place().under(prefix);
        let listing = self.list_objects(Range { prefix: &under, after: None, folded: true }).await?;
        let name = |folder: &String| Some(folder.strip_prefix(&under)?.strip_suffix('/')?.to_owned());
        let mut names: Vec<String> = listing.folders.iter().filter_map(name).collect();
        // What is called "" stands behind two slashes, which no key has.
        names.retain(|name| !name.is_empty());
        // Not yet sorted: listings sort them with the slash at the end, before which a few characters sort.
        names.sort();
        names.dedup();
        Ok(names)
    }
}
