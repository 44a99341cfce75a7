//! What came of an application.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::graph::Key;
use crate::plan::Action;
use crate::{Error, ErrorKind, GraphOutputs, Result};

/// What came of every step of a plan. Nothing is left out: each is done, failed, blocked or not begun.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What was done, in the order in which it was finished.
    pub done: Vec<Done>,
    /// What failed for good.
    pub failed: Vec<Failed>,
    /// What was not tried because something it needs failed.
    pub blocked: Vec<Blocked>,
    /// What was not tried because the application was cancelled.
    pub not_begun: Vec<Key>,
    /// How long it all took.
    pub took: Duration,
    /// What the graph's tasks put out, as far as their objects exist now.
    pub(crate) outputs: GraphOutputs,
}

/// A step that was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// The task.
    pub task: Key,
    /// What was done.
    pub action: Action,
    /// The object's identifier.
    pub id: String,
    /// From the start of the application to the start of the step.
    pub started: Duration,
    /// How long the step took, waiting for the object included.
    pub took: Duration,
}

/// A step that failed.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The task.
    pub task: Key,
    /// What was tried.
    pub action: Action,
    /// Why it failed.
    pub error: Arc<Error>,
}

/// A step that could not be tried.
#[derive(Clone, Debug, PartialEq)]
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

    /// Whether everything was done.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.blocked.is_empty() && self.not_begun.is_empty()
    }

    /// The report, if everything was done.
    ///
    /// # Errors
    /// The kind of the first failure (`Cancelled` when there is none), with every failure in the message.
    pub fn into_result(self) -> Result<Self> {
        if self.is_complete() {
            return Ok(self);
        }
        let kind = self.failed.first().map_or(ErrorKind::Cancelled, |failed| failed.error.kind());
        Err(Error::new(kind, self.to_string()).with_hint("run again: what has been done is kept"))
    }
}

impl fmt::Display for Report {
    /// A line of counts, then each failure and what it blocked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} done", self.done.len())?;
        for (count, what) in [
            (self.failed.len(), "failed"),
            (self.blocked.len(), "blocked"),
            (self.not_begun.len(), "not begun"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        for failed in &self.failed {
            write!(f, "\n  cannot {} {}: {}", failed.action, failed.task, failed.error.without_task())?;
            let blocked = self.blocked.iter().filter(|blocked| blocked.by == failed.task).count();
            if blocked > 0 {
                write!(f, "\n    {blocked} steps wait for it")?;
            }
        }
        Ok(())
    }
}
