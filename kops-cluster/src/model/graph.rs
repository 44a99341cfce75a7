//! From a user's specification to a task graph, in one call.

use super::{Blueprint, ClusterModel, build, scope_of};
use crate::ClusterCloud;
use crate::bootstrap::{CloudInit, NodeBootstrap};
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
    /// Warnings about the specification.
    pub warnings: Vec<Problem>,
}

/// Turns a user's specification into a task graph: fills in the defaults, validates it, and builds the graph.
/// Machines are bootstrapped by [`CloudInit`].
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
    cluster_graph_with(files, cloud, &CloudInit::default())
}

/// [`cluster_graph`] with another [`NodeBootstrap`].
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
    let blueprint =
        Blueprint::new(&cluster, &groups, &files.ssh_keys, cloud.capabilities(), cloud.dialect(), bootstrap);
    let mut problems = validate(&files.cluster, &files.instance_groups);
    for key in &files.ssh_keys {
        problems.extend(key.validate());
    }
    match build(&blueprint) {
        Ok(ClusterModel { graph, warnings }) if !problems.has_errors() => {
            let warnings = problems.into_iter().chain(warnings).collect();
            Ok(ClusterGraph { scope: scope_of(&files.cluster), graph, warnings })
        }
        Ok(_) => Err(problems),
        Err(more) => {
            problems.extend_new(more);
            Err(problems)
        }
    }
}
