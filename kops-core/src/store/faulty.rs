//! A store whose next calls fail as told: for the tests of what stands on a store.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::{Entry, Key, MemoryStore, Object, Precondition, Prefix, StateStore, Version};
use crate::{Error, ErrorKind, Result};

/// What happens to a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// Nothing.
    Pass,
    /// It fails and does nothing.
    Refuse,
    /// It does its work, and its answer is lost.
    LoseAnswer,
    /// It never returns, having done nothing.
    Hang,
}

/// A memory store; counts its calls, and lets the scripted faults happen to its writes in turn.
#[derive(Clone, Debug, Default)]
pub(super) struct FaultyStore {
    pub(super) inner: MemoryStore,
    script: Arc<Mutex<VecDeque<Fault>>>,
    calls: Arc<Mutex<Vec<String>>>,
}

impl FaultyStore {
    pub(super) fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.script.lock().unwrap().extend(faults);
    }

    /// The calls since the last time, as `verb key`.
    pub(super) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    fn note(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }

    async fn through<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let lost = || Error::new(ErrorKind::Unavailable, "the connection broke");
        let fault = self.script.lock().unwrap().pop_front().unwrap_or(Fault::Pass);
        match fault {
            Fault::Pass => call.await,
            Fault::Refuse => Err(lost()),
            Fault::LoseAnswer => call.await.and(Err(lost())),
            Fault::Hang => std::future::pending().await,
        }
    }
}

#[async_trait]
impl StateStore for FaultyStore {
    fn location(&self) -> String {
        self.inner.location()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        self.note(format!("get {key}"));
        // Lets the others begin, so that a test can see what runs side by side.
        tokio::task::yield_now().await;
        self.inner.get(key).await
    }

    async fn put(&self, key: &Key, bytes: Vec<u8>, condition: Precondition) -> Result<Version> {
        self.note(format!("put {key}"));
        self.through(self.inner.put(key, bytes, condition)).await
    }

    async fn delete(&self, key: &Key, expected: Option<&Version>) -> Result<()> {
        self.note(format!("delete {key}"));
        self.through(self.inner.delete(key, expected)).await
    }

    async fn list(&self, prefix: &Prefix, after: Option<&Key>) -> Result<Vec<Entry>> {
        self.note(format!("list {prefix}"));
        self.inner.list(prefix, after).await
    }

    async fn directories(&self, prefix: &Prefix) -> Result<Vec<String>> {
        self.note(format!("directories {prefix}"));
        self.inner.directories(prefix).await
    }
}
