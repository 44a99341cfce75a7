//! The names of tasks: kOps' names, so that the objects of its clusters are found.

use crate::extensions::MachineRole;
use crate::spec::{InstanceGroup, Role};

/// The names of a cluster's tasks. A task's name is the full name of its object in the cloud.
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

    /// The name of objects of which a cluster has one: the cluster's own.
    pub fn cluster(&self) -> &'a str {
        self.cluster
    }

    /// The name of a part of the cluster, such as `api` or a subnet.
    pub fn scoped(&self, own: &str) -> String {
        format!("{own}.{}", self.cluster)
    }

    /// The name of an instance group's machines.
    pub fn group(&self, group: &InstanceGroup) -> String {
        match group.role() {
            Role::ControlPlane => format!("{}.masters.{}", group.name(), self.cluster),
            _ => self.scoped(group.name()),
        }
    }

    /// The name of the firewall of a role's machines.
    pub fn firewall(&self, role: MachineRole) -> String {
        self.scoped(match role {
            MachineRole::ControlPlane => "masters",
            MachineRole::Node => "nodes",
            MachineRole::Bastion => "bastion",
        })
    }

    /// The name of the identity of a role's machines.
    pub fn identity(&self, role: MachineRole) -> String {
        self.scoped(match role {
            MachineRole::ControlPlane => "masters",
            MachineRole::Node => "nodes",
            MachineRole::Bastion => "bastions",
        })
    }

    /// The name of the disk of an etcd member.
    pub fn etcd_volume(&self, etcd: &str, member: &str) -> String {
        format!("{member}.etcd-{etcd}.{}", self.cluster)
    }

    /// The name of the SSH key with a fingerprint.
    pub fn ssh_key(&self, fingerprint: &str) -> String {
        format!("kubernetes.{}-{fingerprint}", self.cluster)
    }

    /// The DNS name of a service for machines of the cluster.
    pub fn internal(&self, service: &str) -> String {
        format!("{service}.internal.{}", self.cluster)
    }
}
