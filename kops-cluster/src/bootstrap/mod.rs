//! What machines run at first boot.
//!
//! The model asks a [`NodeBootstrap`] for the user data of every group of machines and puts it into the
//! group's task. How a machine becomes a member of the cluster is thereby a choice of the program: the one
//! that comes with the crate, [`CloudInit`], prepares plain distribution images for kubeadm; another one
//! may start an operating system of its own.
//!
//! User data can hold what is not known before other tasks are done (the name of a load balancer), and it is
//! a secret throughout: neither plans nor events show it.

mod cloud_init;
mod mime;
mod text;

use std::fmt;

use crate::extensions::MachineRole;
use crate::spec::{Cluster, InstanceGroup, Problems};
use kops_core::graph::{Input, Secret};

pub use cloud_init::CloudInit;

/// Makes machines members of a cluster.
///
/// # Behavior
/// - Pure: the same user data for the same machine. A change of it replaces machines, so it changes only
///   when machines must.
/// - What a group asks for and this bootstrap cannot do is reported among the problems, with its path below
///   `spec`, never dropped silently.
///
/// ```
/// use kops_cluster::bootstrap::{BootMachine, NodeBootstrap};
/// use kops_cluster::Problems;
/// use kops_core::graph::{Input, Secret};
///
/// /// An image that needs to be told nothing but where the API is.
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
    /// What a group's machines get as user data, plain (not encoded); `None` when they need none.
    fn user_data(&self, machine: &BootMachine<'_>, problems: &mut Problems) -> Option<Input<Secret>>;

    /// What machines ask of the control plane as they join, beside the API. The load balancer of the API
    /// passes it on, and it gets a name of its own.
    fn join_services(&self) -> &[JoinService] {
        &[]
    }
}

/// A machine that shall become a member of a cluster.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BootMachine<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The group it belongs to.
    pub group: &'a InstanceGroup,
    /// What it is in the cluster.
    pub role: MachineRole,
    /// Where it finds the API.
    pub endpoint: &'a Endpoint,
}

impl<'a> BootMachine<'a> {
    /// A machine of a cluster's group.
    pub fn new(
        cluster: &'a Cluster,
        group: &'a InstanceGroup,
        role: MachineRole,
        endpoint: &'a Endpoint,
    ) -> Self {
        Self { cluster, group, role, endpoint }
    }
}

/// Where machines of a cluster find the API.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// The name, which may be that of a load balancer that is yet to be made.
    pub host: Input<String>,
    /// The port.
    pub port: u16,
}

impl Endpoint {
    /// A name and a port.
    pub fn new(host: impl Into<Input<String>>, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

/// A service of the control plane that machines use as they join.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JoinService {
    /// Its name: it is found as `<name>.internal.<cluster>`.
    pub name: String,
    /// Its port.
    pub port: u16,
}

impl JoinService {
    /// A service of a name on a port.
    pub fn new(name: impl Into<String>, port: u16) -> Self {
        Self { name: name.into(), port }
    }
}
