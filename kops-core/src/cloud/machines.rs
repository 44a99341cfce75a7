//! The machines of instance groups.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Context, Scope};
use crate::Result;
use crate::setters;

/// Operations on single machines of instance groups.
///
/// # Behavior
/// - Only machines of the scope's own groups are returned or changed; for others the methods return `NotFound`.
/// - Each method can be repeated safely.
#[async_trait]
pub trait Machines: Send + Sync {
    /// All machines of the scope's groups, with a bounded number of calls.
    async fn members(&self, scope: &Scope, cx: &Context) -> Result<Vec<Machine>>;

    /// Detaches a machine from its group, which creates another one to replace it; the machine keeps running.
    async fn detach(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()>;

    /// Deregisters a machine from all load balancers, so that connections drain.
    async fn deregister(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()>;

    /// Terminates a machine; its group creates another one.
    async fn terminate(&self, scope: &Scope, machine: &str, cx: &Context) -> Result<()>;
}

/// A machine of an instance group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Machine {
    /// The identifier.
    pub id: String,
    /// The name of the instance group's task.
    pub group: String,
    /// The zone.
    pub zone: String,
    /// The machine type.
    pub machine_type: String,
    /// Its state.
    pub state: MachineState,
    /// Its private IP address.
    pub private_ip: Option<String>,
    /// Its public IP address.
    pub public_ip: Option<String>,
    /// Its private host name, which is often the name of the node.
    pub private_dns: Option<String>,
    /// Why it differs from what its group would create now; empty if it is up to date.
    pub outdated: Vec<String>,
}

impl Machine {
    /// A machine of an instance group that is up to date.
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
        /// Sets its private IP address.
        option private_ip: String;
        /// Sets its public IP address.
        option public_ip: String;
        /// Sets its private host name.
        option private_dns: String;
        /// Adds reasons why it is outdated.
        texts outdated;
    }
}

/// The state of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MachineState {
    /// Starting.
    Pending,
    /// Running as a member of its group.
    Running,
    /// Running, but no longer a member of its group.
    Detached,
    /// Terminating.
    Terminating,
}
