//! One run of an engine: who it is, what ends it early, and where its events go.

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
    /// The caller's.
    cancel: CancellationToken,
    /// What calls see: cancelled with the caller's, or when the deadline passes.
    calls: CancellationToken,
    /// By the clock's monotonic time.
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

    /// Tells what happened.
    pub(crate) fn tell(&self, kind: EventKind) {
        if self.events.is_open() {
            self.events.send(&Event { run: self.id, scope: self.scope.clone(), at: self.clock.now(), kind });
        }
    }

    /// Tells how it ended.
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

    /// What calls take along.
    pub(crate) fn context(&self, priority: Priority) -> Context {
        Context { priority, cancel: self.calls.clone(), memo: Memo::default() }
    }

    /// Whether the run is to end early.
    pub(crate) fn is_stopping(&self) -> bool {
        self.calls.is_cancelled()
    }

    /// Returns when the run is to end early, and has its calls see it.
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

    /// The outcome of `work`, unless the run is to end before.
    ///
    /// # Errors
    /// `Cancelled` or `DeadlineExceeded` when it is, and those of `work`.
    pub(crate) async fn until_stopped<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            stopped = self.stopped() => Err(Error::new(stopped.kind(), format!("{stopped} before its first step"))),
            outcome = work => outcome,
        }
    }
}

/// The outcome of a handler's work; a panic in it is an error of what it worked for, and of nothing else.
///
/// Nothing here is seen in a state that the panic left: what the work borrowed for writing goes with it, and handlers
/// keep their own invariants. Where panics abort the process there is nothing to catch.
pub(crate) async fn guarded<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| Err(panicked(&*panic)))
}

/// An error that tells a panic.
pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    Error::internal(format!("the provider panicked: {said}"))
        .with_hint("this is a defect of the provider: report it; the other steps are not affected")
}
