//! The fingerprint: a digest of what was decided and shown.
//!
//! It has two parts. The *frame* is the subject of the plan: the cloud, the scope, the graph, what is pruned and what
//! is kept. The *decisions* are the changes, each with a digest of its content and its dependencies on other changes.
//! They are separate, so that two plans can be compared except for deletions that have happened in the meantime.
//!
//! It does not include anything that does not affect the actions: whether objects are ready (and waiting for them),
//! objects that are being deleted already, the text of a cloud's failure.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::cloud::{Cloud, Scope};
use crate::digest::Hasher;
use crate::graph::{Document, Key, TaskGraph, Wait};

use super::steps::{Op, Step};
use super::{Action, Change, FORMAT, Pruning};

/// The decisions, as digests.
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

/// A step, by its effect: it deletes an object, or creates or changes that of a task.
pub(super) type Effect = (Key, Option<String>);

/// A step's dependency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    later: Effect,
    earlier: Effect,
    until: Wait,
}

impl Decided {
    pub(super) fn new(
        cloud: &dyn Cloud,
        scope: &Scope,
        graph: &TaskGraph,
        pruning: &Pruning,
        deferred: &[Change],
    ) -> Self {
        let mut hasher = Hasher::default();
        hasher.text(FORMAT).text(cloud.name()).text(&cloud.location()).value(scope).value(pruning);
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

    /// Adds a change; `wanted` is the complete specification of the new or changed object.
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

    /// Whether `now` is the same except for at least one deletion of an object that is gone.
    pub(crate) fn is_continued_by(&self, now: &Self, is_there: impl Fn(&Key, &str) -> bool) -> bool {
        let gone: HashSet<(&Key, &str)> = self
            .changes
            .iter()
            .filter_map(|change| Some((&change.task, change.deleted.as_deref()?)))
            .filter(|(task, id)| !is_there(task, id))
            .collect();
        let is_gone = |(task, id): &Effect| id.as_deref().is_some_and(|id| gone.contains(&(task, id)));
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

/// The dependencies between the steps that change something.
#[derive(Default)]
pub(super) struct Orders(HashMap<Effect, BTreeSet<Order>>);

impl Orders {
    pub(super) fn of(steps: &[Step]) -> Self {
        let mut orders = Self::default();
        for step in steps {
            let Some(later) = effect(step) else { continue };
            let order = step.needs.iter().filter_map(|&(need, until)| {
                Some(Order { later: later.clone(), earlier: effect(&steps[need])?, until })
            });
            orders.0.entry(later.clone()).or_default().extend(order);
        }
        orders
    }

    fn take(&mut self, task: &Key, deleted: Option<&str>) -> BTreeSet<Order> {
        self.0.remove(&(task.clone(), deleted.map(str::to_owned))).unwrap_or_default()
    }
}

/// The effect of a step; `None` if it only waits.
pub(super) fn effect(step: &Step) -> Option<Effect> {
    match &step.op {
        Op::Create | Op::Update { .. } | Op::Adopt { .. } => Some((step.key.clone(), None)),
        Op::Delete { object } => Some((step.key.clone(), Some(object.object.id.clone()))),
        Op::Settle { .. } | Op::Vanish { .. } => None,
    }
}
