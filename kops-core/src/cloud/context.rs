//! The context of a call to a handler.

use std::any::{Any, TypeId};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::{Result, setters};

/// The priority of a call: the remaining time of the path that depends on it. The longest goes first.
///
/// Among calls of about equal priority, the one with *less* remaining time goes first. Long paths consist of
/// waiting (for a gateway, a load balancer, a machine), not of calls; so that call is closer to the next
/// wait, and waits should start early. Otherwise fifty graphs that are applied at once would advance in
/// lockstep, and all wait for their gateways at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Priority(pub Duration);

impl Priority {
    /// Paths are about equal if they are in the same interval of this length, in seconds.
    const SPAN: u64 = 5;
}

impl PartialOrd for Priority {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Priority {
    fn cmp(&self, other: &Self) -> Ordering {
        let span = |priority: &Self| priority.0.as_secs() / Self::SPAN;
        span(self).cmp(&span(other)).then(other.0.cmp(&self.0))
    }
}

/// The context of a call to a handler: its priority, its cancellation, and the results of other calls of the same
/// observation. Cheap to clone.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Context {
    /// The priority of the call; a [`Limiter`](super::Limiter) serves the highest first.
    pub priority: Priority,
    /// Cancelled when the result is no longer needed.
    pub cancel: CancellationToken,
    /// The results of earlier calls.
    pub memo: Memo,
}

impl Context {
    /// A context with the lowest priority, without cancellation, and with an empty memo.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same context without earlier results, for observing the current state.
    pub fn fresh(&self) -> Self {
        Self { memo: Memo::default(), ..self.clone() }
    }

    setters! {
        /// Sets the priority of the call.
        set priority: Priority;
        /// Sets the token that cancels the call.
        set cancel: CancellationToken;
    }
}

/// Results shared by the listings of one observation: kinds that need the same call make it once.
#[derive(Clone, Default)]
pub struct Memo {
    cells: Arc<Mutex<HashMap<(TypeId, String), Cell>>>,
}

/// An `OnceCell<Arc<T>>`; `T` is part of its key.
type Cell = Arc<dyn Any + Send + Sync>;

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}

impl Memo {
    /// Returns the value of `key`, created on first use; concurrent callers wait for it.
    ///
    /// A key belongs to one type, which is part of it. A failure is not stored: the next caller retries.
    ///
    /// # Errors
    /// Those of `make`.
    pub async fn get_or_try<T, F>(&self, key: &str, make: F) -> Result<Arc<T>>
    where
        T: Send + Sync + 'static,
        F: AsyncFnOnce() -> Result<T>,
    {
        let cell = self.cell::<T>(key);
        cell.get_or_try_init(async || make().await.map(Arc::new)).await.cloned()
    }

    fn cell<T: Send + Sync + 'static>(&self, key: &str) -> Arc<OnceCell<Arc<T>>> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let cell = cells
            .entry((TypeId::of::<T>(), key.to_owned()))
            .or_insert_with(|| Arc::new(OnceCell::<Arc<T>>::new()))
            .clone();
        // The type is part of the key, so this cell contains a `T`.
        cell.downcast().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// How often `make` is called for two uses of one key.
    async fn made<T: Send + Sync + 'static>(memo: &Memo, make: impl Fn() -> T) -> usize {
        let calls = AtomicUsize::new(0);
        for _ in 0..2 {
            let count = async || {
                calls.fetch_add(1, Ordering::Relaxed);
                Ok(make())
            };
            memo.get_or_try("key", count).await.unwrap();
        }
        calls.into_inner()
    }

    #[tokio::test]
    async fn types_of_one_name_share_a_key_but_no_answer() {
        let memo = Memo::default();
        // The name of both is `…::Answer`, without the block.
        let one = {
            struct Answer;
            (std::any::type_name::<Answer>(), made(&memo, || Answer).await)
        };
        let other = {
            struct Answer;
            (std::any::type_name::<Answer>(), made(&memo, || Answer).await)
        };
        assert_eq!(one.0, other.0, "the test needs two types of one name");
        assert_eq!((one.1, other.1), (1, 1));
    }
}
