//! Work on a cluster that nobody else may do at the same time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kops_cluster::registry::ClusterStore;
use kops_core::apply::{EventSink, Report};
use kops_core::plan::Plan;
use kops_core::store::{Lease, LeaseRequest};
use kops_core::{Engine, ErrorKind, Result, RunOptions};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::{environment, output};

/// The lock of a cluster while this program works on it.
#[derive(Debug)]
pub(crate) struct Operation {
    lease: Lease,
    cancel: CancellationToken,
    _interrupt: Interrupt,
    /// Ends the work when the lock is lost.
    _guard: AbortOnDropHandle<()>,
}

impl Operation {
    /// Takes the lock of a cluster, waiting for `patience` while somebody else is at work.
    pub(crate) async fn begin(store: &ClusterStore, purpose: &str, patience: Duration) -> Result<Self> {
        let told = AtomicBool::new(false);
        let request =
            LeaseRequest::new(environment::holder(purpose)).patience(patience).on_wait(move |record, _| {
                if let Some(holder) = &record.holder
                    && !told.swap(true, Ordering::Relaxed)
                {
                    output::note(format_args!(
                        "waiting for {holder}, who has the lock since {}",
                        record.acquired
                    ));
                }
            });
        let lease = store.lock(request).await?;
        let cancel = CancellationToken::new();
        let (lost, work) = (lease.lost(), cancel.clone());
        let guard = tokio::spawn(async move {
            lost.cancelled().await;
            work.cancel();
        });
        Ok(Self {
            lease,
            _interrupt: Interrupt::cancels(cancel.clone()),
            cancel,
            _guard: AbortOnDropHandle::new(guard),
        })
    }

    /// Options of runs that stop when the work is to stop.
    pub(crate) fn options(&self) -> RunOptions {
        RunOptions::new().cancel(self.cancel.clone())
    }

    /// Carries out a plan that was made under the lock, and shows how it goes.
    pub(crate) async fn apply(&self, engine: &Engine, plan: &Plan) -> Result<Report> {
        let (sink, stream) = EventSink::channel();
        let progress = tokio::spawn(Progress::new(plan, engine.cloud().clock()).show(stream));
        let report = engine.apply_now_with(plan, self.options().events(sink)).await;
        // It ends with the stream; should it have failed, the report says all the same.
        let _ = progress.await;
        self.lease.check()?;
        report
    }

    /// Whether the lock was there already: an earlier run ended, or did not get to its end.
    pub(crate) fn was_begun_before(&self) -> bool {
        self.lease.epoch() > 1
    }

    /// Gives the lock back, whatever came of the work.
    pub(crate) async fn end<T>(self, outcome: Result<T>) -> Result<T> {
        // That the lock was lost explains what came of the work.
        self.lease.check()?;
        let ended = match &outcome {
            // There may be no such cluster: then there shall be no lock of it.
            Err(error) if error.kind() == ErrorKind::NotFound => self.lease.remove().await,
            _ => self.lease.release().await,
        };
        outcome.and_then(|value| ended.map(|()| value))
    }

    /// Removes the lock: there is no cluster any more.
    pub(crate) async fn end_for_good(self) -> Result<()> {
        self.lease.remove().await
    }
}
