//! The steps that carry a plan out, and what waits for what among them.
//!
//! Four rules make the edges:
//! 1. A create or update follows the steps of the tasks it needs, until their object exists or works.
//! 2. A deletion follows whatever still uses the object: the deletion of those that refer to it, the update
//!    of those that refer to it now and will not, and the deletion of the kinds named by
//!    [`Handler::delete_after`](crate::cloud::Handler::delete_after).
//! 3. Of a replacement, the deletion comes first or last as the kind says.
//! 4. An object that is on its way out already is waited for before another of its key is made.
//!
//! Where the rules contradict each other there is no order in which the replacement could be done; the
//! error shows the circle.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::cloud::{
    Cloud, DynHandler, IdentityClass, Observed, Replacement, Scope, State, Timing, handler_of,
};
use crate::graph::{Key, TaskGraph, Wait, sort};
use crate::lower::Native;
use crate::{Error, GraphOutputs, Result, Snapshot};

use super::fingerprint::Decided;
use super::{Action, Pruning};

/// Everything that carrying out a plan needs.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) scope: Scope,
    pub(crate) cloud: String,
    pub(crate) native: Arc<Native>,
    /// Its tasks.
    pub(crate) graph: Arc<TaskGraph>,
    pub(crate) pruning: Pruning,
    pub(crate) snapshot: Arc<Snapshot>,
    /// The objects of the tasks whose object exists and stays.
    pub(crate) objects: HashMap<Key, Arc<Observed>>,
    /// What is known of outputs beforehand.
    pub(crate) outputs: GraphOutputs,
    pub(crate) steps: Vec<Step>,
    pub(crate) decided: Decided,
}

/// One thing to do.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) key: Key,
    pub(crate) op: Op,
    /// The steps it follows.
    pub(crate) needs: Vec<(usize, Wait)>,
    /// How long this step and everything that has to come after it takes.
    pub(crate) remaining: Duration,
}

/// What is done in a step.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// Make the task's object.
    Create,
    /// Change the task's object.
    Update { object: Arc<Observed>, changed: BTreeSet<String> },
    /// Mark an object as the task's, and change it.
    Adopt { object: Arc<Observed>, changed: BTreeSet<String> },
    /// Delete an object.
    Delete { object: Arc<Observed> },
    /// Wait until an object that exists works.
    Settle { object: Arc<Observed> },
    /// Wait until an object that is on its way out is gone.
    Vanish { object: Arc<Observed> },
}

impl Op {
    /// What is done to an object; `None` for mere waiting.
    pub(crate) fn action(&self) -> Option<Action> {
        match self {
            Self::Create { .. } => Some(Action::Create),
            Self::Update { .. } => Some(Action::Update),
            Self::Adopt { .. } => Some(Action::Adopt),
            Self::Delete { .. } => Some(Action::Delete),
            Self::Settle { .. } | Self::Vanish { .. } => None,
        }
    }

    /// In words, for a circle.
    fn verb(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Update { .. } => "update",
            Self::Adopt { .. } => "adopt",
            Self::Delete { .. } => "delete",
            Self::Settle { .. } | Self::Vanish { .. } => "wait for",
        }
    }
}

/// What was decided about a task or an object, before the steps are ordered.
#[derive(Debug)]
pub(crate) struct Decision<'a> {
    pub(crate) key: Key,
    /// `None`: nothing to do.
    pub(crate) action: Option<Action>,
    /// The task's object as it is.
    pub(crate) object: Option<&'a Arc<Observed>>,
    /// Members of the specification that differ.
    pub(crate) changed: BTreeSet<String>,
    /// Objects under the key that are dead or dying.
    pub(crate) dying: Vec<&'a Arc<Observed>>,
}

/// Orders what was decided into steps.
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
    /// The step after which a task's object is there.
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
            // It holds the name that the new one needs, and is of no use to anybody.
            return Replacement::DeleteFirst;
        }
        handler.replacement()
    }

    /// A step for everything decided. Decisions come in the graph's order, so steps do.
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
                        // No change needs it, but the graph is not what it should be before it is ready. It stands
                        // by itself: whether an object is ready must not decide whether there is an order.
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
            Error::invalid(format!("no order of replacement is possible: {}", path.join(" needs ")))
                .with_hint("make the change in two steps: first move what uses the object elsewhere")
        })?;
        for &step in order.iter().rev() {
            let (call, settled) = self.duration(step);
            let own = self.steps[step].remaining.max(settled);
            self.steps[step].remaining = own;
            // `remaining` of a step so far: from its start to the end of all that follows.
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

    /// From a step's start until its object exists, and until it works or is gone.
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
        Error::new(crate::ErrorKind::Unsupported, format!("{} has no kind {}", cloud.name(), key.kind()))
            .with_task(key)
            .with_hint(format!("it has {}", known.join(", ")))
    })
}
