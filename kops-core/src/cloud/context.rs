//! What a call to a handler takes along.

use std::any::{Any, TypeId};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::{Result, setters};

/// How urgent a call is: the time that the rest of the work needs from it on. The longest goes first.
///
/// Of calls that are about equally urgent, the one with *less* ahead goes first. What makes paths long is waiting
/// (for a gateway, a balancer, a machine), not calling; so that call is nearer to the next wait, and the earlier
/// waits begin, the better. Fifty clusters that are made at once would otherwise go in step, and all wait for
/// their gateways together at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Priority(pub Duration);

impl Priority {
    /// Paths are about equal when they are in the same span of so many seconds.
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

/// What a call to a handler takes along: how urgent it is, whether it is still wanted, and what other calls
/// of the same observation have found already. Cheap to clone.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Context {
    /// How urgent the call is; a [`Limiter`](super::Limiter) lets urgent calls go first.
    pub priority: Priority,
    /// Cancelled when nobody wants the result any more.
    pub cancel: CancellationToken,
    /// What has been fetched already.
    pub memo: Memo,
}

impl Context {
    /// What a call takes along that is not urgent, is wanted, and is the first of its observation.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same without what has been fetched already: for a look at how things are now.
    pub fn fresh(&self) -> Self {
        Self { memo: Memo::default(), ..self.clone() }
    }

    setters! {
        /// Sets how urgent the call is.
        set priority: Priority;
        /// Sets what cancels the call.
        set cancel: CancellationToken;
    }
}

/// Answers that several listings of one observation share: kinds that come out of the same call make it once.
#[derive(Clone, Default)]
pub struct Memo {
    cells: Arc<Mutex<HashMap<(TypeId, String), Cell>>>,
}

/// An `OnceCell<Arc<T>>`, whose `T` is in its key.
type Cell = Arc<dyn Any + Send + Sync>;

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}

impl Memo {
    /// The value of `key`, made on first demand; others who ask meanwhile wait for it.
    ///
    /// A key belongs to one type: the type is part of it. A failure is not kept, the next to ask tries again.
    ///
    /// # Errors
    /// What `make` returns.
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
        // The type is part of the key: this cell is one of `T`.
        cell.downcast().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// How often `make` is called for two demands of one key.
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
