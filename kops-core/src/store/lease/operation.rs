//! Work under a lease, as one operation: take it, work, let it go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use super::heartbeat::Ending;
use super::{LeaseRequest, StateStore, StoreKey};
use crate::clock::Clock;
use crate::{Error, ErrorKind, Result};

/// What work under a lease knows of it; see [`LeaseRequest::hold`]. Clones are the same operation.
#[derive(Clone, Debug)]
pub struct Operation {
    epoch: u64,
    cancel: CancellationToken,
    removes: Arc<AtomicBool>,
}

impl Operation {
    /// Is cancelled when the work is to stop: because the caller says so, or because the lease is lost. Give it to
    /// whatever does the work.
    pub fn cancel(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// Grows with each acquisition of this lease.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether the lease was held before: an earlier run ended, or was interrupted.
    pub fn was_begun_before(&self) -> bool {
        self.epoch > 1
    }

    /// Removes the lock in the end instead of freeing it: what it protects is gone, or never was.
    pub fn remove_lock(&self) {
        self.removes.store(true, Ordering::Relaxed);
    }
}

impl LeaseRequest {
    /// Takes the lease, does the work, and lets the lease go, whatever came of the work.
    ///
    /// # Behavior
    /// - [`Operation::cancel`] is cancelled with `cancel`, and when the lease is lost. The work is never dropped: it
    ///   is to stop by itself, so that requests in flight are allowed to finish.
    /// - Cancelled before the lease is taken, nothing is begun: `Cancelled`.
    /// - The lease is freed in the end; removed after [`Operation::remove_lock`].
    /// - When this future is dropped, the lease is let go as by dropping a [`Lease`](super::Lease).
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use kops_core::clock::SystemClock;
    /// use kops_core::store::{Holder, LeaseRequest, MemoryStore, StateStore, StoreKey};
    /// use tokio_util::sync::CancellationToken;
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let store: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
    /// let (key, clock) = (StoreKey::new(".kops/shop/lock")?, Arc::new(SystemClock::new()));
    ///
    /// let request = LeaseRequest::new(Holder::new("ann@desk", "update"));
    /// let cancel = CancellationToken::new(); // the server's, or Ctrl-C
    /// let done = request.hold(store, key, clock, cancel, |operation| async move {
    ///     let stop = operation.cancel(); // for an engine's run
    ///     assert!(!stop.is_cancelled());
    ///     Ok("done")
    /// });
    /// assert_eq!(done.await?, "done");
    /// # Ok::<(), kops_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// - Those of [`LeaseRequest::acquire`].
    /// - `Locked`, saying that the lock was lost, when it was lost during the work, whatever else failed by that;
    ///   the error of the work is its source.
    /// - Those of the work.
    /// - That the lock could not be removed after [`Operation::remove_lock`]. One that could not be freed expires by
    ///   itself, and takes nothing from a success.
    pub async fn hold<T, F>(
        self,
        store: Arc<dyn StateStore>,
        key: StoreKey,
        clock: Arc<dyn Clock>,
        cancel: CancellationToken,
        work: impl FnOnce(Operation) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let lease = tokio::select! {
            biased;
            () = cancel.cancelled() => {
                return Err(Error::new(ErrorKind::Cancelled, "the operation was cancelled before it held the lock"));
            }
            lease = self.acquire(store, key, clock) => lease?,
        };
        // The caller's token is the caller's: a lost lease cancels this work, and no other.
        let (stop, removes) = (cancel.child_token(), Arc::new(AtomicBool::new(false)));
        let operation =
            Operation { epoch: lease.epoch(), cancel: stop.clone(), removes: Arc::clone(&removes) };
        let lost = lease.lost();
        // On the heap: the work is most of what this future would else carry by value.
        let mut work = Box::pin(work(operation));
        let outcome = tokio::select! {
            biased;
            () = lost.cancelled() => {
                stop.cancel();
                work.await
            }
            outcome = &mut work => outcome,
        };
        let ending = if removes.load(Ordering::Relaxed) { Ending::Remove } else { Ending::Free };
        match (lease.end(ending).await, outcome) {
            (Err(lost), Err(error)) if lost.kind() == ErrorKind::Locked => Err(lost.with_source(error)),
            (Err(lost), Ok(_)) if lost.kind() == ErrorKind::Locked || ending == Ending::Remove => Err(lost),
            (_, outcome) => outcome,
        }
    }
}
