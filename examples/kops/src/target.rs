//! A cluster about to be planned: its graph, and an engine for its cloud.

use std::collections::BTreeSet;
use std::sync::Arc;

use kops_cluster::registry::ClusterStore;
use kops_cluster::{ClusterFiles, ClusterGraph, cluster_graph, scope_of, validate};
use kops_core::cloud::Cloud;
use kops_core::graph::{Key, TaskGraph};
use kops_core::{Engine, Result};

use crate::cloud;
use crate::specification::{refusal, warn_once};
use crate::state::State;

/// All that planning takes.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) engine: Engine,
    pub(crate) graph: TaskGraph,
}

impl Target {
    /// The target that a specification describes.
    pub(crate) async fn of(files: &ClusterFiles, state: &State, store: &ClusterStore) -> Result<Self> {
        // What is wrong in itself is told without a look at the cloud, for which there may be no credentials.
        validate(&files.cluster, &files.instance_groups).into_result()?;
        let cloud = cloud::open(&files.cluster, state).await?;
        let ClusterGraph { graph, warnings, .. } = cluster_graph(files, &*cloud).map_err(refusal)?;
        warn_once(&warnings);
        Ok(Self { engine: engine(cloud, files, store)?, graph })
    }

    /// The target of deleting a cluster: nothing, whatever the specification says.
    pub(crate) async fn none(files: &ClusterFiles, state: &State, store: &ClusterStore) -> Result<Self> {
        let cloud = cloud::open(&files.cluster, state).await?;
        Ok(Self { engine: engine(cloud, files, store)?, graph: TaskGraph::default() })
    }

    /// The native tasks that are there for one task of the graph alone.
    pub(crate) fn native_tasks_of(&self, key: &Key) -> Result<BTreeSet<Key>> {
        let mut others = TaskGraph::builder();
        for task in self.graph.tasks().filter(|task| task.key != *key) {
            others.insert(task.clone());
        }
        let lower = |graph: &TaskGraph| self.engine.cloud().lower(graph, self.engine.scope());
        let (all, others) = (lower(&self.graph)?, lower(&others.build()?)?);
        let keys = all.tasks().map(|task| &task.key);
        Ok(keys.filter(|key| others.get(key).is_none()).cloned().collect())
    }
}

fn engine(cloud: Arc<dyn Cloud>, files: &ClusterFiles, store: &ClusterStore) -> Result<Engine> {
    Ok(Engine::new(cloud, scope_of(&files.cluster)).journal(Arc::new(store.journal()?)))
}
