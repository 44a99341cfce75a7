//! What came of a run.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::event::RunId;
use crate::graph::Key;
use crate::plan::Action;
use crate::{Error, ErrorKind, GraphOutputs, Result};

/// The version of the JSON form of [`Report`]; grows when a member changes its meaning or goes.
pub const REPORT_FORMAT: &str = "kops.report/v1";

/// What came of every step of a plan. Nothing is left out: each step is done, failed, cancelled, blocked or not started.
///
/// # JSON form
/// The fields by their names, `format` ([`REPORT_FORMAT`]) and `complete` ([`is_complete`](Self::is_complete));
/// durations are milliseconds and named `…_ms`; `stopped` is `null` for a run that was not stopped. The schema is
/// `schemas/report.v1.json`. New members may come within a format, so readers ignore what they do not know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The run.
    pub run: RunId,
    /// The name of the run's scope.
    pub scope: Arc<str>,
    /// What was done, in the order in which it was finished.
    pub done: Vec<Done>,
    /// What failed for good.
    pub failed: Vec<Failed>,
    /// What had started and was given up, because the run was stopped. The next run sees what came of it.
    pub cancelled: Vec<Cancelled>,
    /// What was not started because something it needs failed.
    pub blocked: Vec<Blocked>,
    /// What was not started because the run was stopped before.
    pub not_started: Vec<Key>,
    /// Why the run ended early, if it did.
    pub stopped: Option<Stopped>,
    /// How long the run took.
    pub took: Duration,
    /// What the graph's tasks put out, as far as their objects exist now.
    pub(crate) outputs: GraphOutputs,
}

/// Why a run ended before everything was decided.
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
    /// The kind of an error that tells it.
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

/// A step that was done.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Done {
    /// The task.
    pub task: Key,
    /// What was done.
    pub action: Action,
    /// The object's identifier.
    pub id: String,
    /// From the start of the run to the start of the step.
    #[serde(rename = "started_ms", serialize_with = "millis")]
    pub started: Duration,
    /// How long the step took, waiting for the object included.
    #[serde(rename = "took_ms", serialize_with = "millis")]
    pub took: Duration,
    /// The number of attempts: one more than calls that were repeated.
    pub attempts: u32,
}

/// A step that failed.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Failed {
    /// The task.
    pub task: Key,
    /// What was tried.
    pub action: Action,
    /// Why it failed.
    #[serde(serialize_with = "shared")]
    pub error: Arc<Error>,
    /// How long the step took.
    #[serde(rename = "took_ms", serialize_with = "millis")]
    pub took: Duration,
    /// The number of attempts.
    pub attempts: u32,
}

/// A step that had started and was given up.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Cancelled {
    /// The task.
    pub task: Key,
    /// What was under way.
    pub action: Action,
    /// How long the step took so far.
    #[serde(rename = "took_ms", serialize_with = "millis")]
    pub took: Duration,
    /// The number of attempts.
    pub attempts: u32,
}

/// A step that could not be tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Blocked {
    /// The task.
    pub task: Key,
    /// What would have been done.
    pub action: Action,
    /// The failed task at the root of it.
    pub by: Key,
}

impl Report {
    /// The outputs of the graph's tasks, as far as their objects exist now.
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

    /// Whether everything was done.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty()
            && self.cancelled.is_empty()
            && self.blocked.is_empty()
            && self.not_started.is_empty()
            && self.stopped.is_none()
    }

    /// The report, if everything was done.
    ///
    /// # Errors
    /// The kind of the first failure. Where nothing failed the run was stopped: `Cancelled` or `DeadlineExceeded`. The
    /// message is the report, and [`Error::errors`] are the failures.
    pub fn into_result(self) -> Result<Self> {
        if self.is_complete() {
            return Ok(self);
        }
        let stopped = self.stopped.map_or(ErrorKind::Internal, Stopped::kind);
        let kind = self.failed.first().map_or(stopped, |failed| failed.error.kind());
        Err(Error::new(kind, self.to_string())
            .with_hint("run again: what has been done is kept")
            .with_errors(self.failed.iter().map(|failed| Error::clone(&failed.error)).collect()))
    }
}

impl fmt::Display for Report {
    /// A line of counts, then why the run ended early, each failure and how much it blocked.
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
                1 => write!(f, "\n    1 step needs it")?,
                blocked => write!(f, "\n    {blocked} steps need it")?,
            }
        }
        for cancelled in &self.cancelled {
            write!(f, "\n  gave up: {} {}", cancelled.action, cancelled.task)?;
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

/// What is shared, as it would be alone.
pub(super) fn shared<T: Serialize, S: Serializer>(value: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error> {
    T::serialize(value, serializer)
}
