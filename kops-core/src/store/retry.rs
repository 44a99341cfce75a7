//! Retries of a store's transient failures.
//!
//! The clients of cloud SDKs are configured without retries (the engine retries by kind, see [`RetryPolicy`]), so a
//! store in a cloud is wrapped in a [`RetryingStore`].
//!
//! Reads are simply retried. Retrying a conditional write needs care: if the first attempt was carried out and only
//! its response was lost, the second is rejected because of the first. So after an attempt with an unknown result, a
//! rejection is checked: if the object has the content that was to be written, or is gone as intended, the write has
//! succeeded. Without such an attempt, a rejection is final.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Entry, Precondition, Prefix, StateStore, StoreKey, StoredObject, Version};
use crate::clock::Clock;
use crate::retry::Attempts;
use crate::{Error, ErrorKind, Result, RetryPolicy};

/// From 100 ms to 2 s, for 20 s: this is what object stores recommend after a 503, what users accept to wait for a
/// command, and less than the time to live of a [lease](super::lease).
const POLICY: RetryPolicy = RetryPolicy {
    base: Duration::from_millis(100),
    cap: Duration::from_secs(2),
    deadline: Duration::from_secs(20),
};

/// A store with retries of transient failures.
#[derive(Clone, Debug)]
pub struct RetryingStore<S> {
    inner: S,
    clock: Arc<dyn Clock>,
    policy: RetryPolicy,
}

impl<S: StateStore> RetryingStore<S> {
    /// Retries transient failures for at most 20 seconds.
    pub fn new(inner: S, clock: Arc<dyn Clock>) -> Self {
        Self { inner, clock, policy: POLICY }
    }

    /// Sets the retry policy.
    pub fn policy(mut self, policy: RetryPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Waits before the next attempt; returns the error if there is none.
    async fn pause(&self, attempts: &mut Attempts, error: Error) -> Result<()> {
        let Some(wait) = attempts.after(&error, self.clock.elapsed()) else {
            return Err(attempts.exhausted(error));
        };
        self.clock.sleep(wait).await;
        Ok(())
    }
}

#[async_trait]
impl<S: StateStore> StateStore for RetryingStore<S> {
    fn location(&self) -> String {
        self.inner.location()
    }

    async fn get(&self, key: &StoreKey) -> Result<Option<StoredObject>> {
        let mut attempts = Attempts::new(self.policy);
        loop {
            match self.inner.get(key).await {
                Err(error) if error.kind().is_transient() => self.pause(&mut attempts, error).await?,
                outcome => return outcome,
            }
        }
    }

    async fn put(&self, key: &StoreKey, bytes: Vec<u8>, condition: Precondition) -> Result<Version> {
        let mut attempts = Attempts::new(self.policy);
        let mut doubtful = false;
        loop {
            match self.inner.put(key, bytes.clone(), condition.clone()).await {
                Err(error) if error.kind() == ErrorKind::Conflict && doubtful => {
                    return match self.get(key).await? {
                        Some(ours) if ours.bytes == bytes => Ok(ours.version),
                        _ => Err(error),
                    };
                }
                Err(error) if error.kind().is_transient() => {
                    doubtful |= error.kind().is_ambiguous();
                    self.pause(&mut attempts, error).await?;
                }
                outcome => return outcome,
            }
        }
    }

    async fn delete(&self, key: &StoreKey, expected: Option<&Version>) -> Result<()> {
        let mut attempts = Attempts::new(self.policy);
        let mut doubtful = false;
        loop {
            match self.inner.delete(key, expected).await {
                Err(error) if error.kind() == ErrorKind::Conflict && doubtful => {
                    return if self.get(key).await?.is_none() { Ok(()) } else { Err(error) };
                }
                Err(error) if error.kind().is_transient() => {
                    doubtful |= error.kind().is_ambiguous();
                    self.pause(&mut attempts, error).await?;
                }
                outcome => return outcome,
            }
        }
    }

    async fn list(&self, prefix: &Prefix, after: Option<&StoreKey>) -> Result<Vec<Entry>> {
        let mut attempts = Attempts::new(self.policy);
        loop {
            match self.inner.list(prefix, after).await {
                Err(error) if error.kind().is_transient() => self.pause(&mut attempts, error).await?,
                outcome => return outcome,
            }
        }
    }

    async fn directories(&self, prefix: &Prefix) -> Result<Vec<String>> {
        let mut attempts = Attempts::new(self.policy);
        loop {
            match self.inner.directories(prefix).await {
                Err(error) if error.kind().is_transient() => self.pause(&mut attempts, error).await?,
                outcome => return outcome,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::store::{StateStoreExt as _, conformance};
    use crate::testing::{FaultyStore, StoreFault};

    fn key() -> StoreKey {
        StoreKey::new("a").unwrap()
    }

    fn retrying() -> (FaultyStore, RetryingStore<FaultyStore>) {
        let store = FaultyStore::default();
        (store.clone(), RetryingStore::new(store, Arc::new(SystemClock::new())))
    }

    #[tokio::test(start_paused = true)]
    async fn conforms() {
        conformance::run(Arc::new(retrying().1)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn passing_failures_pass() {
        let (faulty, store) = retrying();
        faulty.script([StoreFault::Refuse, StoreFault::Refuse]);
        let version = store.put(&key(), b"one".to_vec(), Precondition::Absent).await.unwrap();
        assert_eq!(faulty.calls().len(), 3);
        faulty.script([StoreFault::Refuse]);
        store.delete(&key(), Some(&version)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn our_own_lost_write_is_a_success() {
        let (faulty, store) = retrying();
        faulty.script([StoreFault::LoseAnswer]);
        let one = store.put(&key(), b"one".to_vec(), Precondition::Absent).await.unwrap();
        faulty.script([StoreFault::LoseAnswer]);
        let two = store.put(&key(), b"two".to_vec(), Precondition::Match(one)).await.unwrap();
        assert_eq!(
            store.read(&key()).await.unwrap(),
            StoredObject { bytes: b"two".to_vec(), version: two.clone() }
        );
        faulty.script([StoreFault::LoseAnswer]);
        store.delete(&key(), Some(&two)).await.unwrap();
        assert!(store.get(&key()).await.unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn somebody_elses_write_is_a_conflict_whatever_happened_to_ours() {
        let (faulty, store) = retrying();
        let one = faulty.inner.put(&key(), b"one".to_vec(), Precondition::Absent).await.unwrap();
        faulty.inner.put(&key(), b"theirs".to_vec(), Precondition::Any).await.unwrap();
        for fault in [StoreFault::Pass, StoreFault::Refuse] {
            faulty.script([fault]);
            let late = store.put(&key(), b"ours".to_vec(), Precondition::Match(one.clone())).await;
            assert_eq!(late.unwrap_err().kind(), ErrorKind::Conflict);
            faulty.script([fault]);
            assert_eq!(store.delete(&key(), Some(&one)).await.unwrap_err().kind(), ErrorKind::Conflict);
        }
        // The same content written by someone else does not count if our write cannot have been carried out.
        let same = store.put(&key(), b"theirs".to_vec(), Precondition::Absent).await;
        assert_eq!(same.unwrap_err().kind(), ErrorKind::Conflict);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_pass_is_given_up_in_time() {
        let (faulty, store) = retrying();
        faulty.script([StoreFault::Refuse; 1000]);
        let clock = SystemClock::new();
        let error = store.put(&key(), vec![], Precondition::Any).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.hint().unwrap().contains("gave up after"), "{error}");
        assert!(clock.elapsed() <= POLICY.deadline && clock.elapsed() >= POLICY.deadline / 2);
    }
}
