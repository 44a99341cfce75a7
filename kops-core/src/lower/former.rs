//! Renamed tasks: the previous names of their native tasks.
//!
//! Only a provider's lowering determines the names of native tasks. So the graph is lowered a second time with the
//! previous names, and the native tasks of both are compared: tasks of the same kind and origin are in the same
//! order.

use std::collections::{HashMap, VecDeque};

use super::Native;
use crate::Result;
use crate::graph::{Edge, Key, OutputRef, Task, TaskGraph, TaskOptions};

/// The previous keys of renamed tasks.
pub(super) struct FormerNames(HashMap<Key, Key>);

impl FormerNames {
    /// The previous keys in a graph; `None` if no task was renamed.
    pub(super) fn of(graph: &TaskGraph) -> Option<Self> {
        let former = |task: &Task| {
            let name = task.options.former_name.as_deref()?;
            Some((task.key.clone(), Key::new(task.key.kind(), name)))
        };
        let formers: HashMap<_, _> = graph.tasks().filter_map(former).collect();
        (!formers.is_empty()).then_some(Self(formers))
    }

    fn before(&self, key: &Key) -> Key {
        self.0.get(key).unwrap_or(key).clone()
    }

    /// The graph with the previous names.
    pub(super) fn graph(&self, graph: &TaskGraph) -> Result<TaskGraph> {
        let mut before = TaskGraph::builder();
        for task in graph.tasks() {
            let change = |output: OutputRef| OutputRef { task: self.before(&output.task), ..output };
            let edge = |edge: &Edge| Edge { on: self.before(&edge.on), wait: edge.wait };
            before.insert(Task {
                key: self.before(&task.key),
                spec: task.spec.map_outputs(&change),
                lifecycle: task.lifecycle.clone(),
                edges: task.edges.iter().map(edge).collect(),
                options: TaskOptions { former_name: None, expectations: Vec::new(), ..task.options.clone() },
            });
        }
        before.build()
    }

    /// The native tasks, with their previous names in `before`.
    pub(super) fn told(
        &self,
        native: &TaskGraph,
        origins: &HashMap<Key, Vec<Key>>,
        before: &Native,
    ) -> Result<TaskGraph> {
        // By origin and kind, in order.
        let mut names: HashMap<(Key, String), VecDeque<&str>> = HashMap::new();
        for task in before.graph().tasks() {
            if let Some(origin) = before.origin(&task.key) {
                names
                    .entry((origin.clone(), task.key.kind().to_owned()))
                    .or_default()
                    .push_back(task.key.name());
            }
        }
        let mut told = TaskGraph::builder();
        for task in native.tasks() {
            let mut task = task.clone();
            let origin = origins.get(&task.key).and_then(|origins| origins.first());
            let alike = origin.map(|origin| (self.before(origin), task.key.kind().to_owned()));
            let name = alike.and_then(|alike| names.get_mut(&alike)?.pop_front());
            task.options.former_name = name.filter(|name| *name != task.key.name()).map(str::to_owned);
            told.insert(task);
        }
        told.build()
    }
}
