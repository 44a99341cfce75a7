//! The machines of instance groups.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Context, Scope};
use crate::Result;

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

/// How a machine fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
