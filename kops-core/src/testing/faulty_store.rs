//! A store with scripted faults, for tests of code that uses stores.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::store::{Entry, MemoryStore, Precondition, Prefix, StateStore, StoreKey, StoredObject, Version};
use crate::{Error, ErrorKind, Result};

/// A fault of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreFault {
    /// No fault.
    Pass,
    /// It fails without an effect.
    Refuse,
    /// It has its effect, but its response is lost.
    LoseAnswer,
    /// It has no effect, and never returns.
    Hang,
}

/// A [`MemoryStore`] that records its calls and injects scripted faults into its writes, in turn. Clones share their
/// state.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FaultyStore {
    /// The underlying store, whose calls are neither recorded nor fail.
    pub inner: MemoryStore,
    script: Arc<Mutex<VecDeque<StoreFault>>>,
    calls: Arc<Mutex<Vec<String>>>,
}

impl FaultyStore {
    /// Adds faults for the next writes.
    pub fn script(&self, faults: impl IntoIterator<Item = StoreFault>) {
        lock(&self.script).extend(faults);
    }

    /// The calls since the last call of this method, as `verb key`.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.calls))
    }

    fn note(&self, call: String) {
        lock(&self.calls).push(call);
    }

    async fn through<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let lost = || Error::new(ErrorKind::Unavailable, "the connection broke");
        let fault = lock(&self.script).pop_front().unwrap_or(StoreFault::Pass);
        match fault {
            StoreFault::Pass => call.await,
            StoreFault::Refuse => Err(lost()),
            StoreFault::LoseAnswer => call.await.and(Err(lost())),
            StoreFault::Hang => std::future::pending().await,
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl StateStore for FaultyStore {
    fn location(&self) -> String {
        self.inner.location()
    }

    async fn get(&self, key: &StoreKey) -> Result<Option<StoredObject>> {
        self.note(format!("get {key}"));
        // Lets other calls start, so that a test can observe concurrency.
        tokio::task::yield_now().await;
        self.inner.get(key).await
    }

    async fn put(&self, key: &StoreKey, bytes: Vec<u8>, condition: Precondition) -> Result<Version> {
        self.note(format!("put {key}"));
        self.through(self.inner.put(key, bytes, condition)).await
    }

    async fn delete(&self, key: &StoreKey, expected: Option<&Version>) -> Result<()> {
        self.note(format!("delete {key}"));
        self.through(self.inner.delete(key, expected)).await
    }

    async fn list(&self, prefix: &Prefix, after: Option<&StoreKey>) -> Result<Vec<Entry>> {
        self.note(format!("list {prefix}"));
        self.inner.list(prefix, after).await
    }

    async fn directories(&self, prefix: &Prefix) -> Result<Vec<String>> {
        self.note(format!("directories {prefix}"));
        self.inner.directories(prefix).await
    }
}
