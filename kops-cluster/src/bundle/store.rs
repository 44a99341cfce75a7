//! The files that machines read from the state store.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use kops_node::stage0::Object;
use sha2::{Digest as _, Sha256};

/// Files that machines read from the cluster's directory in the state store, by keys relative to that
/// directory: bundles and the program that applies them, whose keys contain their hash, so that they are
/// written once and never change; and the cluster's [groups](kops_node::bundle::Groups), which are replaced
/// when they change.
///
/// Upload them before a plan is applied:
/// [`ClusterStore::upload`](crate::registry::ClusterStore::upload).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StoreFiles(BTreeMap<String, Arc<[u8]>>);

impl StoreFiles {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file.
    pub fn insert(&mut self, key: impl Into<String>, bytes: impl Into<Arc<[u8]>>) {
        self.0.insert(key.into(), bytes.into());
    }

    /// The files, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(key, bytes)| (key.as_str(), &**bytes))
    }

    /// The content of a file.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.0.get(key).map(|bytes| &**bytes)
    }

    /// The number of files.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Keys and sizes only.
impl fmt::Debug for StoreFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.0.iter().map(|(key, bytes)| (key, format!("{} bytes", bytes.len()))))
            .finish()
    }
}

/// The SHA-256 of a content, in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file as referenced by the user data.
pub(crate) fn object(key: impl FnOnce(&str) -> String, sha256: &str) -> Object {
    Object { key: key(sha256), sha256: sha256.to_owned() }
}
