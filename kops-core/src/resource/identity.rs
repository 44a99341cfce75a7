//! What machines may do in the cloud.

use serde::{Deserialize, Serialize};

use super::{Extensions, Resource};

/// An identity that machines run under: a role with its policy, a service account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// What the machines are; the provider knows what such machines need.
    pub role: Role,
    /// The state store that the machines read, as a URL.
    pub state_store: Option<String>,
    /// What only one provider understands: further policies.
    #[serde(default, skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

impl Identity {
    /// What machines of a role need.
    pub fn of(role: Role) -> Self {
        Self { role, state_store: None, extensions: Extensions::default() }
    }
}

impl Resource for Identity {
    const KIND: &'static str = "Identity";
    type Resolved = Self;
}

/// What a machine is in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// Runs the control plane: manages load balancers, disks and addresses for the cluster.
    ControlPlane,
    /// Runs workloads.
    Node,
    /// A door for people: may do nothing in the cloud.
    Bastion,
}
