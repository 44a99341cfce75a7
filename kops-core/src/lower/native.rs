//! What lowering makes: native tasks, and what they have to do with the agnostic ones.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::Result;
use crate::graph::{Key, TaskGraph};

/// A graph of native tasks that knows which tasks it was lowered from.
///
/// - The *origin* of a native task is the task of the lowered graph that it stands for or was made for: of
///   `SecurityGroup/api` the `Firewall/api`, of `Route/a` the `Subnet/a` that asked for a way out.
/// - What *stands for* an agnostic task is the native task whose object has its identifier.
///
/// A task of a native kind is its own origin and stands for itself. So does every task of a graph that was made of native
/// tasks by hand: [`Native::from`] a [`TaskGraph`].
///
/// ```
/// use kops_core::graph::TaskGraph;
/// use kops_core::lower::Native;
/// use kops_core::resource::Network;
///
/// let mut graph = TaskGraph::builder();
/// let network = graph.add("main", Network::new(["10.0.0.0/16".parse()?]));
/// let native = Native::from(graph.build()?);
/// assert_eq!(native.origin(network.key()), Some(network.key()));
/// assert_eq!(native.output(network.key(), "id"), Some((network.key(), "id")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Native {
    graph: Arc<TaskGraph>,
    /// For each native task, the tasks that it was made for.
    origins: HashMap<Key, Vec<Key>>,
    /// What stands for each task of the graph that was lowered; `None` when that is nothing.
    stand_ins: HashMap<Key, Option<StandIn>>,
}

/// What stands for a task.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StandIn {
    pub(super) key: Key,
    /// Where its outputs are had, and what they are called there. Those that are missing are the stand-in's, under the same
    /// name.
    pub(super) outputs: Vec<(&'static str, (Key, String))>,
}

impl StandIn {
    fn itself(key: &Key) -> Self {
        Self { key: key.clone(), outputs: Vec::new() }
    }
}

impl Native {
    pub(super) fn new(
        graph: TaskGraph,
        origins: HashMap<Key, Vec<Key>>,
        stand_ins: impl FnOnce(&TaskGraph) -> HashMap<Key, Option<StandIn>>,
    ) -> Self {
        let mut stand_ins = stand_ins(&graph);
        for task in graph.tasks() {
            // Of a kind that passed through.
            if origins.get(&task.key).is_some_and(|origins| origins.contains(&task.key)) {
                stand_ins.insert(task.key.clone(), Some(StandIn::itself(&task.key)));
            }
        }
        Self { graph: Arc::new(graph), origins, stand_ins }
    }

    /// The native tasks.
    pub fn graph(&self) -> &Arc<TaskGraph> {
        &self.graph
    }

    /// The native tasks, without what they have to do with others.
    pub fn into_graph(self) -> TaskGraph {
        Arc::unwrap_or_clone(self.graph)
    }

    /// Whether the graph that was lowered has a task.
    pub fn has(&self, task: &Key) -> bool {
        self.stand_ins.contains_key(task)
    }

    /// The task that a native task stands for or was made for; the first of them, when several need it.
    pub fn origin(&self, native: &Key) -> Option<&Key> {
        self.origins.get(native)?.first()
    }

    /// The native task that stands for a task; `None` when the cloud fulfils it without an object.
    pub fn stands_for(&self, task: &Key) -> Option<&Key> {
        Some(&self.stand_ins.get(task)?.as_ref()?.key)
    }

    /// The native task that has an output of a task, and what it calls it.
    pub fn output<'a>(&'a self, task: &Key, output: &'a str) -> Option<(&'a Key, &'a str)> {
        let StandIn { key, outputs } = self.stand_ins.get(task)?.as_ref()?;
        let elsewhere = outputs.iter().find(|(name, _)| *name == output);
        Some(elsewhere.map_or((key, output), |(_, (key, name))| (key, name)))
    }

    /// The native tasks that are there for this task and for no other.
    pub fn only_for(&self, task: &Key) -> BTreeSet<Key> {
        let only = |origins: &Vec<Key>| matches!(&origins[..], [only] if only == task);
        self.origins.iter().filter(|(_, origins)| only(origins)).map(|(key, _)| key.clone()).collect()
    }

    /// The same with another form of the graph's tasks: what a cloud asks of all its tasks alike.
    ///
    /// # Errors
    /// Those of `change`.
    pub fn try_map(self, change: impl FnOnce(&TaskGraph) -> Result<TaskGraph>) -> Result<Self> {
        Ok(Self { graph: Arc::new(change(&self.graph)?), ..self })
    }
}

/// Tasks that are native already.
impl From<Arc<TaskGraph>> for Native {
    fn from(graph: Arc<TaskGraph>) -> Self {
        let keys = || graph.tasks().map(|task| task.key.clone());
        let origins = keys().map(|key| (key.clone(), vec![key])).collect();
        let itself = |key: Key| (key.clone(), Some(StandIn::itself(&key)));
        let stand_ins = keys().map(itself).collect();
        Self { graph, origins, stand_ins }
    }
}

/// Tasks that are native already.
impl From<TaskGraph> for Native {
    fn from(graph: TaskGraph) -> Self {
        Arc::new(graph).into()
    }
}

/// Tasks that are native already.
impl From<TaskGraph> for Arc<Native> {
    fn from(graph: TaskGraph) -> Self {
        Self::new(graph.into())
    }
}
