//! The files that a cluster's machines read from its directory.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::ClusterStore;
use crate::bundle::{StoreFiles, sha256};
use kops_core::store::{Precondition, StoreKey};
use kops_core::{ErrorKind, Result};

/// How many files are written concurrently.
const WRITES_AT_ONCE: usize = 16;

impl ClusterStore {
    /// Writes the files that machines read from the state store, unless they are there already; returns the
    /// keys that were written.
    ///
    /// A file whose key contains its hash is written once and never changes; any other file is replaced if it
    /// differs. Takes one listing for each top directory of the files, one write for each missing file, and
    /// one read for each file that may differ.
    ///
    /// # Errors
    /// Any error of the store. Files that were written before the error are complete and stay.
    pub async fn upload(&self, files: &StoreFiles) -> Result<Vec<String>> {
        let directories: BTreeSet<&str> =
            files.iter().filter_map(|(key, _)| Some(key.split_once('/')?.0)).collect();
        let mut known = BTreeSet::new();
        for directory in directories {
            let listed = self.store.list(&self.at.cluster.join(directory)?, None).await?;
            known.extend(listed.into_iter().map(|entry| entry.key));
        }
        let mut writes = Vec::new();
        for (key, bytes) in files.iter() {
            let at = self.at.cluster.key(key)?;
            let (known, fixed) = (known.contains(&at), key.contains(&sha256(bytes)));
            if !(known && fixed) {
                writes.push(self.write(at, key, bytes, known, fixed));
            }
        }
        let written: Vec<Option<String>> =
            stream::iter(writes).buffer_unordered(WRITES_AT_ONCE).try_collect().await?;
        Ok(written.into_iter().flatten().collect())
    }

    /// The key, if the file was written.
    async fn write(
        &self,
        at: StoreKey,
        key: &str,
        bytes: &[u8],
        known: bool,
        fixed: bool,
    ) -> Result<Option<String>> {
        if fixed {
            return self.write_once(at, key, bytes).await.map(Some);
        }
        if known && self.store.get(&at).await?.is_some_and(|it| it.bytes == bytes) {
            return Ok(None);
        }
        self.store.put(&at, bytes.to_vec(), Precondition::Any).await.map(|_| Some(key.to_owned()))
    }

    async fn write_once(&self, at: StoreKey, key: &str, bytes: &[u8]) -> Result<String> {
        match self.store.put(&at, bytes.to_vec(), Precondition::Absent).await {
            // Another process has just written the same content.
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(key.to_owned()),
            outcome => outcome.map(|_| key.to_owned()),
        }
    }
}
