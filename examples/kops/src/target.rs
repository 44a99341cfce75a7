//! A cluster about to be planned: its graph, and an engine for its cloud.

use std::collections::BTreeSet;
use std::sync::Arc;

use kops_cluster::bootstrap::{KopsNode, NodeProgram};
use kops_cluster::bundle::StoreFiles;
use kops_cluster::pki::{Keyset, Keysets};
use kops_cluster::registry::ClusterStore;
use kops_cluster::{
    Cluster, ClusterCloud, ClusterFiles, ClusterGraph, cluster_graph, cluster_graph_with, scope_of, validate,
    with_existing_zones,
};
use kops_core::clock::{Clock as _, SystemClock};
use kops_core::cloud::Cloud;
use kops_core::graph::{Key, TaskGraph};
use kops_core::{Engine, Error, Prefetch, Result};

use crate::cloud;
use crate::specification::{refusal, warn_of, warn_of_additional, warn_once};
use crate::state::State;

/// All that planning takes.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) engine: Engine,
    pub(crate) graph: TaskGraph,
    pub(crate) needs: Needs,
}

/// What machines read from the state store, and is not there yet.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    keysets: Vec<Keyset>,
    files: StoreFiles,
}

impl Needs {
    /// Writes it. A plan is to be accepted before: one that is rejected leaves nothing.
    pub(crate) async fn store(&self, store: &ClusterStore) -> Result<()> {
        store.create_keysets(&self.keysets).await?;
        store.upload(&self.files).await.map(drop)
    }
}

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be shown: keysets that are missing stay so.
    Show,
    /// To be applied: machines are told the ids of all keysets, so those that are missing are generated.
    Apply,
}

/// The target of a stored specification, with a prefetch of its cloud.
#[derive(Debug)]
pub(crate) struct StoredTarget {
    pub(crate) target: Target,
    pub(crate) files: ClusterFiles,
    /// Keysets that applying creates.
    pub(crate) missing_keysets: Vec<String>,
    pub(crate) prefetch: Prefetch,
}

impl StoredTarget {
    /// Reads the specification, and while its groups are being read, connects to its cloud and starts to observe it.
    pub(crate) async fn read(
        state: &State,
        store: &ClusterStore,
        program: NodeProgram,
        purpose: Purpose,
    ) -> Result<Self> {
        let opened = state.open_cluster(store).await?;
        let cluster = Cluster::clone(opened.cluster());
        let reading = async {
            let (keysets, stored) = tokio::try_join!(opened.keysets(), opened.read())?;
            warn_of(&stored);
            let files = store.to_plan(stored);
            warn_of_additional(&files);
            check(&files)?;
            Ok((files, keysets))
        };
        let connecting = async {
            let cloud = cloud::open(&cluster, state).await?;
            let engine = engine(cloud.clone(), &cluster, store)?;
            let prefetch = engine.prefetch();
            Ok::<_, Error>((cloud, engine, prefetch))
        };
        // Problems of the specification are reported first, even if connecting fails.
        let ((files, keysets), connected) =
            tokio::try_join!(reading, async { Ok::<_, Error>(connecting.await) })?;
        let (cloud, engine, prefetch) = connected?;
        let missing_keysets = keysets.missing().map(str::to_owned).collect();
        let (graph, needs) = graph(&files, &*cloud, program, keysets, purpose).await?;
        Ok(Self { target: Target { engine, graph, needs }, files, missing_keysets, prefetch })
    }
}

impl Target {
    /// The target of a new cluster, which has no keysets yet.
    pub(crate) async fn of_new(
        files: &ClusterFiles,
        state: &State,
        store: &ClusterStore,
        program: NodeProgram,
        purpose: Purpose,
    ) -> Result<Self> {
        check(files)?;
        let cloud = cloud::open(&files.cluster, state).await?;
        let keysets = Keysets::to_be_created(&files.cluster);
        let (graph, needs) = graph(files, &*cloud, program, keysets, purpose).await?;
        Ok(Self { engine: engine(cloud, &files.cluster, store)?, graph, needs })
    }

    /// The infrastructure that a specification describes, whatever its machines run: to see which objects there are.
    pub(crate) async fn infrastructure(
        files: &ClusterFiles,
        state: &State,
        store: &ClusterStore,
    ) -> Result<Self> {
        check(files)?;
        let cloud = cloud::open(&files.cluster, state).await?;
        let files = with_existing_zones(files, &*cloud).await?;
        let graph = cluster_graph(&files, &*cloud).map_err(refusal)?.graph;
        Ok(Self { engine: engine(cloud, &files.cluster, store)?, graph, needs: Needs::default() })
    }

    /// The target of deleting a cluster: nothing, whatever the specification says.
    pub(crate) async fn none(files: &ClusterFiles, state: &State, store: &ClusterStore) -> Result<Self> {
        let cloud = cloud::open(&files.cluster, state).await?;
        let (graph, needs) = (TaskGraph::default(), Needs::default());
        Ok(Self { engine: engine(cloud, &files.cluster, store)?, graph, needs })
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

async fn graph(
    files: &ClusterFiles,
    cloud: &dyn ClusterCloud,
    program: NodeProgram,
    mut keysets: Keysets,
    purpose: Purpose,
) -> Result<(TaskGraph, Needs)> {
    let new = match purpose {
        Purpose::Show => Vec::new(),
        Purpose::Apply => keysets.generate_missing(SystemClock::new().now())?,
    };
    let files = with_existing_zones(files, cloud).await?;
    let planned = cluster_graph_with(&files, cloud, &KopsNode::new(program, keysets)).map_err(refusal)?;
    let ClusterGraph { graph, warnings, files, .. } = planned;
    warn_once(&warnings);
    Ok((graph, Needs { keysets: new, files }))
}

fn engine(cloud: Arc<dyn Cloud>, cluster: &Cluster, store: &ClusterStore) -> Result<Engine> {
    Ok(Engine::new(cloud, scope_of(cluster)).journal(Arc::new(store.journal()?)))
}
