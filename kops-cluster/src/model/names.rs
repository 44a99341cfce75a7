//! What things are called: kOps' names, so that its clusters are recognised.

use crate::extensions::MachineRole;
use crate::spec::{InstanceGroup, Role};

/// The names of a cluster's tasks. A task's name is the whole name of its object in the cloud.
///
/// ```
/// use kops_cluster::model::Names;
/// use kops_cluster::{InstanceGroup, Role};
///
/// let names = Names::of("ha.example.com");
/// assert_eq!(names.scoped("utility-us-test-1a"), "utility-us-test-1a.ha.example.com");
///
/// let group = InstanceGroup::named("control-plane-us-test-1a", Role::ControlPlane, "ha.example.com");
/// assert_eq!(names.group(&group), "control-plane-us-test-1a.masters.ha.example.com");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    cluster: &'a str,
}

impl<'a> Names<'a> {
    /// The names of the cluster called `cluster`.
    pub fn of(cluster: &'a str) -> Self {
        Self { cluster }
    }

    /// What there is one of is called after the cluster.
    pub fn cluster(&self) -> &'a str {
        self.cluster
    }

    /// Something of the cluster's that has a name of its own: `api`, a subnet's.
    pub fn scoped(&self, own: &str) -> String {
        format!("{own}.{}", self.cluster)
    }

    /// The machines of an instance group.
    pub fn group(&self, group: &InstanceGroup) -> String {
        match group.role() {
            Role::ControlPlane => format!("{}.masters.{}", group.name(), self.cluster),
            _ => self.scoped(group.name()),
        }
    }

    /// The firewall around machines of a role.
    pub fn firewall(&self, role: MachineRole) -> String {
        self.scoped(match role {
            MachineRole::ControlPlane => "masters",
            MachineRole::Node => "nodes",
            MachineRole::Bastion => "bastion",
        })
    }

    /// What machines of a role run under.
    pub fn identity(&self, role: MachineRole) -> String {
        self.scoped(match role {
            MachineRole::ControlPlane => "masters",
            MachineRole::Node => "nodes",
            MachineRole::Bastion => "bastions",
        })
    }

    /// The disk of a member of an etcd cluster.
    pub fn etcd_volume(&self, etcd: &str, member: &str) -> String {
        format!("{member}.etcd-{etcd}.{}", self.cluster)
    }

    /// The SSH key of a fingerprint.
    pub fn ssh_key(&self, fingerprint: &str) -> String {
        format!("kubernetes.{}-{fingerprint}", self.cluster)
    }

    /// The name that the API has for machines of the cluster.
    pub fn internal(&self, service: &str) -> String {
        format!("{service}.internal.{}", self.cluster)
    }
}
