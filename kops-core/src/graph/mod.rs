//! The task graph: the objects that are desired, and the dependencies between them.
//!
//! A graph is built and checked once: [`TaskGraph::builder`] collects tasks; [`GraphBuilder::build`] rejects
//! duplicates, kinds that are not in UpperCamelCase, references to tasks or outputs that do not exist, and cycles,
//! and reports all problems at once. A [`TaskGraph`] is therefore always valid, and its tasks are in an order in
//! which each follows those it depends on. (Outputs of tasks that were added as documents are checked when planning,
//! because only the cloud's handlers know them.)
//!
//! ```
//! use kops_core::graph::TaskGraph;
//! use kops_core::resource::{Network, Subnet};
//!
//! let mut graph = TaskGraph::builder();
//! let network = graph.add("main", Network::new(["10.0.0.0/16".parse()?]));
//! graph.add("a", Subnet::new(network.id(), "10.0.0.0/24".parse()?).zone("zone-a"));
//! let graph = graph.build()?;
//!
//! let order: Vec<_> = graph.tasks().map(|task| task.key.as_str()).collect();
//! assert_eq!(order, ["Network/main", "Subnet/a"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A graph can be stored or sent to another process: it serialises, including secrets, and is checked again when it
//! is deserialised.

mod builder;
mod document;
mod expectation;
mod key;
mod references;
mod resource;
mod saved;
mod suggest;
mod value;

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Error, Result, setters};

pub(crate) use builder::sort;
pub use builder::{GraphBuilder, Handle};
pub use document::Document;
pub(crate) use document::{has_unknown, satisfied, shown};
pub(crate) use expectation::plain;
pub use expectation::{Expectation, Requirement};
pub use key::Key;
pub use references::{Reference, references};
pub use resource::{At, Output, Resource};
pub use saved::GRAPH_FORMAT;
pub(crate) use suggest::no_such_output;
pub use value::{Closed, Data, Id, Input, Open, OutputRef, Part, Secret, Setting, Stage, Wait};
pub(crate) use value::{REF, alike, is_mark, marked};

/// What the engine may do with a task's object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Lifecycle {
    /// Created, kept as specified, and deleted when it is removed from the graph.
    #[default]
    Managed,
    /// Owned by someone else: looked up by `selector` (an identifier or a name that the kind understands), and never
    /// changed. It must exist.
    #[non_exhaustive]
    Shared {
        /// An identifier or name.
        selector: String,
    },
    /// Managed, but never deleted.
    Retained,
    /// Created if missing; never changed afterwards.
    CreateOnly,
    /// Owned by someone else until now: looked up by `selector`, like a shared object, and taken over. From then on
    /// it is managed, the selector is ignored, and it is deleted when it is removed from the graph. It must exist.
    /// Kinds whose objects cannot be taken over are rejected when planning.
    Adopted {
        /// An identifier or name.
        selector: String,
    },
}

/// Additional options of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TaskOptions {
    /// Previous names of the task: an object with one of them is kept, see [`GraphBuilder::renamed`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub former_name: Option<String>,
    /// Fields of the specification that are not compared, see [`GraphBuilder::ignore`].
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub ignored: BTreeSet<String>,
    /// Facts about a shared object that the graph relies on, see [`GraphBuilder::expect`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expectations: Vec<Expectation>,
    /// Further selectors of a shared object, see [`GraphBuilder::share_first`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<String>,
    /// What names a shared object, for the message if it does not exist, see [`GraphBuilder::named_by`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named_by: Option<String>,
}

impl TaskOptions {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Lifecycle {
    /// A shared object, found by an identifier or a name that the kind understands.
    pub fn shared(selector: impl Into<String>) -> Self {
        Self::Shared { selector: selector.into() }
    }
}

/// A dependency of a task on another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Edge {
    /// The task to wait for.
    pub on: Key,
    /// What to wait for.
    #[serde(default)]
    pub wait: Wait,
}

impl Edge {
    /// A dependency on a task.
    pub fn new(on: Key, wait: Wait) -> Self {
        Self { on, wait }
    }
}

/// A desired object.
///
/// Its serialised form contains the secrets of its specification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Task {
    /// Its key.
    pub key: Key,
    /// Its specification; `null` for a shared object.
    #[serde(default, skip_serializing_if = "Document::is_null")]
    pub spec: Document,
    /// What the engine may do with its object.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// Its dependencies: first the tasks whose outputs it uses, then those added with `after`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<Edge>,
    /// Additional options.
    #[serde(default, skip_serializing_if = "TaskOptions::is_default")]
    pub options: TaskOptions,
}

/// A checked graph of tasks.
///
/// It serialises in the format [`GRAPH_FORMAT`], which **contains the secrets** of its specifications: protect it
/// accordingly. A graph that is deserialised is checked like in [`GraphBuilder::build`].
///
/// ```
/// # use kops_core::graph::TaskGraph;
/// # use kops_core::resource::Network;
/// let mut graph = TaskGraph::builder();
/// graph.add("main", Network::new(["10.0.0.0/16".parse()?]));
/// let graph = graph.build()?;
///
/// let text = serde_json::to_string(&graph)?;
/// assert_eq!(serde_json::from_str::<TaskGraph>(&text)?, graph);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskGraph {
    /// In an order in which each task follows those it waits for.
    tasks: Vec<Task>,
    index: HashMap<Key, usize>,
}

impl TaskGraph {
    /// An empty graph to add tasks to.
    pub fn builder() -> GraphBuilder {
        GraphBuilder::default()
    }

    /// The tasks; each follows those it depends on, otherwise in the order of addition.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = &Task> + DoubleEndedIterator {
        self.tasks.iter()
    }

    /// The number of tasks.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there are no tasks.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The task with a key.
    pub fn get(&self, key: &Key) -> Option<&Task> {
        self.position(key).map(|position| &self.tasks[position])
    }

    /// The position of a task in [`tasks`](Self::tasks).
    pub(crate) fn position(&self, key: &Key) -> Option<usize> {
        self.index.get(key).copied()
    }

    /// The specifications of all tasks of a kind, except shared ones.
    ///
    /// # Errors
    /// `Internal` if a document does not fit the kind.
    pub fn specs<R: Resource>(&self) -> Result<Vec<(&Task, R)>> {
        self.tasks
            .iter()
            .filter(|task| task.key.kind() == R::KIND && !task.is_shared())
            .map(|task| Ok((task, task.spec_as()?)))
            .collect()
    }

    /// The specification of one task.
    ///
    /// # Errors
    /// `NotFound` if there is no such task.
    pub fn spec<R: Resource>(&self, name: &str) -> Result<R> {
        let key = Key::new(R::KIND, name);
        self.get(&key).ok_or_else(|| Error::not_found(format!("the graph has no task {key}")))?.spec_as()
    }
}

impl Task {
    /// A task that depends only on the tasks that its specification refers to.
    pub fn new(key: Key, spec: Document, lifecycle: Lifecycle) -> Self {
        Self { key, spec, lifecycle, edges: Vec::new(), options: TaskOptions::default() }
    }

    setters! {
        /// Sets its specification.
        set spec: Document;
        /// Sets its dependencies.
        set edges: Vec<Edge>;
    }

    /// The specification, as its type.
    ///
    /// # Errors
    /// `Internal` if the document does not fit the kind.
    pub fn spec_as<R: Resource>(&self) -> Result<R> {
        self.spec.decode().map_err(|error| {
            Error::internal(format!("its specification is not a {}", R::KIND))
                .with_task(&self.key)
                .with_source(error)
        })
    }

    /// Whether the object is shared.
    pub fn is_shared(&self) -> bool {
        matches!(self.lifecycle, Lifecycle::Shared { .. })
    }

    /// Whether it may take over an existing object: one that it adopts, or that of its previous name.
    pub fn takes_over(&self) -> bool {
        matches!(self.lifecycle, Lifecycle::Adopted { .. }) || self.options.former_name.is_some()
    }
}

/// The outputs that a document refers to.
pub(crate) fn outputs_in(document: &Value, found: &mut Vec<OutputRef>) {
    if let Some(output) = marked(document, REF) {
        // The mark is only ever written by `Input`.
        found.extend(OutputRef::deserialize(output).ok());
        return;
    }
    match document {
        Value::Array(items) => items.iter().for_each(|item| outputs_in(item, found)),
        Value::Object(members) => members.values().for_each(|member| outputs_in(member, found)),
        _ => {}
    }
}
