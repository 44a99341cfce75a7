//! A store in memory, for trying things out and for tests.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Entry, Precondition, Prefix, StateStore, StoreKey, StoredObject, Version};
use crate::Result;

/// A store in memory. Clones share their content.
///
/// Its versions count the writes, so unlike in a store that uses hashes, an object that was changed back has a new
/// version.
#[derive(Clone)]
pub struct MemoryStore {
    name: Arc<str>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<StoreKey, StoredObject>,
    writes: u64,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::named("")
    }

    /// An empty store whose location is `memory://name`.
    pub fn named(name: &str) -> Self {
        Self { name: name.into(), state: Arc::default() }
    }

    // A panic elsewhere cannot leave the map partially changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

/// The keys only, never the content.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemoryStore").field(&self.location()).field(&self.state().objects).finish()
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    fn location(&self) -> String {
        format!("memory://{}", self.name)
    }

    async fn get(&self, key: &StoreKey) -> Result<Option<StoredObject>> {
        Ok(self.state().objects.get(key).cloned())
    }

    async fn put(&self, key: &StoreKey, bytes: Vec<u8>, condition: Precondition) -> Result<Version> {
        let mut state = self.state();
        if !condition.holds(state.objects.get(key).map(|object| &object.version)) {
            return Err(condition.refusal(self, key));
        }
        state.writes += 1;
        let version = Version::new(state.writes.to_string());
        state.objects.insert(key.clone(), StoredObject { bytes, version: version.clone() });
        Ok(version)
    }

    async fn delete(&self, key: &StoreKey, expected: Option<&Version>) -> Result<()> {
        let mut state = self.state();
        if let Some(expected) = expected
            && state.objects.get(key).map(|object| &object.version) != Some(expected)
        {
            return Err(Precondition::Match(expected.clone()).refusal(self, key));
        }
        state.objects.remove(key);
        Ok(())
    }

    async fn list(&self, prefix: &Prefix, after: Option<&StoreKey>) -> Result<Vec<Entry>> {
        let state = self.state();
        let entries = state
            .objects
            .iter()
            .filter(|(key, _)| prefix.contains(key) && after.is_none_or(|after| *key > after));
        Ok(entries.map(|(key, object)| Entry { key: key.clone(), version: object.version.clone() }).collect())
    }

    async fn directories(&self, prefix: &Prefix) -> Result<Vec<String>> {
        let state = self.state();
        let names =
            state.objects.keys().filter_map(|key| Some(prefix.relative(key)?.split_once('/')?.0.to_owned()));
        let mut names: Vec<_> = names.collect();
        // Not sorted yet: `a.b/x` sorts before `a/x` as a key, but after it as a name.
        names.sort();
        names.dedup();
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance;

    #[tokio::test]
    async fn conforms() {
        conformance::run(Arc::new(MemoryStore::new())).await.unwrap();
    }

    #[tokio::test]
    async fn debug_shows_no_content() {
        let store = MemoryStore::named("x");
        store.put(&StoreKey::new("a/b").unwrap(), b"hunter2".to_vec(), Precondition::Any).await.unwrap();
        let debug = format!("{store:?}");
        assert!(debug.contains("a/b") && debug.contains("7 bytes"), "{debug}");
        assert!(!debug.contains("hunter2") && !debug.contains("104, 117"), "{debug}");
    }
}
