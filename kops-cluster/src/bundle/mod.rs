//! What a machine becomes: bundles (`kops.bundle/v1`), rendered from a specification.
//!
//! [`render`] is pure: the specification, what the cloud says of its machines ([`NodeFacts`](crate::cloud::NodeFacts))
//! and the ids of the cluster's keysets come in, a document for the program on the machine comes out. The same input
//! gives the same bytes, whose hash the user data holds: a machine is out of date exactly when its bundle is another.
//! There are no secrets in it.
//!
//! Every setting of kOps' specifications that concerns machines or the control plane acts here, or is reported with its
//! path: as an error if the cluster would not be what it says, as a warning if it merely does nothing.
//!
//! What is known only after a plan has been applied, such as the name of a load balancer, is not in a bundle: it would
//! have no hash while planning. It is in the user data: see [`bootstrap`](crate::bootstrap).

mod authentication;
mod cluster;
mod containerd;
mod control_plane;
mod etcd;
mod files;
mod hooks;
mod keysets;
mod kubeadm;
mod kubelet;
mod labels;
mod machine;
mod roles;
mod setting;
mod store;
mod tables;
#[cfg(test)]
mod tests;

use kops_node::bundle::{API_VERSION, Api, Bundle, Group, Groups, Keep, Role};

use crate::cloud::Architecture;
use crate::spec::{InstanceGroup, Path, Problems};

pub use cluster::BundleCluster;
pub use store::StoreFiles;
pub(crate) use store::{object, sha256};

use cluster::API_PORT;

/// How many days before their end certificates are renewed.
const RENEWAL: u32 = 30;

/// What is wrong with the settings that a bundle is rendered from. A bundle with errors is of no use.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Told {
    /// Of the cluster.
    pub cluster: Problems,
    /// Of the group.
    pub group: Problems,
}

/// Renders the bundle of a group's machines.
pub fn render(cluster: &BundleCluster<'_>, group: &InstanceGroup, told: &mut Told) -> Bundle {
    let control_plane = group.is_control_plane();
    let mut containerd = containerd::render(cluster, group, architecture(cluster, group), told);
    let (patch, kubelet) = kubelet::render(cluster, group, told);
    let (documents, mut files) = if control_plane {
        kubeadm::control_plane(cluster, &containerd.socket, patch, &mut told.cluster)
    } else {
        (kubeadm::node(&containerd.socket, patch), Vec::new())
    };
    files.extend(files::render(cluster, group, told));
    let hooks = hooks::render(cluster, group, told);
    let machine = machine::render(cluster, group, &mut containerd, (files, hooks), told);
    Bundle {
        api_version: API_VERSION.to_owned(),
        cluster: cluster.cluster.name().to_owned(),
        group: group.name().to_owned(),
        role: role(group),
        kubernetes_version: format!("v{}", cluster.version()),
        cloud: cluster.facts.cloud.clone(),
        store: cluster.facts.store.clone(),
        api: Api {
            name: cluster.api_name(),
            aliases: cluster.cluster.spec.api.public_name.iter().cloned().collect(),
            port: API_PORT,
            balancer: None,
        },
        machine,
        containerd: containerd.containerd,
        kubelet,
        kubeadm: documents,
        keysets: if control_plane {
            keysets::references(cluster.cluster, cluster.keysets)
        } else {
            Vec::new()
        },
        etcd: if control_plane { etcd::render(cluster, group, &mut told.cluster) } else { Vec::new() },
        keep: control_plane.then_some(Keep { renew_days: RENEWAL }),
    }
}

/// What keepers know of all groups. It is apart from the bundles, so that another group of nodes makes no control plane
/// out of date.
pub fn groups(cluster: &BundleCluster<'_>) -> Groups {
    let members = cluster.groups.iter().filter(|it| !it.is_bastion());
    let known = |it: &InstanceGroup| Group { role: role(it), labels: labels::kept(cluster.cluster, it) };
    Groups { groups: members.map(|it| (it.name().to_owned(), known(it))).collect() }
}

fn role(group: &InstanceGroup) -> Role {
    if group.is_control_plane() { Role::ControlPlane } else { Role::Node }
}

/// Reports what is wrong with a cluster's settings, whatever its groups.
pub fn check(cluster: &BundleCluster<'_>, problems: &mut Problems) {
    etcd::check(cluster, problems);
    if cluster.cluster.spec.api.load_balancer.is_none() {
        problems.warn(
            Path::of("spec.api"),
            "nodes do not find the API yet: nothing publishes the addresses of control planes",
            "set api.loadBalancer",
        );
    }
    let mut told = Told::default();
    for group in cluster.groups.iter().filter(|it| !it.is_bastion()) {
        render(cluster, group, &mut told);
    }
    for it in told.cluster {
        // All groups find the same.
        if !problems.iter().any(|known| *known == it) {
            problems.add(it.severity, it.path, it.message, it.fix);
        }
    }
}

/// The architecture of a group's machines.
pub fn architecture(cluster: &BundleCluster<'_>, group: &InstanceGroup) -> Architecture {
    (cluster.facts.architecture)(group.spec.machine_type.as_deref().unwrap_or_default())
}
