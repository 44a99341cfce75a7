//! The state store: small objects with keys, and leases.
//!
//! The cloud is the state; the store contains what the cloud does not: specifications (documents of whatever program
//! uses it), the current operation ([`lease`]), and creations of objects that could not be found again by name or tag
//! ([`journal`]).
//!
//! Everything is based on one small contract, [`StateStore`]: a flat map from [`StoreKey`]s to small objects, in
//! which every write can be conditional on the version that was read. Nothing depends on locks of this process, so
//! any number of operators on any number of machines may share a store. If two change the same object at once, one of
//! them gets a [`ErrorKind::Conflict`].
//!
//! | store | URL | conditional writes by |
//! |---|---|---|
//! | [`MemoryStore`] | `memory://name` | a counter |
//! | [`LocalStore`] | `file:///directory` | content hash, under a lock of the operating system |
//! | others | with their cloud's crate | the service's own conditional requests |
//!
//! The stores that a program supports, by URL, are a value, [`Stores`]; there is no global registry. Test a new
//! implementation with `store::conformance` (feature `testing`). One for an object store implements [`Bucket`], the
//! calls of such a service, which makes it a [`StateStore`].
//!
//! ```
//! use kops_core::store::{StoreKey, MemoryStore, Precondition, StateStore};
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let store = MemoryStore::new();
//! let key = StoreKey::new("ha.example.com/config")?;
//!
//! let first = store.put(&key, b"one".to_vec(), Precondition::Absent).await?;
//! store.put(&key, b"two".to_vec(), Precondition::Match(first.clone())).await?;
//!
//! // A write based on the first version is rejected.
//! let late = store.put(&key, b"three".to_vec(), Precondition::Match(first)).await.unwrap_err();
//! assert_eq!(late.kind(), kops_core::ErrorKind::Conflict);
//! # Ok::<(), kops_core::Error>(()) }).unwrap();
//! ```
//!
//! # Known weaknesses
//! Versions may be derived from the content (S3's ETag, the local store's hash): an object that was changed back has
//! its old version again. To detect that, write a counter into the object, as specifications (`metadata.generation`)
//! and leases do.

mod bucket;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
pub mod journal;
mod key;
pub mod lease;
mod local;
mod memory;
mod open;
mod place;
mod retry;

use std::fmt;

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

pub use self::bucket::{Bucket, BucketError, Listing, Range};
pub use self::journal::{Intent, IntentLog, Journal};
pub use self::key::{Prefix, StoreKey};
pub use self::lease::{Holder, Lease, LeaseRequest, Operation};
pub use self::local::LocalStore;
pub use self::memory::MemoryStore;
pub use self::open::{StoreOpener, StoreUrl, Stores};
pub use self::place::Place;
pub use self::retry::RetryingStore;
use crate::{Error, ErrorKind, Result};

/// How many objects [`StateStoreExt`] reads concurrently: enough to read a cluster of a hundred groups in one round
/// trip, but few enough for any store and, together with the calls of a cloud, for the limit of 256 open files on
/// macOS.
const READS_AT_ONCE: usize = 128;

/// A flat map from keys to small objects, with conditional writes.
///
/// # Behavior
/// - Objects are read and written as a whole; a reader gets the old bytes or the new ones, never a mixture, even if
///   the writer is killed.
/// - A write is visible to everyone once `put` has returned (read-after-write consistency, also for listings).
/// - The store itself evaluates the condition of a write atomically, also for writers on different machines.
/// - If the condition does not hold, the error has kind `Conflict`, and nothing is changed.
/// - If the store itself (directory, bucket) does not exist, the error has kind `NotFound` and a hint; nothing is
///   created implicitly.
/// - If a future is dropped, its call may or may not have had an effect.
/// - Neither errors nor `Debug` show an object's content.
#[async_trait]
pub trait StateStore: fmt::Debug + Send + Sync {
    /// The store's URL without a slash at the end, for messages and for kOps' `configBase`.
    fn location(&self) -> String;

    /// Reads the object at a key.
    ///
    /// # Behavior
    /// - If there is no object, the result is `None`, not an error; also if the key is only a prefix of others.
    async fn get(&self, key: &StoreKey) -> Result<Option<StoredObject>>;

    /// Writes an object and returns its new version.
    ///
    /// # Behavior
    /// - [`Precondition::Absent`]: rejected if there is an object.
    /// - [`Precondition::Match`]: rejected if the object has another version or is gone.
    /// - Different content has a different version.
    async fn put(&self, key: &StoreKey, bytes: Vec<u8>, condition: Precondition) -> Result<Version>;

    /// Deletes an object, optionally only if it has the `expected` version.
    ///
    /// # Behavior
    /// - Without a version, deleting an object that does not exist succeeds.
    /// - With a version, an object that has another one, or is gone, is a `Conflict`.
    async fn delete(&self, key: &StoreKey, expected: Option<&Version>) -> Result<()>;

    /// All objects under a prefix, at any depth; with `after`, only those whose key sorts after it.
    ///
    /// # Behavior
    /// - Complete, regardless of the number of pages; sorted by the bytes of the key.
    /// - If there is nothing under the prefix, the list is empty.
    async fn list(&self, prefix: &Prefix, after: Option<&StoreKey>) -> Result<Vec<Entry>>;

    /// The names directly under a prefix that have objects under them, like directories.
    ///
    /// # Behavior
    /// - Sorted, without duplicates and slashes; objects directly under the prefix are omitted.
    async fn directories(&self, prefix: &Prefix) -> Result<Vec<String>>;
}

/// The content of an object, with the version that was read.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredObject {
    /// The content.
    pub bytes: Vec<u8>,
    /// The version, for conditional writes.
    pub version: Version,
}

impl StoredObject {
    /// Content with its version.
    pub fn new(bytes: impl Into<Vec<u8>>, version: Version) -> Self {
        Self { bytes: bytes.into(), version }
    }
}

/// Without the content, because objects may contain secrets.
impl fmt::Debug for StoredObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({} bytes, version {})", self.bytes.len(), self.version)
    }
}

/// An entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The key of the object.
    pub key: StoreKey,
    /// Its version.
    pub version: Version,
}

impl Entry {
    /// A key with the version of its object.
    pub fn new(key: StoreKey, version: Version) -> Self {
        Self { key, version }
    }
}

/// The version of an object, which changes with its content; its format is the store's.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Version(String);

impl Version {
    /// A version in the store's format.
    pub fn new(version: impl Into<String>) -> Self {
        Self(version.into())
    }

    /// The version in the store's format.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shortened, because it is for users.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.trim_matches('"').get(..12).unwrap_or(self.0.trim_matches('"')))
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The condition of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// There is no object yet.
    Absent,
    /// The object still has this version.
    Match(Version),
    /// None: the last writer wins.
    Any,
}

impl Precondition {
    /// Whether the condition holds for an object of this version (`None`: no object), for stores that compare
    /// themselves.
    pub fn holds(&self, current: Option<&Version>) -> bool {
        match self {
            Self::Absent => current.is_none(),
            Self::Match(version) => current == Some(version),
            Self::Any => true,
        }
    }

    /// The error if the condition does not hold, which is the same for all stores.
    pub fn refusal(&self, store: &dyn StateStore, key: &StoreKey) -> Error {
        let object = format!("{}/{key}", store.location());
        let message = match self {
            Self::Absent => format!("{object} already exists"),
            Self::Match(version) => format!("{object} is no longer at version {version}"),
            Self::Any => format!("{object} is being written by another request"),
        };
        Error::new(ErrorKind::Conflict, message).with_hint("read it again and retry the change")
    }
}

/// The key that [`StateStoreExt::check`] reads; it is never written.
const PROBE: &str = ".kops/check";

/// Convenience methods of state stores.
#[async_trait]
pub trait StateStoreExt: StateStore {
    /// Checks that the store exists and can be read, with one small read: for the start of a service, because opening
    /// a store does not access it.
    ///
    /// ```
    /// use kops_core::store::{StateStoreExt as _, Stores};
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let stores = Stores::new();
    /// stores.open("memory://demo").await?.check().await?;
    ///
    /// let missing = stores.open("file:///nowhere/at/all").await?;
    /// assert_eq!(missing.check().await.unwrap_err().kind(), kops_core::ErrorKind::NotFound);
    /// # Ok::<(), kops_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `NotFound` if the directory or bucket does not exist; `Denied`, `Unauthenticated` or any other error of a
    /// read.
    async fn check(&self) -> Result<()> {
        self.get(&StoreKey::new(PROBE)?).await.map(drop)
    }

    /// Reads an object that must exist.
    async fn read(&self, key: &StoreKey) -> Result<StoredObject> {
        let object = self.get(key).await?;
        object.ok_or_else(|| Error::not_found(format!("there is no {}/{key}", self.location())))
    }

    /// Reads several objects concurrently, in the order of the keys; objects that do not exist are omitted.
    async fn get_all(&self, keys: Vec<StoreKey>) -> Result<Vec<(StoreKey, StoredObject)>> {
        stream::iter(keys)
            .map(|key| async move { Ok(self.get(&key).await?.map(|object| (key, object))) })
            .buffered(READS_AT_ONCE)
            .try_filter_map(|found| async move { Ok(found) })
            .try_collect()
            .await
    }
}

impl<S: StateStore + ?Sized> StateStoreExt for S {}
