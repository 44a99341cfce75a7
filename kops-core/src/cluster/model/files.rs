//! From what users write to a graph, in one call.

use super::{Blueprint, Built, build, scope_of};
use crate::bootstrap::{CloudInit, NodeBootstrap};
use crate::cloud::{Cloud, Scope};
use crate::cluster::{
    Cluster, InstanceGroup, Object, Path, Problem, Problems, SshCredential, populate, validate,
};
use crate::graph::TaskGraph;
use crate::store::ClusterState;

/// A cluster as users write it: the documents of one cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterFiles {
    /// The cluster.
    pub cluster: Cluster,
    /// Its groups of machines.
    pub instance_groups: Vec<InstanceGroup>,
    /// Who may log in to machines.
    pub ssh_keys: Vec<SshCredential>,
}

/// A cluster's graph, and the scope that owns what it makes.
#[derive(Clone, Debug)]
pub struct ClusterGraph {
    /// The owner.
    pub scope: Scope,
    /// What shall exist.
    pub graph: TaskGraph,
    /// What is worth saying about the specification.
    pub warnings: Vec<Problem>,
}

impl ClusterFiles {
    /// Takes the documents of one cluster; documents of kinds that make no objects in a cloud are left out.
    ///
    /// # Errors
    /// When there is no cluster among them, or more than one.
    pub fn from_objects(objects: impl IntoIterator<Item = Object>) -> Result<Self, Problems> {
        let mut clusters = Vec::new();
        let mut files = Self::default();
        for object in objects {
            match object {
                Object::Cluster(cluster) => clusters.push(*cluster),
                Object::InstanceGroup(group) => files.instance_groups.push(*group),
                Object::SshCredential(key) => files.ssh_keys.push(*key),
                Object::Keyset(_) => {}
            }
        }
        let count = clusters.len();
        if let (Some(cluster), 1) = (clusters.pop(), count) {
            return Ok(Self { cluster, ..files });
        }
        let mut problems = Problems::new();
        problems.error(
            Path::root(),
            format!("there are {count} documents of kind Cluster"),
            "give the documents of one cluster",
        );
        Err(problems)
    }
}

impl From<ClusterState> for ClusterFiles {
    fn from(state: ClusterState) -> Self {
        Self {
            cluster: *state.cluster.object,
            instance_groups: state.instance_groups.into_iter().map(|group| *group.object).collect(),
            ssh_keys: state.ssh_keys,
        }
    }
}

/// Turns what users write into what a cloud shall hold: fills the specification in, checks it, and makes its
/// graph. Machines are prepared by [`CloudInit`].
///
/// ```
/// # #[cfg(feature = "testing")] {
/// use kops_core::cluster::{ClusterFiles, NewCluster, new_cluster, plan_graph};
/// use kops_core::testing::MemoryCloud;
///
/// let (cluster, instance_groups) = new_cluster(&NewCluster {
///     name: "demo.example.com".into(),
///     cloud: "memory".into(),
///     zones: vec!["zone-1a".into()],
///     ..NewCluster::default()
/// })
/// .unwrap();
/// let files = ClusterFiles { cluster, instance_groups, ssh_keys: Vec::new() };
///
/// let planned = plan_graph(&files, &MemoryCloud::new()).unwrap();
/// assert_eq!(planned.scope.name(), "demo.example.com");
/// assert!(planned.graph.tasks().any(|task| task.key.as_str() == "InstanceGroup/nodes-zone-1a.demo.example.com"));
/// // From here: Engine::new(cloud, planned.scope).plan(&planned.graph)
/// # }
/// ```
///
/// # Errors
/// All that is wrong, each with its path and a fix; warnings are among them.
pub fn plan_graph(files: &ClusterFiles, cloud: &dyn Cloud) -> Result<ClusterGraph, Problems> {
    plan_graph_with(files, cloud, &CloudInit::default())
}

/// [`plan_graph`] with another way of making machines members of the cluster.
///
/// # Errors
/// As [`plan_graph`].
pub fn plan_graph_with(
    files: &ClusterFiles,
    cloud: &dyn Cloud,
    bootstrap: &dyn NodeBootstrap,
) -> Result<ClusterGraph, Problems> {
    let provider = files.cluster.spec.cloud_provider.as_ref();
    if let Some(provider) = provider.filter(|provider| provider.name() != cloud.name()) {
        let mut problems = Problems::new();
        problems.error(
            Path::of("spec.cloudProvider"),
            format!("the cluster is for {}, and the cloud at hand is {}", provider.name(), cloud.name()),
            "use the cloud that the cluster is for",
        );
        return Err(problems);
    }
    let (cluster, groups) = populate(&files.cluster, &files.instance_groups);
    let blueprint = Blueprint {
        cluster: &cluster,
        groups: &groups,
        ssh_keys: &files.ssh_keys,
        capabilities: cloud.capabilities(),
        dialect: cloud.dialect(),
        bootstrap,
    };
    let mut problems = validate(&files.cluster, &files.instance_groups);
    for key in &files.ssh_keys {
        problems.extend(key.validate());
    }
    match build(&blueprint) {
        Ok(Built { graph, warnings }) if !problems.has_errors() => {
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
