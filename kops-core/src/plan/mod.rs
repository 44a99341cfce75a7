//! The plan: what an application will do, as a value.
//!
//! A [`Plan`] is computed by a pure function of a graph and a [`Snapshot`](crate::Snapshot); it can be printed
//! ([`Plan::text`] and `Display`), serialised (the fields of [`Plan`] are the members of its JSON form), drawn
//! ([`Plan::dot`], [`Plan::mermaid`]), kept, and applied as it is.
//!
//! # What was shown is the fingerprint
//!
//! [`Plan::fingerprint`] is a digest of the decided changes themselves: of each the task, what is done, to which
//! object, the specification that it will have, secrets and all, with the outputs of existing objects put in and the
//! unknown ones as such, what it was, and what it waits for. Besides, of the scope, the cloud, the graph, and of what is
//! pruned or left. Whatever changes one of them makes another plan, and the engine refuses to apply one in place of the
//! other. Whether objects are ready is not in it: a plan does not go stale by waiting.
//!
//! # Saved plans
//!
//! What a plan shows is redacted. What carrying it out needs besides (the graph, the snapshot and the steps in their
//! order) stays with the plan in memory and is never serialised. What another process reads is a [`SavedPlan`]; it
//! applies it, together with the graph, by [`Engine::apply_saved`](crate::Engine::apply_saved), which plans anew and
//! compares.

mod compare;
mod diverge;
mod draw;
mod fingerprint;
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

use crate::GraphOutputs;
use crate::cloud::{Class, Scope};
use crate::graph::{Key, Wait};

pub(crate) use compare::differences;
pub(crate) use diverge::divergence;
pub(crate) use make::{Inputs, output_of, plan};
pub use saved::SavedPlan;
pub(crate) use steps::{Op, Step, Work};
pub use text::TextOptions;

/// The version of the JSON form; grows when a member changes its meaning or goes.
pub const FORMAT: &str = "kops.plan/v1";

/// What an application will do.
///
/// The fields are the members of the JSON form, of which `schemas/plan.v1.json` in the repository is the JSON Schema;
/// members that may be empty within a change are left out there. New members may come within a [`FORMAT`], so readers
/// ignore what they do not know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// [`FORMAT`].
    pub format: String,
    /// The scope, usually a cluster.
    pub scope: Scope,
    /// The name of the cloud.
    pub cloud: String,
    /// A digest of what is decided, 64 lower-case hexadecimal digits: see the [module](self).
    pub fingerprint: String,
    /// Which objects are deleted because no task wants them.
    pub pruning: Pruning,
    /// The number of planned actions, by kind of action.
    pub summary: Summary,
    /// What will be done: creations, updates and replacements in the graph's order, then deletions.
    pub changes: Vec<Change>,
    /// Objects of the scope that the graph does not want and that stay, because pruning was not asked for.
    pub deferred: Vec<Change>,
    /// Of the tasks that need no change, those whose objects exist and are not ready yet. Applying the plan waits for
    /// them.
    pub pending: Vec<Key>,
    /// The tasks whose objects need no change.
    pub unchanged: Vec<Key>,
    /// What the reader should know.
    pub warnings: Vec<String>,
    pub(crate) work: Arc<Work>,
}

/// Which of the scope's objects that no task wants are deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Pruning {
    /// All.
    #[default]
    All,
    /// None; they are shown in [`Plan::deferred`].
    None,
    /// Those that were made for these tasks; of others nothing is said.
    Only(BTreeSet<Key>),
}

/// The number of planned actions, by kind of action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Objects to create.
    pub create: usize,
    /// Objects to change in place.
    pub update: usize,
    /// Objects to replace.
    pub replace: usize,
    /// Objects to delete.
    pub delete: usize,
    /// Objects to take over, or to mark anew.
    #[serde(default)]
    pub adopt: usize,
    /// Tasks whose objects need no change, pending ones among them.
    pub unchanged: usize,
}

/// What will be done about one native task or object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The native task.
    pub task: Key,
    /// The task of the graph as it was written that this is done for; `None` for objects that no task of it knows any
    /// more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Key>,
    /// What objects of its kind are for.
    #[serde(default)]
    pub class: Class,
    /// What will be done.
    pub action: Action,
    /// The identifier of the object as it is, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Why, where it does not follow from the fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What will be different.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// What it waits for: other changes, and pending objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<Dependency>,
}

/// One line: what will be done to which task and, of an object that is there, because of which fields.
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

/// What will be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// An object will be made.
    Create,
    /// The object will be changed.
    Update,
    /// Another object will take the object's place.
    Replace,
    /// The object will be deleted.
    Delete,
    /// The object will be marked as the task's, and changed where it differs: it was somebody else's, or another task's
    /// that has been renamed.
    Adopt,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Adopt => "adopt",
        })
    }
}

/// A change of one field. Secrets are shown as the first digits of their digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Which field: members joined by dots.
    pub path: String,
    /// What it is.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub before: Value,
    /// What it will be; outputs of other tasks that are not known yet as `${Kind/name.output}`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub after: Value,
    /// Whether the value is known only after other changes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub known_after_apply: bool,
    /// Whether this change is why the object is replaced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forces_replacement: bool,
}

/// A change waits for another, or for a pending object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// The task waited for.
    pub task: Key,
    /// Until its object exists, or until it works.
    pub until: Wait,
}

impl Plan {
    /// Whether nothing is changed. Objects may be [pending](Self::pending) all the same.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The shortest time in which the plan can be applied, if calls and waits take as long as they usually
    /// do and no rate limit is met: the length of its longest chain.
    pub fn critical_path(&self) -> Duration {
        self.work.steps.iter().map(|step| step.remaining).max().unwrap_or_default()
    }

    /// The kinds that the credentials may not list and that the graph does not use, with the cloud's refusal: whether
    /// the scope has objects of them is not known, and none is deleted. The [warnings](Self::warnings) say it, too.
    pub fn left_out(&self) -> impl Iterator<Item = (&str, &str)> {
        self.work.snapshot.left_out()
    }

    /// What is known of the outputs of the graph's tasks: those of objects that exist and stay, but for what an update is
    /// about to change.
    pub fn outputs(&self) -> GraphOutputs {
        self.work.outputs.clone()
    }

    /// The change of a task.
    pub fn change(&self, task: &Key) -> Option<&Change> {
        self.changes.iter().find(|change| change.task == *task)
    }

    /// The summary in one line.
    pub fn headline(&self) -> String {
        self.said().headline()
    }

    /// The plan as text: `+` is created, `~` changed, `±` replaced, `-` deleted.
    pub fn text(&self, options: TextOptions) -> String {
        self.said().text(options)
    }

    /// The plan as another process reads it.
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
        self.said().serialize(serializer)
    }
}
