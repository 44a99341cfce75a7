//! A run of an engine: its identity, what ends it early, and where its events go.

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;

use super::event::{Event, EventKind, EventSink, RunId};
use super::options::RunOptions;
use super::report::{Report, Stopped};
use crate::clock::Clock;
use crate::cloud::{Context, Memo, Priority, Scope};
use crate::policy::Policies;
use crate::{Error, Result};

/// One run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) id: RunId,
    pub(crate) scope: Arc<str>,
    events: EventSink,
    /// The caller's token.
    cancel: CancellationToken,
    /// The token of calls: cancelled with the caller's, or when the deadline passes.
    calls: CancellationToken,
    /// In the clock's monotonic time.
    deadline: Option<Duration>,
    policies: Policies,
    clock: Arc<dyn Clock>,
}

impl Run {
    pub(crate) fn new(scope: &Scope, clock: Arc<dyn Clock>, options: RunOptions) -> Self {
        let RunOptions { events, cancel, deadline, policies } = options;
        Self {
            id: RunId::random(),
            scope: scope.name().into(),
            events,
            calls: cancel.child_token(),
            cancel,
            deadline: deadline.map(|time| clock.elapsed().saturating_add(time)),
            policies,
            clock,
        }
    }

    /// Sends an event.
    pub(crate) fn tell(&self, kind: EventKind) {
        if self.events.is_open() {
            self.events.send(&Event { run: self.id, scope: self.scope.clone(), at: self.clock.now(), kind });
        }
    }

    /// Sends the last event.
    pub(crate) fn end(&self, outcome: &Result<Report>) {
        match outcome {
            Ok(report) => self.tell(EventKind::Ended { report: Arc::new(report.clone()) }),
            Err(error) => {
                tracing::warn!(error = %error, "the run did not start");
                self.tell(EventKind::Refused { error: Arc::new(error.clone()) });
            }
        }
    }

    pub(crate) fn policies(&self) -> &Policies {
        &self.policies
    }

    /// The context of calls.
    pub(crate) fn context(&self, priority: Priority) -> Context {
        Context { priority, cancel: self.calls.clone(), memo: Memo::default() }
    }

    /// Whether the run should end early.
    pub(crate) fn is_stopping(&self) -> bool {
        self.calls.is_cancelled()
    }

    /// Waits until the run should end early, and cancels its calls.
    pub(crate) async fn stopped(&self) -> Stopped {
        let deadline = async {
            match self.deadline {
                Some(at) => self.clock.sleep(at.saturating_sub(self.clock.elapsed())).await,
                None => pending().await,
            }
        };
        let stopped = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Stopped::Cancelled,
            () = deadline => Stopped::DeadlineExceeded,
        };
        self.calls.cancel();
        stopped
    }

    /// Returns the result of `work`, unless the run should end before.
    ///
    /// # Errors
    /// `Cancelled` or `DeadlineExceeded` if it should, and those of `work`.
    pub(crate) async fn until_stopped<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            stopped = self.stopped() => Err(Error::new(stopped.kind(), format!("{stopped} before its first step"))),
            outcome = work => outcome,
        }
    }
}

/// The result of a handler's work; a panic in it becomes an error of this step only.
///
/// No broken state is visible afterwards: everything that the work borrowed mutably is dropped with it, and handlers
/// keep their own invariants. If panics abort the process, this has no effect.
pub(crate) async fn guarded<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| Err(panicked(&*panic)))
}

/// The error for a panic.
pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    Error::internal(format!("the provider panicked: {said}"))
        .with_hint("report this defect of the provider; other steps are not affected")
}
