//! Work on a cluster under its lock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kops_cluster::registry::ClusterStore;
use kops_core::apply::{EventSink, Report};
use kops_core::plan::Plan;
use kops_core::store::{LeaseRequest, Operation};
use kops_core::{Engine, Result, RunOptions};
use tokio_util::sync::CancellationToken;

use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::{environment, output};

/// Works on a cluster under its lock, waiting for `patience` while the lock is held; stops when the user interrupts.
pub(crate) async fn operate<T, F>(
    store: &ClusterStore,
    purpose: &str,
    patience: Duration,
    work: impl FnOnce(Operation) -> F,
) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let told = AtomicBool::new(false);
    let request =
        LeaseRequest::new(environment::holder(purpose)).patience(patience).on_wait(move |record, _| {
            if let Some(holder) = &record.holder
                && !told.swap(true, Ordering::Relaxed)
            {
                output::note(format_args!(
                    "waiting for the lock, held by {holder} since {}",
                    record.acquired
                ));
            }
        });
    let cancel = CancellationToken::new();
    let _interrupt = Interrupt::cancels(cancel.clone());
    store.operate(request, cancel, work).await
}

/// Options of runs that end when the operation is cancelled.
pub(crate) fn options(operation: &Operation) -> RunOptions {
    RunOptions::new().cancel(operation.cancel())
}

/// Applies a plan that was created under the lock, and shows progress.
pub(crate) async fn apply(operation: &Operation, engine: &Engine, plan: &Plan) -> Result<Report> {
    let (sink, stream) = EventSink::channel();
    let progress = tokio::spawn(Progress::new(plan, engine.cloud().clock()).show(stream));
    let report = engine.apply_now_with(plan, options(operation).events(sink)).await;
    // It ends with the stream; if it failed, the report is complete nevertheless.
    let _ = progress.await;
    report
}
