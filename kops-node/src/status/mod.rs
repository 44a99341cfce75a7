//! What a machine tells of itself: to its journal, and to `machines/<group>/<id>/status` in the state store, so that
//! "why did this node not join" is answered from outside, without logging in.

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

/// How a machine's boot stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is under way.
    Booting,
    /// Something must happen first; the last event says what. It is tried again.
    Waiting,
    /// A step failed; the last event says which and why. It is tried again.
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
    /// The version of Kubernetes that the bundle says.
    pub kubernetes_version: String,
    /// The SHA-256 of the bundle.
    pub bundle: String,
    /// How often the boot has been tried.
    pub attempts: u32,
    /// The last events, oldest first.
    pub events: Vec<Event>,
}
