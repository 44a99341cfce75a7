//! From a specification to a task graph: what a cluster needs, as provider-agnostic tasks.
//!
//! [`build`] is a pure function of a [`Blueprint`]: the specification, the cloud's capabilities, its
//! [`Dialect`], and the [`NodeBootstrap`] of the machines. Each concern has a file: network, firewalls, API,
//! bastion, DNS names, etcd disks, identities, instance groups. The model says *what the cluster needs*; the
//! provider's lowering decides which native objects implement a load balancer or an instance group.
//!
//! Tasks are named as kOps names objects (see [`Names`]), so that the objects of its clusters are found.
//!
//! All problems are found in one pass; a graph results only if there are no errors. Known weaknesses: IPv6 is
//! rejected; shared firewalls that replace the cluster's own get no rules; the names of an API without a load
//! balancer are placeholders until something in the cluster publishes them.

mod api;
mod bastion;
mod dns;
mod draft;
mod etcd;
mod firewall;
mod graph;
mod groups;
mod identities;
mod names;
mod network;
mod ssh_key;
#[cfg(test)]
mod tests;

use crate::bootstrap::{BootCluster, NodeBootstrap};
use crate::bundle::StoreFiles;
use crate::cloud::{CLUSTER_FIELDS, Dialect, NodeFacts, refuse_unclaimed};
use crate::extensions::MachineRole;
use crate::spec::version::{self, ApiVersion, Kind};
use crate::spec::{Cluster, InstanceGroup, Path, Problem, Problems, SshCredential};
use kops_core::cloud::{Capabilities, Scope};
use kops_core::graph::TaskGraph;

pub use dns::dns_zone;
pub use graph::{ClusterGraph, cluster_graph, cluster_graph_with};
pub use names::Names;

use draft::Draft;

/// The input of the model.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Blueprint<'a> {
    /// The cluster, with the defaults of [`populate`](crate::spec::populate()).
    pub cluster: &'a Cluster,
    /// Its instance groups, with defaults as well.
    pub groups: &'a [InstanceGroup],
    /// The SSH keys that may log in to machines.
    pub ssh_keys: &'a [SshCredential],
    /// The capabilities of the cloud.
    pub capabilities: Capabilities,
    /// The cloud's translation of provider-specific settings.
    pub dialect: &'a dyn Dialect,
    /// What machines run on first boot.
    pub bootstrap: &'a dyn NodeBootstrap,
    /// What machines have to know of their cloud, or why it cannot be told, for bootstraps that need it.
    pub facts: Result<&'a NodeFacts, &'a Problems>,
}

impl<'a> Blueprint<'a> {
    /// The inputs of a model: a cluster, its groups, SSH keys, the cloud's capabilities and dialect, the user data of
    /// machines, and what they have to know of the cloud.
    pub fn new(
        cluster: &'a Cluster,
        groups: &'a [InstanceGroup],
        ssh_keys: &'a [SshCredential],
        capabilities: Capabilities,
        dialect: &'a dyn Dialect,
        bootstrap: &'a dyn NodeBootstrap,
        facts: Result<&'a NodeFacts, &'a Problems>,
    ) -> Self {
        Self { cluster, groups, ssh_keys, capabilities, dialect, bootstrap, facts }
    }

    fn boot(&self) -> BootCluster<'a> {
        BootCluster::new(self.cluster, self.groups, self.facts)
    }
}

/// A graph built from a specification.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClusterModel {
    /// The graph.
    pub graph: TaskGraph,
    /// What machines find in the state store: to be uploaded before the graph is applied.
    pub files: StoreFiles,
    /// Warnings about the specification.
    pub warnings: Vec<Problem>,
}

/// Builds the task graph of a cluster.
///
/// # Errors
/// All problems, each with its path and a fix, warnings included.
pub fn build(blueprint: &Blueprint<'_>) -> Result<ClusterModel, Problems> {
    let mut draft = Draft::new(blueprint);
    check(&mut draft);
    let site = network::build(&mut draft);
    let mut walls = firewall::build(&mut draft, &site);
    let dns = dns::zone(&mut draft, &site);
    let api = api::build(&mut draft, &site, &mut walls);
    let bastion = bastion::build(&mut draft, &site, &mut walls);
    walls.finish(&mut draft);
    let endpoint = api::endpoint(&mut draft, dns.as_ref(), api.as_ref());
    dns::records(&mut draft, dns.as_ref(), api.as_ref(), bastion.as_ref());
    etcd::build(&mut draft);
    identities::build(&mut draft);
    let ssh_key = ssh_key::build(&mut draft);
    blueprint.bootstrap.check(&blueprint.boot(), &mut draft.problems);
    let names = dns.and_then(|dns| dns.link);
    let common = groups::Common { site: &site, ssh_key, endpoint, api, bastion, names };
    groups::build(&mut draft, &common);

    let Draft { graph, files, mut problems, .. } = draft;
    problems.name_object(&format!("Cluster/{}", blueprint.cluster.name()));
    problems.update(|problem| problem.path = in_words_of_documents(problem));
    if problems.has_errors() {
        return Err(problems);
    }
    match graph.build() {
        Ok(graph) => Ok(ClusterModel { graph, files, warnings: problems.into_iter().collect() }),
        Err(error) => {
            // Two tasks of the same name, which no check above has caught.
            let all = if error.errors().is_empty() { std::slice::from_ref(&error) } else { error.errors() };
            for error in all {
                let task = error.task().map(|task| format!("{task}: ")).unwrap_or_default();
                problems.error(Path::root(), format!("{task}{}", error.message()), "use different names");
            }
            Err(problems)
        }
    }
}

/// The scope that owns a cluster's objects.
pub fn scope_of(cluster: &Cluster) -> Scope {
    Scope::new(cluster.name()).labels(cluster.spec.cloud_labels.clone())
}

/// Checks the cluster as a whole.
fn check(draft: &mut Draft<'_>) {
    let blueprint = draft.blueprint;
    if let Ok(document) = serde_json::to_value(&blueprint.cluster.spec) {
        refuse_unclaimed(&document, CLUSTER_FIELDS, blueprint.dialect.cluster_fields(), &mut draft.problems);
    }
    if !draft.has(MachineRole::ControlPlane) {
        draft.problems.error(
            Path::root(),
            "it has no instance group of role ControlPlane",
            "add a group for each control-plane machine",
        );
    }
}

/// A problem's path as users write it: state stores keep specifications in kOps' v1alpha2.
fn in_words_of_documents(problem: &Problem) -> Path {
    let kind = match problem.object.split_once('/') {
        Some(("InstanceGroup", _)) => Kind::InstanceGroup,
        Some(("SSHCredential", _)) => Kind::SshCredential,
        _ => Kind::Cluster,
    };
    version::to_version(ApiVersion::V1Alpha2, kind, &problem.path)
}
