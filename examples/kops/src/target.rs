//! A cluster about to be planned: its graph, and an engine for its cloud.

use std::collections::BTreeSet;
use std::sync::Arc;

use kops_cluster::registry::ClusterStore;
use kops_cluster::{Cluster, ClusterCloud, ClusterFiles, ClusterGraph, cluster_graph, scope_of, validate};
use kops_core::cloud::Cloud;
use kops_core::graph::{Key, TaskGraph};
use kops_core::{Engine, Error, Prefetch, Result};

use crate::cloud;
use crate::specification::{refusal, warn_of, warn_once};
use crate::state::State;

/// All that planning takes.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) engine: Engine,
    pub(crate) graph: TaskGraph,
}

/// The target of a stored specification, with a prefetch of its cloud.
#[derive(Debug)]
pub(crate) struct StoredTarget {
    pub(crate) target: Target,
    pub(crate) files: ClusterFiles,
    pub(crate) prefetch: Prefetch,
}

impl StoredTarget {
    /// Reads the specification, and while its groups are being read, connects to its cloud and starts to observe it.
    pub(crate) async fn read(state: &State, store: &ClusterStore) -> Result<Self> {
        let opened = state.open_cluster(store).await?;
        let cluster = Cluster::clone(opened.cluster());
        let reading = async {
            let stored = opened.read().await?;
            warn_of(&stored);
            let files = ClusterFiles::from(stored);
            check(&files)?;
            Ok(files)
        };
        let connecting = async {
            let cloud = cloud::open(&cluster, state).await?;
            let engine = engine(cloud.clone(), &cluster, store)?;
            let prefetch = engine.prefetch();
            Ok::<_, Error>((cloud, engine, prefetch))
        };
        // Problems of the specification are reported first, even if connecting fails.
        let (files, connected) = tokio::try_join!(reading, async { Ok::<_, Error>(connecting.await) })?;
        let (cloud, engine, prefetch) = connected?;
        let graph = graph(&files, &*cloud)?;
        Ok(Self { target: Target { engine, graph }, files, prefetch })
    }
}

impl Target {
    /// The target that a specification describes.
    pub(crate) async fn of(files: &ClusterFiles, state: &State, store: &ClusterStore) -> Result<Self> {
        check(files)?;
        let cloud = cloud::open(&files.cluster, state).await?;
        let graph = graph(files, &*cloud)?;
        Ok(Self { engine: engine(cloud, &files.cluster, store)?, graph })
    }

    /// The target of deleting a cluster: nothing, whatever the specification says.
    pub(crate) async fn none(files: &ClusterFiles, state: &State, store: &ClusterStore) -> Result<Self> {
        let cloud = cloud::open(&files.cluster, state).await?;
        Ok(Self { engine: engine(cloud, &files.cluster, store)?, graph: TaskGraph::default() })
    }

    /// The native tasks that are there for one task of the graph alone.
    pub(crate) fn native_tasks_of(&self, key: &Key) -> Result<BTreeSet<Key>> {
        Ok(self.engine.lower(&self.graph)?.only_for(key))
    }
}

/// Rejects an invalid specification without a call to the cloud, for which there may be no credentials.
fn check(files: &ClusterFiles) -> Result<()> {
    validate(&files.cluster, &files.instance_groups).into_result().map(drop)
}

fn graph(files: &ClusterFiles, cloud: &dyn ClusterCloud) -> Result<TaskGraph> {
    let ClusterGraph { graph, warnings, .. } = cluster_graph(files, cloud).map_err(refusal)?;
    warn_once(&warnings);
    Ok(graph)
}

fn engine(cloud: Arc<dyn Cloud>, cluster: &Cluster, store: &ClusterStore) -> Result<Engine> {
    Ok(Engine::new(cloud, scope_of(cluster)).journal(Arc::new(store.journal()?)))
}
