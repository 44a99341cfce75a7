//! From a user's specification to a task graph, in one call.

use super::{Blueprint, ClusterModel, build, scope_of};
use crate::ClusterCloud;
use crate::bootstrap::{NodeBootstrap, PlainImages};
use crate::bundle::StoreFiles;
use crate::spec::{ClusterFiles, Path, Problem, Problems, populate, validate};
use kops_core::cloud::Scope;
use kops_core::graph::TaskGraph;

/// A cluster's task graph, and the scope that owns its objects.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClusterGraph {
    /// The scope that owns the objects.
    pub scope: Scope,
    /// The desired objects.
    pub graph: TaskGraph,
    /// What machines find in the state store: upload it before the graph is applied
    /// ([`ClusterStore::upload`](crate::registry::ClusterStore::upload)).
    pub files: StoreFiles,
    /// Warnings about the specification.
    pub warnings: Vec<Problem>,
}

/// Turns a user's specification into a task graph: fills in the defaults, validates it, and builds the graph.
/// This is the cluster's infrastructure: its machines boot their images as they are ([`PlainImages`]). For machines that
/// become members of the cluster use [`cluster_graph_with`] and a [`KopsNode`](crate::bootstrap::KopsNode).
///
/// ```
/// # #[cfg(feature = "testing")] {
/// use kops_cluster::{ClusterFiles, NewCluster, new_cluster, cluster_graph};
/// use kops_core::testing::MemoryCloud;
///
/// let new = NewCluster::new("demo.example.com", "memory").zones(["zone-1a"]);
/// let (cluster, instance_groups) = new_cluster(&new).unwrap();
/// let files = ClusterFiles::new(cluster, instance_groups, []);
///
/// let planned = cluster_graph(&files, &MemoryCloud::new()).unwrap();
/// assert_eq!(planned.scope.name(), "demo.example.com");
/// assert!(planned.graph.tasks().any(|task| task.key.as_str() == "InstanceGroup/nodes-zone-1a.demo.example.com"));
/// // From here: Engine::new(cloud, planned.scope).plan(&planned.graph)
/// # }
/// ```
///
/// # Errors
/// All problems, each with its path and a fix, warnings included.
pub fn cluster_graph(files: &ClusterFiles, cloud: &dyn ClusterCloud) -> Result<ClusterGraph, Problems> {
    cluster_graph_with(files, cloud, &PlainImages)
}

/// [`cluster_graph`] with machines that become members of the cluster by a [`NodeBootstrap`].
///
/// ```
/// # #[cfg(feature = "testing")] {
/// use kops_cluster::bootstrap::{KopsNode, NodeProgram};
/// use kops_cluster::pki::Keysets;
/// use kops_cluster::cloud::Architecture;
/// use kops_cluster::{ClusterFiles, NewCluster, new_cluster, cluster_graph_with};
/// use kops_core::testing::MemoryCloud;
///
/// let new = NewCluster::new("demo.example.com", "memory").zones(["zone-1a"]).config_base("file:///srv/state/demo.example.com");
/// let (cluster, instance_groups) = new_cluster(&new).unwrap();
/// let files = ClusterFiles::new(cluster, instance_groups, []);
///
/// // A real program reads the binary: NodeProgram::new().with_binary(std::fs::read("kops-node")?)?
/// let program = NodeProgram::new().with_hash(Architecture::Amd64, &"0".repeat(64)).unwrap();
/// let machines = KopsNode::new(program, Keysets::to_be_created(&files.cluster));
/// let planned = cluster_graph_with(&files, &MemoryCloud::new(), &machines).unwrap();
/// let (bundle, _) = planned.files.iter().next().unwrap();
/// assert!(bundle.starts_with("igconfig/control-plane/control-plane-zone-1a/"), "{bundle}");
/// # }
/// ```
///
/// # Errors
/// As [`cluster_graph`].
pub fn cluster_graph_with(
    files: &ClusterFiles,
    cloud: &dyn ClusterCloud,
    bootstrap: &dyn NodeBootstrap,
) -> Result<ClusterGraph, Problems> {
    let provider = files.cluster.spec.cloud_provider.as_ref();
    if let Some(provider) = provider.filter(|provider| provider.name() != cloud.name()) {
        let mut problems = Problems::new();
        problems.error(
            Path::of("spec.cloudProvider"),
            format!("the cluster is for cloud {}, but the given cloud is {}", provider.name(), cloud.name()),
            "use the cloud that the specification names",
        );
        return Err(problems);
    }
    let (cluster, groups) = populate(&files.cluster, &files.instance_groups);
    let facts = cloud.node_facts(&cluster);
    let blueprint = Blueprint::new(
        &cluster,
        &groups,
        &files.ssh_keys,
        cloud.capabilities(),
        cloud.dialect(),
        bootstrap,
        facts.as_ref(),
    );
    let mut problems = validate(&files.cluster, &files.instance_groups);
    for key in &files.ssh_keys {
        problems.extend(key.validate());
    }
    match build(&blueprint) {
        Ok(ClusterModel { graph, files: in_store, warnings }) if !problems.has_errors() => {
            let warnings = problems.into_iter().chain(warnings).collect();
            Ok(ClusterGraph { scope: scope_of(&files.cluster), graph, files: in_store, warnings })
        }
        Ok(_) => Err(problems),
        Err(more) => {
            problems.extend_new(more);
            Err(problems)
        }
    }
}
