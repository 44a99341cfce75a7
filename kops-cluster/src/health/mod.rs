//! Whether a cluster is healthy: kOps' rules, each failure with its reason.
//!
//! | failure | of | when |
//! |---|---|---|
//! | `InstanceGroup` | a group | it has fewer machines than its minimum |
//! | `Machine` | a machine | it is no node yet; the message has what the machine itself told last |
//! | `Node` | a node of a machine | it is not ready, or a control plane lacks one of its components |
//! | `Pod` | a pod of `kube-system` that the cluster depends on | it is pending, unknown or not ready |
//! | `APIServer` | the API | it cannot be reached, or reports failing checks |
//!
//! Machines that were detached or are terminating, bastions, and nodes without a machine do not count.
//!
//! [`assess`] is a pure function of what was [`Observed`]; [`Validator`] observes, and [`Validator::wait`] does so until
//! the cluster is healthy, on the cloud's clock: in tests, in virtual time.

mod assess;
mod observed;
#[cfg(test)]
mod tests;
mod wait;

use serde::Serialize;

pub use assess::assess;
pub use observed::{Observed, ObservedMachine, Validator};
pub use wait::Wait;

/// The result of a validation; as JSON it is kOps'.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// What is wrong; nothing if the cluster is healthy.
    pub failures: Vec<Failure>,
    /// The nodes of the cluster's machines, by name.
    pub nodes: Vec<NodeHealth>,
}

impl Health {
    /// Whether nothing is wrong.
    pub fn is_healthy(&self) -> bool {
        self.failures.is_empty()
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Failure {
    /// The kind of the object: one of the [module's table](self).
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What is wrong with it, and why as far as it is known.
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
