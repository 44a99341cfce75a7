//! The machines of instance groups.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Context, Scope};
use crate::Result;
use crate::setters;

/// What can be done with single machines of instance groups.
///
/// # Behavior
/// - Only machines of the scope's own groups are shown or touched; for others the methods answer `NotFound`.
/// - Each method is safe to repeat.
#[async_trait]
pub trait Machines: Send + Sync {
    /// All machines of the scope's groups, in a bounded number of calls.
    async fn members(&self, scope: &Scope, cx: &Context) -> Result<Vec<Machine>>;

    /// Takes a machine out of its group, which makes another in its place; the machine keeps running.
    async fn detach(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()>;

    /// Takes a machine out of every load balancer, so that connections drain.
    async fn deregister(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()>;

    /// Ends a machine; its group makes another.
    async fn terminate(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()>;
}

/// A machine of an instance group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Machine {
    /// The cloud's identifier.
    pub id: String,
    /// The name of the instance group's task.
    pub group: String,
    /// The zone.
    pub zone: String,
    /// The machine type.
    pub machine_type: String,
    /// How it fares.
    pub state: MachineState,
    /// The address inside the network.
    pub private_ip: Option<String>,
    /// The public address.
    pub public_ip: Option<String>,
    /// The host name inside the network, which is often the node's name.
    pub private_dns: Option<String>,
    /// Why it is not what its group would make today; empty when it is.
    pub outdated: Vec<String>,
}

impl Machine {
    /// A machine of an instance group's task that is what the group would make today.
    pub fn new(
        id: impl Into<String>,
        group: impl Into<String>,
        zone: impl Into<String>,
        machine_type: impl Into<String>,
        state: MachineState,
    ) -> Self {
        Self {
            id: id.into(),
            group: group.into(),
            zone: zone.into(),
            machine_type: machine_type.into(),
            state,
            private_ip: None,
            public_ip: None,
            private_dns: None,
            outdated: Vec::new(),
        }
    }

    setters! {
        /// Sets the address inside the network.
        option private_ip: String;
        /// Sets the public address.
        option public_ip: String;
        /// Sets the host name inside the network.
        option private_dns: String;
        /// Adds reasons why it is not what its group would make today.
        texts outdated;
    }
}

/// How a machine fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MachineState {
    /// Starting.
    Pending,
    /// Running as a member of its group.
    Running,
    /// Running, but no longer a member.
    Detached,
    /// Ending.
    Terminating,
}
