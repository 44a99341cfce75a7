//! Work under a lease, as one operation: acquire, work, release.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use super::heartbeat::Ending;
use super::{LeaseRequest, StateStore, StoreKey};
use crate::clock::Clock;
use crate::{Error, ErrorKind, Result};

/// The handle of work under a lease; see [`LeaseRequest::hold`]. Clones refer to the same operation.
#[derive(Clone, Debug)]
pub struct Operation {
    epoch: u64,
    cancel: CancellationToken,
    removes: Arc<AtomicBool>,
}

impl Operation {
    /// A token that is cancelled when the work should stop: because the caller cancelled it, or because the lease was
    /// lost. Pass it to everything that does the work.
    pub fn cancel(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// The epoch, which increases with each acquisition of this lease.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether the lease was held before: by an earlier run that ended or was interrupted.
    pub fn was_begun_before(&self) -> bool {
        self.epoch > 1
    }

    /// Removes the lock at the end instead of releasing it, because what it protects is gone, or never existed.
    pub fn remove_lock(&self) {
        self.removes.store(true, Ordering::Relaxed);
    }
}

impl LeaseRequest {
    /// Acquires the lease, does the work, and releases the lease, whatever the result of the work.
    ///
    /// # Behavior
    /// - [`Operation::cancel`] is cancelled with `cancel`, and when the lease is lost. The work is never dropped: it
    ///   has to stop by itself, so that calls in flight are allowed to finish.
    /// - If cancelled before the lease is acquired, nothing is started: `Cancelled`.
    /// - The lease is released at the end, or removed after [`Operation::remove_lock`].
    /// - If this future is dropped, the lease is released, as if a [`Lease`](super::Lease) were dropped.
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
    /// - `Locked`, if the lock was lost during the work, even if the work failed because of it; the error of the work
    ///   is its source.
    /// - Those of the work.
    /// - The error of removing the lock after [`Operation::remove_lock`]. A lock that could not be released expires,
    ///   which is not an error.
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
                return Err(Error::new(ErrorKind::Cancelled, "the operation was cancelled before it acquired the lock"));
            }
            lease = self.acquire(store, key, clock) => lease?,
        };
        // The caller's token may be used for other work: a lost lease cancels only this work.
        let (stop, removes) = (cancel.child_token(), Arc::new(AtomicBool::new(false)));
        let operation =
            Operation { epoch: lease.epoch(), cancel: stop.clone(), removes: Arc::clone(&removes) };
        let lost = lease.lost();
        // Boxed, because the work is most of this future's size.
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
