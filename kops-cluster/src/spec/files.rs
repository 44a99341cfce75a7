//! The documents of one cluster.

use super::additional::AdditionalObject;
use super::object::AnyObject;
use super::path::Path;
use super::problem::Problems;
use super::types::{Cluster, InstanceGroup, SshCredential};

/// The specification of a cluster: its documents as users write them.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ClusterFiles {
    /// The cluster.
    pub cluster: Cluster,
    /// Its groups of machines.
    pub instance_groups: Vec<InstanceGroup>,
    /// The SSH keys that may log in to machines.
    pub ssh_keys: Vec<SshCredential>,
    /// Objects of Kubernetes that are kept with the cluster, to be installed in it.
    pub additional_objects: Vec<AdditionalObject>,
}

impl ClusterFiles {
    /// The documents of one cluster.
    pub fn new(
        cluster: Cluster,
        instance_groups: impl IntoIterator<Item = InstanceGroup>,
        ssh_keys: impl IntoIterator<Item = SshCredential>,
    ) -> Self {
        Self {
            cluster,
            instance_groups: instance_groups.into_iter().collect(),
            ssh_keys: ssh_keys.into_iter().collect(),
            additional_objects: Vec::new(),
        }
    }

    /// Adds an object of Kubernetes; it replaces the one of the same kind, namespace and name.
    pub fn put_additional(&mut self, object: AdditionalObject) {
        match self.additional_objects.iter_mut().find(|other| other.is_same(&object)) {
            Some(other) => *other = object,
            None => self.additional_objects.push(object),
        }
    }

    /// Collects the documents of one cluster; documents of kinds that create no cloud objects are skipped.
    ///
    /// # Errors
    /// If there is no cluster among them, or more than one.
    pub fn from_objects(objects: impl IntoIterator<Item = AnyObject>) -> Result<Self, Problems> {
        let mut clusters = Vec::new();
        let mut files = Self::default();
        for object in objects {
            match object {
                AnyObject::Cluster(cluster) => clusters.push(*cluster),
                AnyObject::InstanceGroup(group) => files.instance_groups.push(*group),
                AnyObject::SshCredential(key) => files.ssh_keys.push(*key),
                AnyObject::Keyset(_) => {}
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
            "pass the documents of exactly one cluster",
        );
        Err(problems)
    }
}
