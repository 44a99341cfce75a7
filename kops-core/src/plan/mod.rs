//! The plan: what applying will do, as a value.
//!
//! A [`Plan`] is computed by a pure function from a graph and a [`Snapshot`](crate::Snapshot). It can be printed
//! ([`Plan::text`] and `Display`), serialised (the fields of [`Plan`] are the members of its JSON form), drawn
//! ([`Plan::dot`], [`Plan::mermaid`]), stored, and applied.
//!
//! # The fingerprint
//!
//! [`Plan::fingerprint`] is a digest of the planned changes: for each, the task, the action, the object, its
//! new specification (including secrets, and with known outputs substituted), its previous one, and its
//! dependencies. It also includes the scope, the cloud, the graph, and what is pruned or kept. If any of them
//! changes, it is a different plan, and the engine rejects it instead of applying a plan that was not shown.
//! Whether objects are ready is not included: a plan does not become stale by waiting.
//!
//! # Saved plans
//!
//! The serialised form is redacted. What applying needs in addition (the graph, the snapshot and the ordered steps)
//! stays with the plan in memory and is never serialised. Another process reads a [`SavedPlan`], and applies it,
//! together with the graph, with [`Engine::apply_saved`](crate::Engine::apply_saved), which plans again and compares.
//! The member `digest` of the serialised form is a digest of all others, so that an edited plan is rejected when it is
//! read.

mod compare;
mod diverge;
mod draw;
mod expect;
mod fingerprint;
mod graph_outputs;
mod make;
mod outputs;
mod saved;
mod steps;
mod text;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::cloud::{Class, Scope};
use crate::graph::{Key, Wait};

pub(crate) use compare::{differences, mutability, top_member};
pub(crate) use diverge::divergence;
pub use graph_outputs::GraphOutputs;
pub(crate) use make::{Inputs, output_of, plan};
pub use saved::SavedPlan;
pub(crate) use steps::{Op, Step, Work};
pub use text::TextOptions;

/// The version of the JSON form; it increases if a member is removed or its meaning changes.
pub const FORMAT: &str = "kops.plan/v1";

/// What applying will do.
///
/// The fields are the members of the JSON form, whose schema is `schemas/plan.v1.json` in the repository; members of
/// a change that are empty are omitted. Members may be added within a [`FORMAT`] version, so readers should ignore
/// what they do not know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// [`FORMAT`].
    pub format: String,
    /// The scope, usually a cluster.
    pub scope: Scope,
    /// The name of the cloud.
    pub cloud: String,
    /// The account and region: [`Cloud::location`](crate::cloud::Cloud::location).
    pub location: String,
    /// A digest of the planned changes, 64 lower-case hexadecimal digits: see the [module](self).
    pub fingerprint: String,
    /// Which objects are deleted because they are not in the graph.
    pub pruning: Pruning,
    /// The number of planned actions, by kind of action.
    pub summary: Summary,
    /// The changes: creations, updates and replacements in the graph's order, then deletions.
    pub changes: Vec<Change>,
    /// Objects of the scope that are not in the graph, but kept because pruning is off.
    pub deferred: Vec<Change>,
    /// Tasks that need no change, but whose objects are not ready yet. Applying the plan waits for them.
    pub pending: Vec<Key>,
    /// The tasks whose objects need no change.
    pub unchanged: Vec<Key>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
    pub(crate) work: Arc<Work>,
}

/// Which objects of the scope are deleted if they are not in the graph.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Pruning {
    /// All.
    #[default]
    All,
    /// None; they are shown in [`Plan::deferred`].
    None,
    /// Those that were created for these tasks; others are not shown.
    Only(BTreeSet<Key>),
}

/// The number of planned actions, by kind of action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Summary {
    /// Objects to create.
    pub create: usize,
    /// Objects to update in place.
    pub update: usize,
    /// Objects to replace.
    pub replace: usize,
    /// Objects to delete.
    pub delete: usize,
    /// Objects to adopt, or to mark again.
    #[serde(default)]
    pub adopt: usize,
    /// Tasks that need no change, including pending ones.
    pub unchanged: usize,
}

/// A planned change of one native task or object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Change {
    /// The native task.
    pub task: Key,
    /// The agnostic task that this is done for; `None` for objects of which no task is in the graph.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Key>,
    /// The class of its kind.
    #[serde(default)]
    pub class: Class,
    /// The action.
    pub action: Action,
    /// The identifier of the existing object, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The reason, unless the fields show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The fields that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// Its dependencies: other changes, and pending objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<Dependency>,
}

/// One line: the action, the task and, for an existing object, the fields that cause it.
///
/// ```text
/// update Subnet/nodes-a.ha.example.com: cidr, tags.team
/// ```
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.action, self.task)?;
        if ![Action::Update, Action::Replace, Action::Adopt].contains(&self.action) {
            return Ok(());
        }
        let fields: BTreeSet<_> = self.fields.iter().map(|field| field.path.as_str()).collect();
        let mut before = ": ";
        for field in fields {
            write!(f, "{before}{field}")?;
            before = ", ";
        }
        Ok(())
    }
}

/// The action of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The object is created.
    Create,
    /// The object is updated in place.
    Update,
    /// The object is replaced by a new one.
    Replace,
    /// The object is deleted.
    Delete,
    /// The object is marked as the task's, and updated where it differs: it belonged to someone else, or the task was
    /// renamed.
    Adopt,
}

impl Action {
    /// The action as a verb.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Adopt => "adopt",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb())
    }
}

/// A change of one field. Secrets are shown as the first digits of their digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FieldChange {
    /// The field: member names joined by dots.
    pub path: String,
    /// The previous value.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub before: Value,
    /// The new value; outputs of other tasks that are not known yet are shown as `${Kind/name.output}`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub after: Value,
    /// Whether the value is known only after other changes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub known_after_apply: bool,
    /// Whether this field causes the object to be replaced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forces_replacement: bool,
}

/// A dependency of a change on another change or a pending object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Dependency {
    /// The task to wait for.
    pub task: Key,
    /// Whether to wait until its object exists, or until it is ready.
    pub until: Wait,
}

impl Dependency {
    /// A dependency on a task.
    pub fn new(task: Key, until: Wait) -> Self {
        Self { task, until }
    }
}

impl Plan {
    /// Whether nothing is changed. Objects may still be [pending](Self::pending).
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The shortest time in which the plan can be applied, with typical durations of calls and waits and without rate
    /// limits: the length of its longest path.
    pub fn critical_path(&self) -> Duration {
        self.work.steps.iter().map(|step| step.remaining).max().unwrap_or_default()
    }

    /// The kinds that the credentials may not list and that the graph does not use, with the cloud's error: it is not
    /// known whether the scope has objects of them, and none is deleted. The [warnings](Self::warnings) contain them,
    /// too.
    pub fn left_out(&self) -> impl Iterator<Item = (&str, &str)> {
        self.work.snapshot.left_out()
    }

    /// The known outputs of the graph's tasks: those of existing objects that are kept, except for outputs that an
    /// update is about to change.
    pub fn outputs(&self) -> GraphOutputs {
        self.work.outputs.clone()
    }

    /// The change of a task.
    pub fn change(&self, task: &Key) -> Option<&Change> {
        self.changes.iter().find(|change| change.task == *task)
    }

    /// The summary in one line.
    pub fn headline(&self) -> String {
        self.content().headline()
    }

    /// The plan as text: `+` is created, `~` updated, `±` replaced, `-` deleted.
    pub fn text(&self, options: TextOptions) -> String {
        self.content().text(options)
    }

    /// The plan in the form that another process reads.
    pub fn saved(&self) -> SavedPlan {
        SavedPlan::from(self)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(TextOptions::default()))
    }
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.content().seal(serializer)
    }
}
