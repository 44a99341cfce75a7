//! The status that a machine reports: to its journal, and to `machines/<group>/<id>/status` in the state
//! store, so that it is known why a machine has not joined without logging in to it.

#[cfg(feature = "program")]
mod reporter;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

#[cfg(feature = "program")]
pub use reporter::{Journal, Reporter, redacted};

/// The key of a machine's document in the state store, below the cluster's directory.
pub fn key(group: &str, machine: &str) -> String {
    format!("machines/{group}/{machine}/status")
}

/// The key of the [`Event`] that says why the keepers do not approve a machine's request to join. The machine
/// itself only sees that it gets no certificate.
pub fn held_key(group: &str, node: &str) -> String {
    format!("machines/{group}/{node}/held")
}

/// The state of a machine's boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is in progress.
    Booting,
    /// Something must happen first; the last event says what. It is retried.
    Waiting,
    /// A step failed; the last event says which and why. It is retried.
    Failed,
    /// The machine is a member of the cluster.
    Joined,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: String,
}

/// The document in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The name of the machine's Node.
    pub node: String,
    /// The state.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// The version of Kubernetes in the bundle.
    pub kubernetes_version: String,
    /// The SHA-256 of the bundle.
    pub bundle: String,
    /// How often the boot has been tried.
    pub attempts: u32,
    /// The last events, oldest first.
    pub events: Vec<Event>,
}
