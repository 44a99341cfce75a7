//! Reports the result of each step: as an event, in the report, and to `tracing`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tracing::Span;

use super::event::EventKind;
use super::report::{Blocked, Cancelled, Done, Failed, Report, Stopped};
use super::run::Run;
use crate::Error;
use crate::clock::Clock;
use crate::cloud::Context;
use crate::graph::Key;
use crate::plan::{Action, Op, Step};

/// A running step: the context of its calls, and the number of attempts.
pub(crate) struct Doing<'a> {
    pub(crate) key: &'a Key,
    pub(crate) action: Action,
    pub(crate) cx: Context,
    /// The number of retries plus one.
    pub(crate) attempts: Arc<AtomicU32>,
}

/// Collects the report of a run and sends its events.
pub(super) struct Reporter<'a> {
    run: &'a Run,
    clock: Arc<dyn Clock>,
    begin: Duration,
    notes: Vec<Note>,
    report: Report,
}

/// The record of a step that has started.
#[derive(Clone)]
struct Note {
    started: Duration,
    attempts: Arc<AtomicU32>,
    span: Span,
}

/// The action of a step in events and reports. Waiting for an object that was created before counts as its creation.
/// Waiting for the deletion of an object is a part of creating its replacement, and not reported.
fn told(op: &Op) -> Option<Action> {
    match op {
        Op::Settle { .. } => Some(Action::Create),
        Op::Vanish { .. } => None,
        _ => op.action(),
    }
}

/// The action of a step in failures, which are always reported.
fn action(op: &Op) -> Action {
    told(op).unwrap_or(Action::Delete)
}

impl<'a> Reporter<'a> {
    pub(super) fn new(run: &'a Run, clock: Arc<dyn Clock>, steps: &[Step]) -> Self {
        let idle = Note { started: Duration::ZERO, attempts: Arc::default(), span: Span::none() };
        let begin = clock.elapsed();
        let ahead = steps.iter().filter(|step| told(&step.op).is_some()).count();
        tracing::debug!(steps = ahead, "run started");
        run.tell(EventKind::RunStarted { steps: ahead });
        let report = Report::new(run.id, run.scope.clone());
        Self { run, clock, begin, notes: vec![idle; steps.len()], report }
    }

    fn now(&self) -> Duration {
        self.clock.elapsed().saturating_sub(self.begin)
    }

    /// The duration of a step so far, and its number of attempts.
    fn effort(&self, index: usize) -> (Duration, u32) {
        let note = &self.notes[index];
        (self.now().saturating_sub(note.started), note.attempts.load(Ordering::Relaxed))
    }

    /// A step starts; `cx` is the context of its calls.
    pub(super) fn started<'s>(&mut self, index: usize, step: &'s Step, cx: Context) -> (Doing<'s>, Span) {
        let action = action(&step.op);
        let span = tracing::info_span!("kops.step", task = %step.key, action = %action);
        let attempts = Arc::new(AtomicU32::new(1));
        let note = Note { started: self.now(), attempts: attempts.clone(), span: span.clone() };
        self.notes[index] = note;
        if told(&step.op).is_some() {
            self.run.tell(EventKind::Started { task: step.key.clone(), action });
        }
        (Doing { key: &step.key, action, cx, attempts }, span)
    }

    /// The call of a step succeeded, and its object is awaited.
    pub(super) fn settling(&self, index: usize, step: &Step) {
        self.notes[index].span.in_scope(|| tracing::debug!("waiting for the object"));
        if let Some(action) = told(&step.op) {
            self.run.tell(EventKind::Settling { task: step.key.clone(), action });
        }
    }

    /// A step succeeded.
    pub(super) fn done(&mut self, index: usize, step: &Step, id: String) {
        let (took, attempts) = self.effort(index);
        let note = &mut self.notes[index];
        note.span.in_scope(|| tracing::info!(%id, took_ms = took.as_millis(), attempts, "step done"));
        note.span = Span::none();
        let started = note.started;
        if let Some(action) = told(&step.op) {
            let task = step.key.clone();
            self.run.tell(EventKind::Finished { task: task.clone(), action, id: id.clone(), took, attempts });
            self.report.done.push(Done { task, action, id, started, took, attempts });
        }
    }

    /// A step failed.
    pub(super) fn failed(&mut self, index: usize, step: &Step, error: Arc<Error>) {
        let (took, attempts) = self.effort(index);
        let span = std::mem::replace(&mut self.notes[index].span, Span::none());
        let kind = error.kind();
        span.in_scope(|| tracing::error!(%error, %kind, took_ms = took.as_millis(), attempts, "step failed"));
        let (task, action) = (step.key.clone(), action(&step.op));
        let told = EventKind::Failed { task: task.clone(), action, error: error.clone(), took, attempts };
        self.run.tell(told);
        self.report.failed.push(Failed { task, action, error, took, attempts });
    }

    /// A step that had started is abandoned.
    pub(super) fn cancelled(&mut self, index: usize, step: &Step) {
        let (took, attempts) = self.effort(index);
        let span = std::mem::replace(&mut self.notes[index].span, Span::none());
        span.in_scope(|| tracing::warn!(took_ms = took.as_millis(), attempts, "step cancelled"));
        let (task, action) = (step.key.clone(), action(&step.op));
        self.run.tell(EventKind::Cancelled { task: task.clone(), action, took, attempts });
        self.report.cancelled.push(Cancelled { task, action, took, attempts });
    }

    /// A step will not start, because `by` failed.
    pub(super) fn blocked(&mut self, step: &Step, by: &Key) {
        if let Some(action) = told(&step.op) {
            let (task, by) = (step.key.clone(), by.clone());
            self.run.tell(EventKind::Blocked { task: task.clone(), action, by: by.clone() });
            self.report.blocked.push(Blocked { task, action, by });
        }
    }

    /// A step was not started before the run was stopped.
    pub(super) fn not_started(&mut self, step: &Step) {
        if told(&step.op).is_some() {
            self.report.not_started.push(step.key.clone());
        }
    }

    /// The report of the run.
    pub(super) fn end(mut self, stopped: Option<Stopped>) -> Report {
        // Stopped after its last step: nothing is missing.
        self.report.took = self.now();
        if !self.report.is_complete() {
            self.report.stopped = stopped;
        }
        let Report { done, failed, cancelled, blocked, not_started, took, .. } = &self.report;
        tracing::info!(
            done = done.len(),
            failed = failed.len(),
            cancelled = cancelled.len(),
            blocked = blocked.len(),
            not_started = not_started.len(),
            took_ms = took.as_millis(),
            "run ended"
        );
        self.report
    }
}
