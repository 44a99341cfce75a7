//! The plan: what an application will do, as a value.
//!
//! A [`Plan`] is computed by a pure function of a graph and a [`Snapshot`](crate::Snapshot); it can be
//! printed ([`Plan::text`] and `Display`), serialised (the fields of [`Plan`] are the documented schema),
//! drawn ([`Plan::dot`], [`Plan::mermaid`]), kept, and applied as it is. Its fingerprint covers the graph
//! and everything observed that it depends on; the engine refuses to apply it to anything else.
//!
//! What the plan shows is redacted. What carrying it out needs besides (the graph, the snapshot and the
//! steps in their order) stays with the plan in memory and is never serialised: a plan that was read back
//! is planned anew and compared before it is applied.

mod compare;
mod draw;
mod make;
mod outputs;
mod steps;
mod text;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::GraphOutputs;
use crate::cloud::Class;
use crate::graph::{Key, Wait};

pub(crate) use compare::differences;
pub(crate) use make::{Inputs, Prune, output_of, plan};
pub(crate) use steps::{Op, Step, Work};
pub use text::TextOptions;

/// The version of the JSON form; grows when a member changes its meaning or goes.
pub const FORMAT: &str = "kops.plan/v1";

/// What an application will do.
///
/// The JSON form has these members; new ones may come within a [`FORMAT`], so readers ignore what they do
/// not know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// [`FORMAT`].
    pub format: String,
    /// The scope, usually a cluster's name.
    pub scope: String,
    /// The provider.
    pub cloud: String,
    /// A digest of the graph and of what was observed.
    pub fingerprint: String,
    /// How many objects will be what.
    pub summary: Summary,
    /// What will be done: creations, updates and replacements in the graph's order, then deletions.
    pub changes: Vec<Change>,
    /// Objects of the scope that the graph does not want and that stay, because pruning was not asked for.
    pub deferred: Vec<Change>,
    /// The tasks whose objects are as they shall be.
    pub unchanged: Vec<Key>,
    /// What the reader should know.
    pub warnings: Vec<String>,
    #[serde(skip)]
    pub(crate) work: Option<Arc<Work>>,
}

/// How many objects will be what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Made.
    pub create: usize,
    /// Changed in place.
    pub update: usize,
    /// Made anew.
    pub replace: usize,
    /// Deleted.
    pub delete: usize,
    /// Taken over, or marked anew.
    #[serde(default)]
    pub adopt: usize,
    /// Left as they are.
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
    /// What it waits for among the other changes.
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

/// A change waits for another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// The task of the other change.
    pub task: Key,
    /// Until its object exists, or until it works.
    pub until: Wait,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The shortest time in which the plan can be applied, if calls and waits take as long as they usually
    /// do and no rate limit is met: the length of its longest chain. Zero for a plan that was read back.
    pub fn critical_path(&self) -> Duration {
        let steps = self.work.iter().flat_map(|work| &work.steps);
        steps.map(|step| step.remaining).max().unwrap_or_default()
    }

    /// What is known of the outputs of the graph's tasks: those of objects that exist and stay, but for what an update is
    /// about to change.
    pub fn outputs(&self) -> GraphOutputs {
        self.work.as_ref().map(|work| work.outputs.clone()).unwrap_or_default()
    }

    /// The change of a task.
    pub fn change(&self, task: &Key) -> Option<&Change> {
        self.changes.iter().find(|change| change.task == *task)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(TextOptions::default()))
    }
}
