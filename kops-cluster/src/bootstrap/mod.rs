//! What machines run on first boot.
//!
//! The model asks a [`NodeBootstrap`] for the user data of every instance group and puts it into the group's
//! task. The program thereby chooses how a machine joins the cluster: the bootstrap that comes with the
//! crate, [`CloudInit`], prepares plain distribution images for kubeadm; another may boot an operating system
//! of its own.
//!
//! User data may refer to outputs of other tasks (the name of a load balancer), and it is secret throughout:
//! neither plans nor events show it.

mod cloud_init;
mod mime;
mod text;

use std::fmt;

use crate::extensions::MachineRole;
use crate::spec::{Cluster, InstanceGroup, Problems};
use kops_core::graph::{Input, Secret};

pub use cloud_init::CloudInit;

/// Makes machines join a cluster.
///
/// # Behavior
/// - Pure: the same machine gets the same user data. Changed user data replaces machines, so it changes only
///   when machines have to be replaced.
/// - A setting of the group that this bootstrap does not support is reported among the problems, with its
///   path below `spec`, and never silently ignored.
///
/// ```
/// use kops_cluster::bootstrap::{BootMachine, NodeBootstrap};
/// use kops_cluster::Problems;
/// use kops_core::graph::{Input, Secret};
///
/// /// An image that only needs the address of the API.
/// #[derive(Debug)]
/// struct Appliance;
///
/// impl NodeBootstrap for Appliance {
///     fn user_data(&self, machine: &BootMachine<'_>, _: &mut Problems) -> Option<Input<Secret>> {
///         let host = Input::concat(["join=".into(), machine.endpoint.host.clone()]);
///         Some(host.into_secret())
///     }
/// }
/// ```
pub trait NodeBootstrap: fmt::Debug + Send + Sync {
    /// The user data of a group's machines, as plain text (not encoded); `None` if they need none.
    fn user_data(&self, machine: &BootMachine<'_>, problems: &mut Problems) -> Option<Input<Secret>>;

    /// The services of the control plane, besides the API, that machines use when they join. Each gets a DNS
    /// name of its own and is forwarded by the API's load balancer.
    fn join_services(&self) -> &[JoinService] {
        &[]
    }
}

/// A machine that is to join a cluster.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BootMachine<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The group it belongs to.
    pub group: &'a InstanceGroup,
    /// Its role in the cluster.
    pub role: MachineRole,
    /// The address of the API.
    pub endpoint: &'a Endpoint,
}

impl<'a> BootMachine<'a> {
    /// A machine of an instance group.
    pub fn new(
        cluster: &'a Cluster,
        group: &'a InstanceGroup,
        role: MachineRole,
        endpoint: &'a Endpoint,
    ) -> Self {
        Self { cluster, group, role, endpoint }
    }
}

/// The address of the API as machines of the cluster use it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// The host name; it may be that of a load balancer that does not exist yet.
    pub host: Input<String>,
    /// The port.
    pub port: u16,
}

impl Endpoint {
    /// An endpoint with a name and a port.
    pub fn new(host: impl Into<Input<String>>, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

/// A service of the control plane that machines use when they join.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JoinService {
    /// Its name: it is reachable as `<name>.internal.<cluster>`.
    pub name: String,
    /// Its port.
    pub port: u16,
}

impl JoinService {
    /// A service with a name and a port.
    pub fn new(name: impl Into<String>, port: u16) -> Self {
        Self { name: name.into(), port }
    }
}
