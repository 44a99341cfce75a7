//! The steps of a plan, and their dependencies.
//!
//! Four rules determine the edges:
//! 1. A create or update follows the steps of the tasks it depends on, until their object exists or is ready.
//! 2. A deletion follows everything that still uses the object: the deletion of objects that refer to it, the update
//!    of those that refer to it only now, and the deletion of the kinds named by
//!    [`Handler::delete_after`](crate::cloud::Handler::delete_after).
//! 3. In a replacement, the deletion comes first or last, depending on the kind.
//! 4. An object that is being deleted already is waited for before another one with its key is created.
//!
//! If the rules contradict each other, no order of the replacement is possible; the error shows the cycle.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::cloud::Native;
use crate::cloud::{
    Cloud, DynHandler, IdentityClass, Observed, Replacement, Scope, State, Timing, handler_of,
};
use crate::graph::{Key, TaskGraph, Wait, sort};
use crate::{Error, GraphOutputs, Result, Snapshot};

use super::fingerprint::Decided;
use super::{Action, Pruning};

/// Everything that applying a plan needs.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) scope: Scope,
    pub(crate) cloud: String,
    pub(crate) location: String,
    pub(crate) native: Arc<Native>,
    /// Its tasks.
    pub(crate) graph: Arc<TaskGraph>,
    pub(crate) pruning: Pruning,
    pub(crate) snapshot: Arc<Snapshot>,
    /// The objects of the tasks that exist and are kept.
    pub(crate) objects: HashMap<Key, Arc<Observed>>,
    /// The outputs that are known before applying.
    pub(crate) outputs: GraphOutputs,
    pub(crate) steps: Vec<Step>,
    pub(crate) decided: Decided,
}

/// One step.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) key: Key,
    pub(crate) op: Op,
    /// The steps it depends on.
    pub(crate) needs: Vec<(usize, Wait)>,
    /// The duration of this step and everything that depends on it.
    pub(crate) remaining: Duration,
}

/// The operation of a step.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// Creates the task's object.
    Create,
    /// Updates the task's object.
    Update { object: Arc<Observed>, changed: BTreeSet<String> },
    /// Marks an object as the task's, and updates it.
    Adopt { object: Arc<Observed>, changed: BTreeSet<String> },
    /// Deletes an object.
    Delete { object: Arc<Observed> },
    /// Waits until an existing object is ready.
    Settle { object: Arc<Observed> },
    /// Waits until an object that is being deleted is gone.
    Vanish { object: Arc<Observed> },
}

impl Op {
    /// The action on the object; `None` if it only waits.
    pub(crate) fn action(&self) -> Option<Action> {
        match self {
            Self::Create { .. } => Some(Action::Create),
            Self::Update { .. } => Some(Action::Update),
            Self::Adopt { .. } => Some(Action::Adopt),
            Self::Delete { .. } => Some(Action::Delete),
            Self::Settle { .. } | Self::Vanish { .. } => None,
        }
    }

    /// As a verb, for messages about cycles.
    fn verb(&self) -> &'static str {
        self.action().map_or("wait for", Action::verb)
    }
}

/// The decision about a task or an object, before the steps are ordered.
#[derive(Debug)]
pub(crate) struct Decision<'a> {
    pub(crate) key: Key,
    /// `None`: no change.
    pub(crate) action: Option<Action>,
    /// The task's existing object.
    pub(crate) object: Option<&'a Arc<Observed>>,
    /// Members of the specification that differ.
    pub(crate) changed: BTreeSet<String>,
    /// Objects with the same key that are dead or dying.
    pub(crate) dying: Vec<&'a Arc<Observed>>,
}

/// Orders decisions into steps.
pub(crate) fn order(
    cloud: &dyn Cloud,
    graph: &TaskGraph,
    snapshot: &Snapshot,
    decisions: &[Decision<'_>],
) -> Result<Vec<Step>> {
    let mut steps = Builder::new(cloud, graph);
    steps.add(decisions)?;
    steps.connect_tasks(decisions);
    steps.connect_deletions(snapshot, decisions)?;
    steps.finish()
}

struct Builder<'a> {
    graph: &'a TaskGraph,
    handlers: HashMap<&'static str, &'a dyn DynHandler>,
    steps: Vec<Step>,
    /// The step after which a task's object exists.
    made: HashMap<Key, usize>,
    /// The step after which an object is gone, by kind and identifier.
    gone: HashMap<(String, String), usize>,
}

impl<'a> Builder<'a> {
    fn new(cloud: &'a dyn Cloud, graph: &'a TaskGraph) -> Self {
        let handlers = cloud.handlers().iter().map(|handler| (handler.kind(), &**handler)).collect();
        Self { graph, handlers, steps: Vec::new(), made: HashMap::new(), gone: HashMap::new() }
    }

    fn push(&mut self, key: &Key, op: Op) -> usize {
        self.steps.push(Step { key: key.clone(), op, needs: Vec::new(), remaining: Duration::ZERO });
        self.steps.len() - 1
    }

    fn push_end(&mut self, key: &Key, observed: &Observed, op: Op) -> usize {
        let step = self.push(key, op);
        self.gone.insert((key.kind().to_owned(), observed.object.id.clone()), step);
        step
    }

    fn replacement(&self, key: &Key, old: &Observed) -> Replacement {
        let Some(handler) = self.handlers.get(key.kind()) else { return Replacement::DeleteFirst };
        let failed = matches!(old.object.state, State::Failed(_));
        if failed && handler.identity() == IdentityClass::Named {
            // It uses the name that the new one needs, and is of no further use.
            return Replacement::DeleteFirst;
        }
        handler.replacement()
    }

    /// Adds a step for every decision. Decisions are in the graph's order, and so are steps.
    fn add(&mut self, decisions: &[Decision<'_>]) -> Result<()> {
        let awaited: BTreeSet<&Key> = decisions
            .iter()
            .filter(|decision| {
                matches!(
                    decision.action,
                    Some(Action::Create | Action::Update | Action::Replace | Action::Adopt)
                )
            })
            .filter_map(|decision| self.graph.get(&decision.key))
            .flat_map(|task| &task.edges)
            .filter(|edge| edge.wait == Wait::Ready)
            .map(|edge| &edge.on)
            .collect();
        for decision in decisions {
            let Decision { key, action, object, changed, dying } = decision;
            match (action, object) {
                (Some(Action::Create), _) => {
                    let before: Vec<usize> = dying
                        .iter()
                        .filter(|it| it.object.state == State::Deleting)
                        .map(|it| self.push_end(key, it, Op::Vanish { object: (*it).clone() }))
                        .collect();
                    let create = self.push(key, Op::Create);
                    self.steps[create].needs.extend(before.into_iter().map(|step| (step, Wait::Ready)));
                    self.made.insert(key.clone(), create);
                }
                (Some(Action::Replace), Some(old)) => {
                    let create = self.push(key, Op::Create);
                    self.made.insert(key.clone(), create);
                    let delete = self.push_end(key, old, Op::Delete { object: (*old).clone() });
                    match self.replacement(key, old) {
                        Replacement::DeleteFirst => self.steps[create].needs.push((delete, Wait::Ready)),
                        Replacement::CreateFirst => self.steps[delete].needs.push((create, Wait::Ready)),
                    }
                }
                (Some(Action::Update), Some(object)) => {
                    let op = Op::Update { object: (*object).clone(), changed: changed.clone() };
                    let step = self.push(key, op);
                    self.made.insert(key.clone(), step);
                }
                (Some(Action::Adopt), Some(object)) => {
                    let op = Op::Adopt { object: (*object).clone(), changed: changed.clone() };
                    let step = self.push(key, op);
                    self.made.insert(key.clone(), step);
                }
                (Some(Action::Delete), Some(object)) => {
                    self.push_end(key, object, Op::Delete { object: (*object).clone() });
                }
                (None, Some(object)) if object.object.state == State::Pending => {
                    let op = Op::Settle { object: (*object).clone() };
                    if awaited.contains(key) {
                        let step = self.push(key, op);
                        self.made.insert(key.clone(), step);
                    } else if self.graph.get(key).is_some_and(|task| !task.is_shared()) {
                        // No change depends on it, but the graph is not complete before it is ready. It has no
                        // dependencies: whether an object is ready must not affect whether there is an order.
                        self.push(key, op);
                    }
                }
                (None, _) => {}
                (Some(action), None) => {
                    return Err(Error::internal(format!("nothing to {action}")).with_task(key));
                }
            }
        }
        Ok(())
    }

    /// Rule 1.
    fn connect_tasks(&mut self, decisions: &[Decision<'_>]) {
        for decision in decisions {
            let (Some(&step), Some(task)) = (self.made.get(&decision.key), self.graph.get(&decision.key))
            else {
                continue;
            };
            for edge in &task.edges {
                if let Some(&need) = self.made.get(&edge.on) {
                    self.steps[step].needs.push((need, edge.wait));
                }
            }
        }
    }

    /// Rule 2, and the last part of rule 3.
    fn connect_deletions(&mut self, snapshot: &Snapshot, decisions: &[Decision<'_>]) -> Result<()> {
        let updates: HashMap<(String, String), usize> = decisions
            .iter()
            .filter_map(|decision| {
                let id = decision.object?.object.id.clone();
                Some(((decision.key.kind().to_owned(), id), *self.made.get(&decision.key)?))
            })
            .collect();
        for (kind, user) in snapshot.iter().filter(|(_, it)| it.object.state != State::Gone) {
            for used in &user.references {
                let Some(&end) = self.gone.get(&(used.kind.to_owned(), used.id.clone())) else { continue };
                let user_id = (kind.to_owned(), user.object.id.clone());
                let need = match (self.gone.get(&user_id), updates.get(&user_id)) {
                    (Some(&earlier), _) => (earlier, Wait::Ready),
                    (None, Some(&update)) => (update, Wait::Created),
                    (None, None) => continue,
                };
                if need.0 != end {
                    self.steps[end].needs.push(need);
                }
            }
        }
        let mut ends_of_kind: HashMap<&str, Vec<usize>> = HashMap::new();
        for ((kind, _), &step) in &self.gone {
            ends_of_kind.entry(kind).or_default().push(step);
        }
        let mut more = Vec::new();
        for ((kind, _), &step) in &self.gone {
            let handler = self
                .handlers
                .get(kind.as_str())
                .ok_or_else(|| Error::internal(format!("no handler for {kind}")))?;
            for earlier in handler.delete_after() {
                for &end in ends_of_kind.get(earlier).into_iter().flatten() {
                    more.push((step, end));
                }
            }
        }
        for (step, end) in more {
            if step != end {
                self.steps[step].needs.push((end, Wait::Ready));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Step>> {
        for step in &mut self.steps {
            step.needs.sort_unstable_by_key(|&(need, wait)| (need, std::cmp::Reverse(wait)));
            // Ready implies created.
            step.needs.dedup_by_key(|(need, _)| *need);
        }
        let needs: Vec<Vec<usize>> =
            self.steps.iter().map(|step| step.needs.iter().map(|(need, _)| *need).collect()).collect();
        let order = sort(&needs).map_err(|circle| {
            let path: Vec<_> = circle
                .iter()
                .map(|&step| format!("{} {}", self.steps[step].op.verb(), self.steps[step].key))
                .collect();
            Error::invalid(format!("no order of the replacements is possible: {}", path.join(" needs ")))
                .with_hint("make the change in two steps: first migrate what uses the object")
        })?;
        for &step in order.iter().rev() {
            let (call, settled) = self.duration(step);
            let own = self.steps[step].remaining.max(settled);
            self.steps[step].remaining = own;
            // `remaining` of a step so far: from its start to the end of everything that depends on it.
            for at in 0..self.steps[step].needs.len() {
                let (need, wait) = self.steps[step].needs[at];
                let (need_call, need_settled) = self.duration(need);
                let before = if wait == Wait::Created { need_call } else { need_settled };
                self.steps[need].remaining = self.steps[need].remaining.max(before + own);
            }
            debug_assert!(call <= settled);
        }
        Ok(self.steps)
    }

    /// The time from a step's start until its object exists, and until it is ready or gone.
    fn duration(&self, step: usize) -> (Duration, Duration) {
        let step = &self.steps[step];
        let timing = self.handlers.get(step.key.kind()).map_or(Timing::default(), |it| it.timing());
        match step.op {
            Op::Create => (timing.call, timing.call + timing.settle),
            Op::Update { .. } | Op::Adopt { .. } => (timing.call, timing.call),
            Op::Delete { .. } => (timing.call, timing.call + timing.vanish),
            Op::Settle { .. } => (Duration::ZERO, timing.settle),
            Op::Vanish { .. } => (Duration::ZERO, timing.vanish),
        }
    }
}

/// The handler of a key's kind.
pub(super) fn require_handler<'a>(cloud: &'a dyn Cloud, key: &Key) -> Result<&'a dyn DynHandler> {
    handler_of(cloud, key.kind()).map(|handler| &**handler).ok_or_else(|| {
        let known: Vec<_> = cloud.handlers().iter().map(|handler| handler.kind()).collect();
        Error::new(
            crate::ErrorKind::Unsupported,
            format!("{} does not support kind {}", cloud.name(), key.kind()),
        )
        .with_task(key)
        .with_hint(format!("supported kinds: {}", known.join(", ")))
    })
}
