//! What was shown is the fingerprint: a digest of what was decided.
//!
//! It has two parts. The *frame* is what the plan is about: the cloud, the scope, the graph, what is pruned and what is
//! left. The *decisions* are the changes, each with a digest of its content and with what it waits for among the other
//! changes. They are kept apart, so that two plans can be compared less the deletions that have happened meanwhile.
//!
//! Left out is what does not alter what is done: whether objects are ready (and with it the waiting for them), objects
//! that are on their way out already, the words of a cloud's failure.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::cloud::Scope;
use crate::digest::Hasher;
use crate::graph::{Document, Key, TaskGraph, Wait};

use super::steps::{Op, Step};
use super::{Action, Change, FORMAT, Pruning};

/// What was decided, in digests.
#[derive(Debug)]
pub(crate) struct Decided {
    frame: String,
    changes: Vec<DecidedChange>,
}

#[derive(Debug, PartialEq)]
struct DecidedChange {
    task: Key,
    /// The object, if the change is its deletion.
    deleted: Option<String>,
    content: String,
    order: BTreeSet<Order>,
}

/// A step, by what it does: it ends an object, or makes or changes a task's.
pub(super) type Doing = (Key, Option<String>);

/// A step waits for another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    later: Doing,
    earlier: Doing,
    until: Wait,
}

impl Decided {
    pub(super) fn new(
        cloud: &str,
        scope: &Scope,
        graph: &TaskGraph,
        pruning: &Pruning,
        deferred: &[Change],
    ) -> Self {
        let mut hasher = Hasher::default();
        hasher.text(FORMAT).text(cloud).value(scope).value(pruning);
        hasher.count(graph.len());
        for task in graph.tasks() {
            hasher.text(task.key.as_str()).document(task.spec.as_value()).value(&task.lifecycle);
            hasher.value(&task.options);
            hasher.count(task.edges.len());
            for edge in &task.edges {
                hasher.text(edge.on.as_str()).value(&edge.wait);
            }
        }
        hasher.count(deferred.len());
        for change in deferred {
            hasher.text(change.task.as_str()).value(&change.id);
        }
        Self { frame: hasher.finish(), changes: Vec::new() }
    }

    /// Adds a change; `wanted` is the whole specification of what is made or changed.
    pub(super) fn add(&mut self, change: &Change, wanted: Option<&Document>, orders: &mut Orders) {
        let mut hasher = Hasher::default();
        hasher.text(change.task.as_str()).value(&change.action).value(&change.id);
        match wanted {
            Some(wanted) => hasher.text("wanted").document(wanted.as_value()),
            None => hasher.text("unwanted"),
        };
        hasher.count(change.fields.len());
        for field in &change.fields {
            hasher.text(&field.path).document(&field.before).value(&field.forces_replacement);
        }
        let deleted = change.id.clone().filter(|_| change.action == Action::Delete);
        let mut order = orders.take(&change.task, deleted.as_deref());
        if change.action == Action::Replace {
            order.extend(orders.take(&change.task, change.id.as_deref()));
        }
        self.changes.push(DecidedChange {
            task: change.task.clone(),
            deleted,
            content: hasher.finish(),
            order,
        });
    }

    pub(super) fn fingerprint(&self) -> String {
        let mut hasher = Hasher::default();
        hasher.text(&self.frame).count(self.changes.len());
        for change in &self.changes {
            hasher.text(&change.content).count(change.order.len());
            for Order { later, earlier, until } in &change.order {
                for (task, deleted) in [later, earlier] {
                    hasher.text(task.as_str()).value(deleted);
                }
                hasher.value(until);
            }
        }
        hasher.finish()
    }

    /// Whether `now` is the same less deletions of objects that are gone, of which there is at least one.
    pub(crate) fn is_continued_by(&self, now: &Self, is_there: impl Fn(&Key, &str) -> bool) -> bool {
        let gone: HashSet<(&Key, &str)> = self
            .changes
            .iter()
            .filter_map(|change| Some((&change.task, change.deleted.as_deref()?)))
            .filter(|(task, id)| !is_there(task, id))
            .collect();
        let is_gone = |(task, id): &Doing| id.as_deref().is_some_and(|id| gone.contains(&(task, id)));
        let left = self
            .changes
            .iter()
            .filter(|change| change.deleted.as_deref().is_none_or(|id| !gone.contains(&(&change.task, id))));
        let is_same = |(then, now): (&DecidedChange, &DecidedChange)| {
            (&then.task, &then.deleted, &then.content) == (&now.task, &now.deleted, &now.content)
                && then.order.iter().filter(|order| !is_gone(&order.earlier)).eq(&now.order)
        };
        !gone.is_empty()
            && self.frame == now.frame
            && left.clone().count() == now.changes.len()
            && left.zip(&now.changes).all(is_same)
    }
}

/// What waits for what among the steps that change something.
#[derive(Default)]
pub(super) struct Orders(HashMap<Doing, BTreeSet<Order>>);

impl Orders {
    pub(super) fn of(steps: &[Step]) -> Self {
        let mut orders = Self::default();
        for step in steps {
            let Some(later) = doing(step) else { continue };
            let order = step.needs.iter().filter_map(|&(need, until)| {
                Some(Order { later: later.clone(), earlier: doing(&steps[need])?, until })
            });
            orders.0.entry(later.clone()).or_default().extend(order);
        }
        orders
    }

    fn take(&mut self, task: &Key, deleted: Option<&str>) -> BTreeSet<Order> {
        self.0.remove(&(task.clone(), deleted.map(str::to_owned))).unwrap_or_default()
    }
}

/// What a step does; `None` for mere waiting.
pub(super) fn doing(step: &Step) -> Option<Doing> {
    match &step.op {
        Op::Create | Op::Update { .. } | Op::Adopt { .. } => Some((step.key.clone(), None)),
        Op::Delete { object } => Some((step.key.clone(), Some(object.object.id.clone()))),
        Op::Settle { .. } | Op::Vanish { .. } => None,
    }
}
