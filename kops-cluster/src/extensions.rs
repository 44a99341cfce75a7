//! The typed extensions that a cluster adds to agnostic kinds; every provider with feature `cluster`
//! understands them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use kops_core::Result;
use kops_core::resource::{Extension, Identity};
use serde::{Deserialize, Serialize};

/// Extends an [`Identity`] with the role of its machines in the cluster, from
/// which the provider derives the permissions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ClusterIdentity {
    /// The role of the machines.
    pub role: MachineRole,
    /// The URL of the cluster's directory in the state store, which the machines read.
    pub state_store: Option<String>,
}

impl ClusterIdentity {
    /// What machines of a role need.
    pub fn of(role: MachineRole) -> Self {
        Self { role, state_store: None }
    }

    /// Sets the URL of the cluster's directory in the state store.
    pub fn state_store(mut self, url: Option<String>) -> Self {
        self.state_store = url;
        self
    }

    /// An identity for such machines.
    ///
    /// # Errors
    /// None: all of its fields serialise.
    pub fn identity(&self) -> Result<Identity> {
        let mut identity = Identity::new();
        identity.extensions.set(self)?;
        Ok(identity)
    }
}

impl Extension for ClusterIdentity {
    const NAME: &'static str = "kops/Identity";
}

/// Extends an [`InstanceGroup`](kops_core::resource::InstanceGroup) with the labels and taints of its nodes,
/// which an autoscaler needs to know before the first node exists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct NodeTemplate {
    /// The labels of the nodes.
    pub labels: BTreeMap<String, String>,
    /// The taints of the nodes.
    pub taints: BTreeSet<Taint>,
}

impl NodeTemplate {
    /// Nodes with these labels and taints.
    pub fn new(labels: BTreeMap<String, String>, taints: BTreeSet<Taint>) -> Self {
        Self { labels, taints }
    }
}

impl Extension for NodeTemplate {
    const NAME: &'static str = "kops/InstanceGroup";
}

/// The role of a machine in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MachineRole {
    /// Runs the control plane: manages load balancers, disks and addresses for the cluster.
    ControlPlane,
    /// Runs workloads.
    Node,
    /// A bastion host; has no permissions in the cloud.
    Bastion,
}

/// A taint of a Kubernetes node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Taint {
    /// The key.
    pub key: String,
    /// The value; often empty.
    pub value: String,
    /// What happens to pods that do not tolerate it.
    pub effect: TaintEffect,
}

/// What a taint does to pods that do not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TaintEffect {
    /// They are not scheduled on the node.
    NoSchedule,
    /// They are scheduled on the node only if no other node fits.
    PreferNoSchedule,
    /// Pods already running on the node are evicted.
    NoExecute,
}

impl fmt::Display for Taint {
    /// `key=value:Effect`, as kubectl writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}:{:?}", self.key, self.value, self.effect)
    }
}
