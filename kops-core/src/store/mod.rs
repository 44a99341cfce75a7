//! The state store: small objects under keys, and who may work on them now.
//!
//! The cloud is the state; the store keeps what the cloud cannot tell: what was asked for (documents of whatever
//! program uses it), who is at work ([`lease`]) and which objects were about to be created that could not be found
//! again by name or tag ([`journal`]).
//!
//! Everything stands on one small contract, [`StateStore`]: a flat map from [`StoreKey`]s to small objects in
//! which every write can be made conditional on the version that was read. Nothing here is protected by a
//! lock of this process, so any number of operators on any number of machines may share a store, and of two
//! who change the same object at once, one is told ([`ErrorKind::Conflict`]).
//!
//! | store | URL | conditional writes by |
//! |---|---|---|
//! | [`MemoryStore`] | `memory://name` | a counter |
//! | [`LocalStore`] | `file:///directory` | content hash, under a lock of the operating system |
//! | others | with their cloud's crate | the service's own conditional requests |
//!
//! Which URL opens which store is a value that the program puts together, [`Stores`]; there is no global
//! registry. A new implementation is checked with `store::conformance` (feature `testing`). One for an object store
//! implements [`Bucket`], the calls of such a service, and is a [`StateStore`] by that.
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
//! // Somebody who still holds the first version is refused.
//! let late = store.put(&key, b"three".to_vec(), Precondition::Match(first)).await.unwrap_err();
//! assert_eq!(late.kind(), kops_core::ErrorKind::Conflict);
//! # Ok::<(), kops_core::Error>(()) }).unwrap();
//! ```
//!
//! # Known weaknesses
//! Versions may be made of the content (S3's ETag, the local store's hash): an object that was changed and
//! changed back has its old version again. Whoever needs to notice that writes a counter into the object, as
//! specifications (`metadata.generation`) and leases do.

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

/// How many objects [`StateStoreExt`] reads at once: enough that a cluster of a hundred groups takes one round
/// trip, few enough for any store and, together with the calls of a cloud, for the 256 open files of a Mac.
const READS_AT_ONCE: usize = 128;

/// A flat map from keys to small objects, with conditional writes: all that the rest of the store needs.
///
/// # Behavior
/// - An object is read whole and written whole; a reader sees the old bytes or the new ones, never a mixture,
///   also when the writer is killed.
/// - What was written is read by everybody from the moment `put` returned (read-after-write, also for lists).
/// - A conditional write is decided by the store itself, atomically, for writers on different machines too.
/// - A lost conditional write is an error of kind `Conflict`, and nothing was changed.
/// - A store that is missing (directory, bucket) is an error of kind `NotFound` with advice; nothing is
///   created silently.
/// - A dropped future may or may not have taken effect.
/// - Neither errors nor `Debug` show an object's content.
#[async_trait]
pub trait StateStore: fmt::Debug + Send + Sync {
    /// The store's URL without a slash at the end, for messages and for kOps' `configBase`.
    fn location(&self) -> String;

    /// The object at a key.
    ///
    /// # Behavior
    /// - No object at that key is `None`, not an error; so is a key that is only a prefix of others.
    async fn get(&self, key: &StoreKey) -> Result<Option<StoredObject>>;

    /// Writes an object and returns its new version.
    ///
    /// # Behavior
    /// - [`Precondition::Absent`]: refused when there is an object.
    /// - [`Precondition::Match`]: refused when the object has another version or is gone.
    /// - Other content has another version.
    async fn put(&self, key: &StoreKey, bytes: Vec<u8>, condition: Precondition) -> Result<Version>;

    /// Deletes an object, if asked only while it has the `expected` version.
    ///
    /// # Behavior
    /// - Without a version, deleting what is not there succeeds.
    /// - With a version, an object that has another one, or is gone, is a `Conflict`.
    async fn delete(&self, key: &StoreKey, expected: Option<&Version>) -> Result<()>;

    /// All objects under a prefix, at any depth; with `after`, only those whose key sorts behind it.
    ///
    /// # Behavior
    /// - Complete, however many pages it takes; sorted by the bytes of the key.
    /// - Nothing under the prefix is an empty list.
    async fn list(&self, prefix: &Prefix, after: Option<&StoreKey>) -> Result<Vec<Entry>>;

    /// The names directly under a prefix that have objects under them in turn, like directories.
    ///
    /// # Behavior
    /// - Sorted, without duplicates and without slashes; objects directly under the prefix are left out.
    async fn directories(&self, prefix: &Prefix) -> Result<Vec<String>>;
}

/// An object's bytes and the version they had when they were read.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredObject {
    /// The content.
    pub bytes: Vec<u8>,
    /// The version to name in a conditional write.
    pub version: Version,
}

impl StoredObject {
    /// An object's bytes and their version.
    pub fn new(bytes: impl Into<Vec<u8>>, version: Version) -> Self {
        Self { bytes: bytes.into(), version }
    }
}

/// Without the content: objects hold private keys.
impl fmt::Debug for StoredObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({} bytes, version {})", self.bytes.len(), self.version)
    }
}

/// A key that a list found, and the version of its object.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Where the object is.
    pub key: StoreKey,
    /// Its version.
    pub version: Version,
}

impl Entry {
    /// A key and the version of its object.
    pub fn new(key: StoreKey, version: Version) -> Self {
        Self { key, version }
    }
}

/// What an object's content is told apart by; only the store that made it knows how to read it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Version(String);

impl Version {
    /// The version that a store calls so.
    pub fn new(version: impl Into<String>) -> Self {
        Self(version.into())
    }

    /// The store's own name of this version.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shortened, since it is for people to compare.
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

/// What must be true of the stored object for a write to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// There is none yet.
    Absent,
    /// It still has this version.
    Match(Version),
    /// Anything: the last writer wins.
    Any,
}

impl Precondition {
    /// Whether the condition holds for an object of this version (`None`: no object), for stores that have
    /// to compare by themselves.
    pub fn holds(&self, current: Option<&Version>) -> bool {
        match self {
            Self::Absent => current.is_none(),
            Self::Match(version) => current == Some(version),
            Self::Any => true,
        }
    }

    /// The error of a conditional write that lost, the same for every store.
    pub fn refusal(&self, store: &dyn StateStore, key: &StoreKey) -> Error {
        let object = format!("{}/{key}", store.location());
        let message = match self {
            Self::Absent => format!("{object} exists already"),
            Self::Match(version) => format!("{object} is no longer at version {version}"),
            Self::Any => format!("{object} is being written by somebody else"),
        };
        Error::new(ErrorKind::Conflict, message).with_hint("read it again and repeat the change")
    }
}

/// Where [`StateStoreExt::check`] looks; nothing is ever written there.
const PROBE: &str = ".kops/check";

/// What follows from the contract, for those who use a store.
#[async_trait]
pub trait StateStoreExt: StateStore {
    /// Checks that the store is there and can be read, with one small read: for the start of a service, since opening
    /// a store does not look.
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
    /// `NotFound` when the directory or bucket does not exist; `Denied`, `Unauthenticated` or whatever else a read
    /// of it says.
    async fn check(&self) -> Result<()> {
        self.get(&StoreKey::new(PROBE)?).await.map(drop)
    }

    /// The object at a key that must be there.
    async fn read(&self, key: &StoreKey) -> Result<StoredObject> {
        let object = self.get(key).await?;
        object.ok_or_else(|| Error::not_found(format!("there is no {}/{key}", self.location())))
    }

    /// The objects at several keys, read side by side, in the order of the keys; what is not there is left
    /// out.
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
