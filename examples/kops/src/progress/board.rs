//! The state of an application in progress.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::time::Duration;

use kops_core::Error;
use kops_core::apply::EventKind;
use kops_core::graph::{Key, Wait};
use kops_core::plan::{Action, Dependency, Plan};

/// The number of waiting steps that are shown.
const WAITING: usize = 3;

/// The planned steps, the running ones, and the results.
#[derive(Debug)]
pub(super) struct Board {
    steps: usize,
    done: usize,
    failed: usize,
    blocked: usize,
    /// In the order in which they started.
    running: Vec<Running>,
    /// Steps that have not started, in the plan's order, with their dependencies.
    waiting: Vec<(Key, Vec<Dependency>)>,
    /// Tasks whose objects exist.
    created: HashSet<Key>,
    /// Tasks whose objects are ready, or deleted.
    ready: HashSet<Key>,
}

#[derive(Debug)]
struct Running {
    task: Key,
    action: Action,
    since: Duration,
    state: Phase,
}

#[derive(Debug)]
enum Phase {
    Calling,
    Settling,
    Retrying { why: String, at: Duration },
}

impl Board {
    pub(super) fn new(plan: &Plan) -> Self {
        let waiting =
            plan.changes.iter().map(|change| (change.task.clone(), change.waits_for.clone())).collect();
        Self {
            steps: plan.changes.len(),
            done: 0,
            failed: 0,
            blocked: 0,
            running: Vec::new(),
            waiting,
            created: HashSet::new(),
            ready: HashSet::new(),
        }
    }

    /// Records an event; returns the lines that stay.
    pub(super) fn note(&mut self, event: &EventKind, now: Duration) -> Vec<String> {
        match event {
            EventKind::RunStarted { steps } => {
                self.steps = *steps;
                Vec::new()
            }
            EventKind::Started { task, action } => {
                self.waiting.retain(|(waiting, _)| waiting != task);
                self.running.push(Running {
                    task: task.clone(),
                    action: *action,
                    since: now,
                    state: Phase::Calling,
                });
                Vec::new()
            }
            EventKind::Retrying { task, action, error, wait, .. } => {
                let why = reason(task, error);
                let line = format!("{}  {task}: {why}; retrying in {}", self.counter(), span(*wait));
                if let Some(step) = self.step(task, *action) {
                    step.state = Phase::Retrying { why: error.kind().to_string(), at: now + *wait };
                }
                vec![line]
            }
            EventKind::Settling { task, action } => {
                self.created.insert(task.clone());
                if let Some(step) = self.step(task, *action) {
                    step.state = Phase::Settling;
                }
                Vec::new()
            }
            EventKind::Finished { task, action, id, took, .. } => {
                self.done += 1;
                self.running.retain(|step| !(step.task == *task && step.action == *action));
                self.created.insert(task.clone());
                self.ready.insert(task.clone());
                vec![format!("{}  {} {task} ({id}) in {}", self.counter(), past(*action), span(*took))]
            }
            EventKind::Failed { task, action, error, .. } => {
                self.failed += 1;
                self.running.retain(|step| !(step.task == *task && step.action == *action));
                vec![format!("{}  cannot {action} {task}: {}", self.counter(), reason(task, error))]
            }
            EventKind::Cancelled { task, action, .. } => {
                self.running.retain(|step| !(step.task == *task && step.action == *action));
                vec![format!("{}  gave up: {action} {task}", self.counter())]
            }
            EventKind::Blocked { task, by, .. } => {
                self.blocked += 1;
                self.waiting.retain(|(waiting, _)| waiting != task);
                vec![format!("{}  {task} skipped: {by} failed", self.counter())]
            }
            _ => Vec::new(),
        }
    }

    /// The overall progress, in one line.
    pub(super) fn headline(&self) -> String {
        let mut text = format!("{} of {} done, {} running", self.done, self.steps, self.running.len());
        for (count, what) in
            [(self.waiting.len(), "waiting"), (self.failed, "failed"), (self.blocked, "blocked")]
        {
            if count > 0 {
                let _ = write!(text, ", {count} {what}");
            }
        }
        text
    }

    /// Running and waiting steps, in at most `most` lines.
    pub(super) fn lines(&self, now: Duration, most: usize) -> Vec<String> {
        let waiting = self.waiting_lines();
        let room = most.saturating_sub(waiting.len()).max(1);
        let mut lines: Vec<String> = self.running.iter().take(room).map(|step| step.line(now)).collect();
        if self.running.len() > room {
            lines.pop();
            lines.push(format!("  and {} more", self.running.len() - lines.len()));
        }
        lines.extend(waiting);
        lines
    }

    /// Steps that wait for running ones come first, because they are next.
    fn waiting_lines(&self) -> Vec<String> {
        let running: HashMap<&Key, &Running> = self.running.iter().map(|step| (&step.task, step)).collect();
        let next = self.waiting.iter().filter_map(|(task, needs)| {
            let open = needs.iter().find(|need| !self.is_met(need) && running.contains_key(&need.task))?;
            let until = if open.until == Wait::Ready { " to be ready" } else { "" };
            Some(format!("  {task} waits for {}{until}", open.task))
        });
        next.take(WAITING).collect()
    }

    fn is_met(&self, need: &Dependency) -> bool {
        match need.until {
            Wait::Created => self.created.contains(&need.task),
            Wait::Ready => self.ready.contains(&need.task),
        }
    }

    fn step(&mut self, task: &Key, action: Action) -> Option<&mut Running> {
        self.running.iter_mut().find(|step| step.task == *task && step.action == action)
    }

    fn counter(&self) -> String {
        let width = self.steps.to_string().len();
        format!("[{:width$}/{}]", self.done, self.steps)
    }
}

impl Running {
    fn line(&self, now: Duration) -> String {
        let (task, since) = (&self.task, span(now.saturating_sub(self.since)));
        match &self.state {
            Phase::Calling => format!("  {} {task}, {since}", present(self.action)),
            Phase::Settling if self.action == Action::Delete => {
                format!("  waiting for {task} to be deleted, {since}")
            }
            Phase::Settling => format!("  waiting for {task} to be ready, {since}"),
            Phase::Retrying { why, at } => {
                format!("  {task}: {why}; retrying in {}", span(at.saturating_sub(now)))
            }
        }
    }
}

/// An error of a task, without the task's name.
fn reason(task: &Key, error: &Error) -> String {
    let text = error.to_string();
    text.strip_prefix(&format!("{task}: ")).map(str::to_owned).unwrap_or(text)
}

fn present(action: Action) -> &'static str {
    match action {
        Action::Create => "creating",
        Action::Update => "updating",
        Action::Replace => "replacing",
        Action::Adopt => "adopting",
        Action::Delete => "deleting",
    }
}

fn past(action: Action) -> &'static str {
    match action {
        Action::Create => "created",
        Action::Update => "updated",
        Action::Replace => "replaced",
        Action::Adopt => "adopted",
        Action::Delete => "deleted",
    }
}

/// A duration, with a sensible precision.
pub(crate) fn span(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        seconds @ 10..120 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kops_core::ErrorKind;

    use super::*;

    fn key(text: &str) -> Key {
        let (kind, name) = text.split_once('/').unwrap();
        Key::new(kind, name)
    }

    fn board() -> Board {
        let need = |task: &str, until| Dependency::new(key(task), until);
        Board {
            steps: 3,
            done: 0,
            failed: 0,
            blocked: 0,
            running: Vec::new(),
            waiting: vec![
                (key("Network/main"), Vec::new()),
                (key("Subnet/a"), vec![need("Network/main", Wait::Created)]),
                (key("NatGateway/a"), vec![need("Subnet/a", Wait::Ready)]),
            ],
            created: HashSet::new(),
            ready: HashSet::new(),
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_runs_and_what_waits_for_it_is_shown() {
        let mut board = board();
        let started = EventKind::Started { task: key("Network/main"), action: Action::Create };
        assert_eq!(board.note(&started, seconds(0)), Vec::<String>::new());
        assert_eq!(board.headline(), "0 of 3 done, 1 running, 2 waiting");
        let shown = ["  creating Network/main, 1.0 s", "  Subnet/a waits for Network/main"];
        assert_eq!(board.lines(seconds(1), 9), shown);

        board.note(&EventKind::Settling { task: key("Network/main"), action: Action::Create }, seconds(2));
        assert_eq!(board.lines(seconds(20), 9), ["  waiting for Network/main to be ready, 20 s"]);

        let error = Arc::new(Error::new(ErrorKind::Throttled, "slow down"));
        let retrying = EventKind::Retrying {
            task: key("Network/main"),
            action: Action::Create,
            attempt: 2,
            error,
            wait: seconds(4),
        };
        let lines = board.note(&retrying, seconds(20));
        assert_eq!(lines, ["[0/3]  Network/main: throttled: slow down; retrying in 4.0 s"]);
        assert_eq!(board.lines(seconds(21), 9), ["  Network/main: throttled; retrying in 3.0 s"]);

        let done = EventKind::Finished {
            task: key("Network/main"),
            action: Action::Create,
            id: "net-1".to_owned(),
            took: seconds(130),
            attempts: 2,
        };
        assert_eq!(board.note(&done, seconds(130)), ["[1/3]  created Network/main (net-1) in 2 min 10 s"]);
    }

    #[test]
    fn failures_and_what_they_block_stay() {
        let mut board = board();
        board.note(&EventKind::Started { task: key("Network/main"), action: Action::Create }, seconds(0));
        let error = Arc::new(Error::new(ErrorKind::Denied, "not you"));
        let failed = EventKind::Failed {
            task: key("Network/main"),
            action: Action::Create,
            error,
            took: seconds(1),
            attempts: 1,
        };
        assert_eq!(
            board.note(&failed, seconds(1)),
            ["[0/3]  cannot create Network/main: permission denied: not you"]
        );
        let blocked =
            EventKind::Blocked { task: key("Subnet/a"), action: Action::Create, by: key("Network/main") };
        assert_eq!(board.note(&blocked, seconds(1)), ["[0/3]  Subnet/a skipped: Network/main failed"]);
        assert_eq!(board.headline(), "0 of 3 done, 0 running, 1 waiting, 1 failed, 1 blocked");
    }

    #[test]
    fn many_that_run_fit_into_few_lines() {
        let mut board = board();
        for number in 0..20 {
            let task = Key::new("Subnet", &number.to_string());
            board.note(&EventKind::Started { task, action: Action::Create }, seconds(0));
        }
        let lines = board.lines(seconds(1), 5);
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[4], "  and 16 more");
    }
}
