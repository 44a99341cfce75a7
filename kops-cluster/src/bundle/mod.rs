//! Bundles (`kops.bundle/v1`), the configuration of machines, rendered from a specification.
//!
//! [`render`] is pure: from the specification, the cloud's facts about its machines
//! ([`NodeFacts`](crate::cloud::NodeFacts)) and the ids of the cluster's keysets it renders a document for
//! the program on the machine. The same input results in the same bytes, whose hash is in the user data: a
//! machine is out of date exactly if its bundle has changed. A bundle contains no secrets.
//!
//! Every setting of kOps' specifications that concerns machines or the control plane takes effect here or is
//! reported with its path: as an error if the cluster would not match it, as a warning if it merely has no
//! effect.
//!
//! What is only known after a plan has been applied, such as the name of a load balancer, is not in a bundle,
//! which would have no hash when planning. It is in the user data: see [`bootstrap`](crate::bootstrap).

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
use crate::spec::{Cluster, InstanceGroup, Path, Problems};

pub use cluster::BundleCluster;
pub(crate) use etcd::mount_point;
pub use store::StoreFiles;
pub(crate) use store::{object, sha256};

use cluster::API_PORT;

/// How many days before they expire certificates are renewed.
const RENEWAL: u32 = 30;

/// The problems of the settings that a bundle is rendered from. A bundle with errors must not be used.
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

/// The list of groups for keepers. It is separate from the bundles, so that a new group of nodes does not
/// make control planes out of date.
pub fn groups(cluster: &BundleCluster<'_>) -> Groups {
    let members = cluster.groups.iter().filter(|it| !it.is_bastion());
    let known = |it: &InstanceGroup| Group { role: role(it), labels: labels::kept(cluster.cluster, it) };
    Groups { groups: members.map(|it| (it.name().to_owned(), known(it))).collect() }
}

fn role(group: &InstanceGroup) -> Role {
    if group.is_control_plane() { Role::ControlPlane } else { Role::Node }
}

/// Whether API servers answer `GET /readyz` without credentials. With the file that kops writes and with
/// Kubernetes' defaults they do; what a file of the user's permits is not known. It is the role
/// `system:public-info-viewer` that permits it, so without RBAC they do not.
pub(crate) fn answers_probes(cluster: &Cluster) -> bool {
    let own = cluster::settings(cluster.spec.kube_api_server.as_ref());
    let (file, mode) = (&own["authenticationConfigFile"], &own["authorizationMode"]);
    let rbac = mode.as_str().is_some_and(|it| it.split(',').any(|it| it.trim() == "RBAC"));
    file.is_null() && (mode.is_null() || rbac)
}

/// Reports problems of a cluster's settings, independent of its groups.
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
        // All groups report the same problems.
        if !problems.iter().any(|known| *known == it) {
            problems.add(it.severity, it.path, it.message, it.fix);
        }
    }
}

/// The architecture of a group's machines.
pub fn architecture(cluster: &BundleCluster<'_>, group: &InstanceGroup) -> Architecture {
    (cluster.facts.architecture)(group.spec.machine_type.as_deref().unwrap_or_default())
}
