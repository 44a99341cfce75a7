//! The result of a run.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::event::RunId;
use crate::graph::Key;
use crate::plan::Action;
use crate::{Error, ErrorKind, GraphOutputs, Result};

/// The version of the JSON form of [`Report`]; it increases if a member is removed or its meaning changes.
pub const REPORT_FORMAT: &str = "kops.report/v1";

/// The result of every step of a plan. It is complete: each step is done, failed, cancelled, blocked or not started.
///
/// # JSON form
/// The fields by their names, `format` ([`REPORT_FORMAT`]) and `complete` ([`is_complete`](Self::is_complete));
/// durations are in milliseconds and named `…_ms`; `stopped` is `null` for a run that was not stopped. The schema is
/// `schemas/report.v1.json`. Members may be added within a format version, so readers should ignore what they do not
/// know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The run.
    pub run: RunId,
    /// The name of the run's scope.
    pub scope: Arc<str>,
    /// The successful steps, in order of completion.
    pub done: Vec<Done>,
    /// The failed steps.
    pub failed: Vec<Failed>,
    /// The steps that had started and were abandoned because the run was stopped. The next run observes their
    /// effects.
    pub cancelled: Vec<Cancelled>,
    /// The steps that were not started because a step that they depend on failed.
    pub blocked: Vec<Blocked>,
    /// The tasks whose steps were not started because the run was stopped before.
    pub not_started: Vec<Key>,
    /// Why the run ended early, if it did.
    pub stopped: Option<Stopped>,
    /// The duration of the run.
    pub took: Duration,
    /// The outputs of the graph's tasks, as far as their objects exist.
    pub(crate) outputs: GraphOutputs,
}

/// Why a run ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stopped {
    /// It was cancelled.
    Cancelled,
    /// The deadline of the run passed.
    DeadlineExceeded,
}

impl Stopped {
    /// The kind of the corresponding error.
    pub(crate) fn kind(self) -> ErrorKind {
        match self {
            Self::Cancelled => ErrorKind::Cancelled,
            Self::DeadlineExceeded => ErrorKind::DeadlineExceeded,
        }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "the run was cancelled",
            Self::DeadlineExceeded => "the run's deadline was exceeded",
        })
    }
}

/// A successful step.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Done {
    /// The task.
    pub task: Key,
    /// The action.
    pub action: Action,
    /// The object's identifier.
    pub id: String,
    /// The time from the start of the run to the start of the step.
    #[serde(rename = "started_ms", serialize_with = "millis")]
    pub started: Duration,
    /// The duration of the step, including waiting for the object.
    #[serde(rename = "took_ms", serialize_with = "millis")]
    pub took: Duration,
    /// The number of attempts of its calls: the number of retries plus one.
    pub attempts: u32,
}

/// A step that failed.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Failed {
    /// The task.
    pub task: Key,
    /// The action.
    pub action: Action,
    /// The cause.
    #[serde(serialize_with = "shared")]
    pub error: Arc<Error>,
    /// The duration of the step.
    #[serde(rename = "took_ms", serialize_with = "millis")]
    pub took: Duration,
    /// The number of attempts.
    pub attempts: u32,
}

/// A step that had started and was abandoned.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Cancelled {
    /// The task.
    pub task: Key,
    /// The action.
    pub action: Action,
    /// The duration of the step so far.
    #[serde(rename = "took_ms", serialize_with = "millis")]
    pub took: Duration,
    /// The number of attempts.
    pub attempts: u32,
}

/// A step that could not be started.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Blocked {
    /// The task.
    pub task: Key,
    /// The action.
    pub action: Action,
    /// The failed task.
    pub by: Key,
}

impl Report {
    /// The outputs of the graph's tasks, as far as their objects exist.
    pub fn outputs(&self) -> GraphOutputs {
        self.outputs.clone()
    }

    pub(super) fn new(run: RunId, scope: Arc<str>) -> Self {
        Self {
            run,
            scope,
            done: Vec::new(),
            failed: Vec::new(),
            cancelled: Vec::new(),
            blocked: Vec::new(),
            not_started: Vec::new(),
            stopped: None,
            took: Duration::ZERO,
            outputs: GraphOutputs::default(),
        }
    }

    /// Whether all steps are done.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty()
            && self.cancelled.is_empty()
            && self.blocked.is_empty()
            && self.not_started.is_empty()
            && self.stopped.is_none()
    }

    /// The report, if all steps are done.
    ///
    /// # Errors
    /// The kind of the first failure; without failures, the run was stopped: `Cancelled` or `DeadlineExceeded`. The
    /// message is the report, and [`Error::errors`] returns the failures.
    pub fn into_result(self) -> Result<Self> {
        if self.is_complete() {
            return Ok(self);
        }
        let stopped = self.stopped.map_or(ErrorKind::Internal, Stopped::kind);
        let kind = self.failed.first().map_or(stopped, |failed| failed.error.kind());
        Err(Error::new(kind, self.to_string())
            .with_hint("run again; completed steps are kept")
            .with_errors(self.failed.iter().map(|failed| Error::clone(&failed.error)).collect()))
    }
}

impl fmt::Display for Report {
    /// A line with the counts, then the reason for ending early, and each failure with the number of steps it
    /// blocked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} done", self.done.len())?;
        for (count, what) in [
            (self.failed.len(), "failed"),
            (self.cancelled.len(), "cancelled"),
            (self.blocked.len(), "blocked"),
            (self.not_started.len(), "not started"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        if let Some(stopped) = self.stopped {
            write!(f, "\n  {stopped}")?;
        }
        for failed in &self.failed {
            write!(f, "\n  cannot {} {}: {}", failed.action, failed.task, failed.error.without_task())?;
            match self.blocked.iter().filter(|blocked| blocked.by == failed.task).count() {
                0 => {}
                1 => write!(f, "\n    1 step depends on it")?,
                blocked => write!(f, "\n    {blocked} steps depend on it")?,
            }
        }
        for cancelled in &self.cancelled {
            write!(f, "\n  cancelled: {} {}", cancelled.action, cancelled.task)?;
        }
        Ok(())
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Form<'a> {
            format: &'static str,
            run: RunId,
            scope: &'a str,
            complete: bool,
            stopped: Option<Stopped>,
            #[serde(serialize_with = "millis")]
            took_ms: Duration,
            done: &'a [Done],
            failed: &'a [Failed],
            cancelled: &'a [Cancelled],
            blocked: &'a [Blocked],
            not_started: &'a [Key],
        }
        let complete = self.is_complete();
        let Self { run, scope, done, failed, cancelled, blocked, not_started, stopped, took, outputs: _ } =
            self;
        let (run, stopped, took_ms, format) = (*run, *stopped, *took, REPORT_FORMAT);
        Form { format, run, scope, complete, stopped, took_ms, done, failed, cancelled, blocked, not_started }
            .serialize(serializer)
    }
}

/// Whole milliseconds.
pub(super) fn millis<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// Serialises the shared value.
pub(super) fn shared<T: Serialize, S: Serializer>(value: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error> {
    T::serialize(value, serializer)
}
