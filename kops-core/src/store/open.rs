//! Opening stores by URL.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::{LocalStore, MemoryStore, StateStore};
use crate::{Error, Result};

/// A store's URL: `scheme://host/path`.
///
/// Nothing is percent-decoded, as in kOps: names are used as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreUrl {
    /// The scheme, in lower case: `file`, `s3` …
    pub scheme: String,
    /// The bucket or container; empty for `file`.
    pub host: String,
    /// The path after the host, with a slash at the start and none at the end; empty if there is none.
    pub path: String,
}

impl StoreUrl {
    /// The path without the slash at the start: the prefix in a bucket.
    pub fn prefix(&self) -> &str {
        self.path.trim_start_matches('/')
    }
}

impl FromStr for StoreUrl {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(Error::invalid(format!("`{url}` is not a state store URL: it has no scheme"))
                .with_hint("use file:///directory or s3://bucket/prefix"));
        };
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            host: host.to_owned(),
            path: path.trim_end_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.host, self.path)
    }
}

/// Opens the stores of one scheme; a cloud's crate provides it for [`Stores::with`].
#[async_trait]
pub trait StoreOpener: Send + Sync {
    /// Opens the store at a URL of this scheme.
    ///
    /// # Behavior
    /// - A URL that is wrong is `Invalid`, with the correct form as a hint.
    /// - The store need not be accessed: the first read reports whether it exists.
    async fn open(&self, url: &StoreUrl) -> Result<Arc<dyn StateStore>>;
}

/// The stores that a program supports, by scheme.
///
/// ```
/// use kops_core::store::Stores;
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let stores = Stores::new(); // `file` and `memory`; a cloud's crate adds more: `.with("s3", …)`
/// let store = stores.open("memory://demo").await?;
/// assert_eq!(store.location(), "memory://demo");
///
/// let error = stores.open("ftp://x").await.unwrap_err();
/// assert!(error.to_string().contains("supported schemes: file, memory"));
/// # Ok::<(), kops_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Stores {
    openers: BTreeMap<String, Arc<dyn StoreOpener>>,
}

impl Stores {
    /// The stores of this crate: `file:///directory` and `memory://name`. A name opens the same store as long as this
    /// value or a clone of it exists.
    pub fn new() -> Self {
        Self { openers: BTreeMap::new() }.with("file", Files).with("memory", Memories::default())
    }

    /// Adds or replaces a scheme.
    pub fn with(mut self, scheme: &str, opener: impl StoreOpener + 'static) -> Self {
        self.openers.insert(scheme.to_ascii_lowercase(), Arc::new(opener));
        self
    }

    /// Opens the store at a URL. Whether it exists is reported by the first call, or by
    /// [`StateStoreExt::check`](super::StateStoreExt::check).
    ///
    /// # Errors
    /// `Invalid` if the URL is malformed or its scheme is not supported.
    pub async fn open(&self, url: &str) -> Result<Arc<dyn StateStore>> {
        let url: StoreUrl = url.parse()?;
        let Some(opener) = self.openers.get(&url.scheme) else {
            let known = self.openers.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(Error::invalid(format!("the scheme of the state store `{url}` is not supported"))
                .with_hint(format!("supported schemes: {known}")));
        };
        opener.open(&url).await
    }
}

impl Default for Stores {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stores").field(&self.openers.keys()).finish()
    }
}

struct Files;

#[async_trait]
impl StoreOpener for Files {
    async fn open(&self, url: &StoreUrl) -> Result<Arc<dyn StateStore>> {
        if !url.host.is_empty() && url.host != "localhost" {
            return Err(Error::invalid(format!("`{url}` has a host, but a directory is required"))
                .with_hint(format!("use file:///{}{} for an absolute path", url.host, url.path)));
        }
        if url.path.is_empty() {
            return Err(
                Error::invalid(format!("`{url}` has no directory")).with_hint("use file:///directory")
            );
        }
        Ok(Arc::new(LocalStore::new(Path::new(&url.path))))
    }
}

#[derive(Default)]
struct Memories(Mutex<BTreeMap<String, MemoryStore>>);

#[async_trait]
impl StoreOpener for Memories {
    async fn open(&self, url: &StoreUrl) -> Result<Arc<dyn StateStore>> {
        let name = format!("{}{}", url.host, url.path);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::new(known.entry(name).or_insert_with_key(|name| MemoryStore::named(name)).clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Precondition, StoreKey};

    #[test]
    fn urls_come_apart() {
        let url: StoreUrl = "S3://bucket/some/prefix/".parse().unwrap();
        assert_eq!((url.scheme.as_str(), url.host.as_str(), url.prefix()), ("s3", "bucket", "some/prefix"));
        assert_eq!(url.to_string(), "s3://bucket/some/prefix");
        let url: StoreUrl = "file:///tmp/a b".parse().unwrap();
        assert_eq!((url.host.as_str(), url.path.as_str()), ("", "/tmp/a b"));
    }

    #[tokio::test]
    async fn what_is_wrong_is_said() {
        let stores = Stores::new();
        for (url, says) in [
            ("/tmp/x", "use file:///directory or s3://bucket/prefix"),
            ("file://tmp/x", "use file:///tmp/x for an absolute path"),
            ("file://", "has no directory"),
            ("s3://bucket", "supported schemes: file, memory"),
        ] {
            let error = stores.open(url).await.unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[tokio::test]
    async fn a_memory_is_shared_by_name_within_one_value() {
        let (stores, others) = (Stores::new(), Stores::new());
        let key = StoreKey::new("a").unwrap();
        let store = stores.open("memory://one").await.unwrap();
        store.put(&key, vec![1], Precondition::Absent).await.unwrap();
        assert!(stores.open("memory://one").await.unwrap().get(&key).await.unwrap().is_some());
        assert!(stores.open("memory://two").await.unwrap().get(&key).await.unwrap().is_none());
        assert!(others.open("memory://one").await.unwrap().get(&key).await.unwrap().is_none());
    }
}
