//! Whether a cluster is healthy: kOps' rules, each failure with its reason.
//!
//! | failure | of | when |
//! |---|---|---|
//! | `InstanceGroup` | a group | it has fewer machines than its minimum |
//! | `Machine` | a machine | it is not a node yet; the message contains the status that the machine last reported |
//! | `Node` | a node of a machine | it is not ready, or a control plane lacks one of its components |
//! | `Pod` | a pod of `kube-system` that the cluster depends on | it is pending, unknown or not ready |
//! | `APIServer` | the API | it cannot be reached, or reports failing checks |
//!
//! Machines that were detached or are terminating, bastions, and nodes without a machine are not counted.
//!
//! [`assess`] is a pure function of a [`ClusterView`]; [`Validator`] observes, and [`Validator::wait`]
//! repeats it until the cluster is healthy, on the cloud's clock: in tests, in virtual time.

mod assess;
mod observed;
#[cfg(test)]
mod tests;
mod wait;

use serde::Serialize;

pub use assess::assess;
pub use observed::{ClusterView, ObservedMachine, Validator};
pub use wait::WaitOptions;

/// The result of a validation; as JSON it is kOps'.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// The failures; empty if the cluster is healthy.
    pub failures: Vec<Failure>,
    /// The nodes of the cluster's machines, by name.
    pub nodes: Vec<NodeHealth>,
}

impl Health {
    /// Whether there are no failures.
    pub fn is_healthy(&self) -> bool {
        self.failures.is_empty()
    }
}

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Failure {
    /// The kind of the object: one of the [module's table](self).
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What is wrong with it, and the reason if it is known.
    pub message: String,
    /// Its instance group, if it belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_group: Option<String>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NodeHealth {
    /// Its name.
    pub name: String,
    /// Its machine's zone.
    pub zone: String,
    /// The role of its instance group: `control-plane` or `node`.
    pub role: String,
    /// Its host name.
    pub hostname: String,
    /// Whether it is ready: `True`, `False` or `Unknown`.
    pub status: String,
}
