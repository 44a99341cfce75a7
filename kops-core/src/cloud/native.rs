//! The result of lowering: native tasks, and their relation to the agnostic ones.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::Result;
use crate::graph::{Key, TaskGraph};

/// A graph of native tasks, with the agnostic tasks it was lowered from.
///
/// - The *origin* of a native task is the task of the original graph from which it was lowered: the origin of
///   `SecurityGroup/api` is `Firewall/api`, that of `Route/a` is `Subnet/a`, which requires the route.
/// - An agnostic task is *represented* by the native task whose object has its identifier.
///
/// A task of a native kind is its own origin and represents itself. The same is true for all tasks of a graph that
/// was built of native tasks: [`Native::from`] a [`TaskGraph`].
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
    /// The agnostic tasks from which each native task was lowered.
    origins: HashMap<Key, Vec<Key>>,
    /// The task that represents each task of the original graph; `None` if there is none.
    stand_ins: HashMap<Key, Option<StandIn>>,
}

/// The task that represents another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StandIn {
    pub(crate) key: Key,
    /// The sources of its outputs, and their names there. Outputs that are missing here have the same name.
    pub(crate) outputs: Vec<(&'static str, (Key, String))>,
}

impl StandIn {
    fn itself(key: &Key) -> Self {
        Self { key: key.clone(), outputs: Vec::new() }
    }
}

impl Native {
    pub(crate) fn new(
        graph: TaskGraph,
        origins: HashMap<Key, Vec<Key>>,
        stand_ins: impl FnOnce(&TaskGraph) -> HashMap<Key, Option<StandIn>>,
    ) -> Self {
        let mut stand_ins = stand_ins(&graph);
        for task in graph.tasks() {
            // It is of a kind that was kept.
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

    /// The native tasks, without their relation to others.
    pub fn into_graph(self) -> TaskGraph {
        Arc::unwrap_or_clone(self.graph)
    }

    /// Whether the original graph contains a task.
    pub fn has(&self, task: &Key) -> bool {
        self.stand_ins.contains_key(task)
    }

    /// The task from which a native task was lowered; the first of them, if there are several.
    pub fn origin(&self, native: &Key) -> Option<&Key> {
        self.origins.get(native)?.first()
    }

    /// The native task that represents a task; `None` if the cloud provides it without an object.
    pub fn stands_for(&self, task: &Key) -> Option<&Key> {
        Some(&self.stand_ins.get(task)?.as_ref()?.key)
    }

    /// The native task that has an output of a task, and the output's name there.
    pub fn output<'a>(&'a self, task: &Key, output: &'a str) -> Option<(&'a Key, &'a str)> {
        let StandIn { key, outputs } = self.stand_ins.get(task)?.as_ref()?;
        let elsewhere = outputs.iter().find(|(name, _)| *name == output);
        Some(elsewhere.map_or((key, output), |(_, (key, name))| (key, name)))
    }

    /// The native tasks that exist only for this task.
    pub fn only_for(&self, task: &Key) -> BTreeSet<Key> {
        let only = |origins: &Vec<Key>| matches!(&origins[..], [only] if only == task);
        self.origins.iter().filter(|(_, origins)| only(origins)).map(|(key, _)| key.clone()).collect()
    }

    /// Converts the native graph, for settings that a cloud requires on all tasks.
    ///
    /// # Errors
    /// Those of `change`.
    pub fn try_map(self, change: impl FnOnce(&TaskGraph) -> Result<TaskGraph>) -> Result<Self> {
        Ok(Self { graph: Arc::new(change(&self.graph)?), ..self })
    }
}

/// A graph of native tasks.
impl From<Arc<TaskGraph>> for Native {
    fn from(graph: Arc<TaskGraph>) -> Self {
        let keys = || graph.tasks().map(|task| task.key.clone());
        let origins = keys().map(|key| (key.clone(), vec![key])).collect();
        let itself = |key: Key| (key.clone(), Some(StandIn::itself(&key)));
        let stand_ins = keys().map(itself).collect();
        Self { graph, origins, stand_ins }
    }
}

/// A graph of native tasks.
impl From<TaskGraph> for Native {
    fn from(graph: TaskGraph) -> Self {
        Arc::new(graph).into()
    }
}

/// The native tasks only.
impl From<TaskGraph> for Arc<Native> {
    fn from(graph: TaskGraph) -> Self {
        Self::new(graph.into())
    }
}
