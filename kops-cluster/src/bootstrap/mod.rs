//! The user data that machines run on first boot.
//!
//! The model asks a [`NodeBootstrap`] for the user data of every instance group and puts it into the group's
//! task. The program thereby chooses how a machine joins the cluster: the bootstrap of this crate,
//! [`KopsNode`], makes machines with plain distribution images join; another one may boot an operating system
//! of its own; with [`PlainImages`], machines boot their image unmodified.
//!
//! User data may refer to outputs of other tasks (the name of a load balancer), and it is secret throughout:
//! neither plans nor events show it.
//!
//! # The address of the API
//! Machines call the API `api.internal.<cluster>`. If the cluster's names are published, it resolves to the
//! load balancer. If they are not (`dns: None`), the load balancer's name or address is known only once it
//! exists, so it must not be part of anything that is hashed when planning. It is a variable of the user data
//! instead: nodes write its addresses to `/etc/hosts`, and control planes, which use their own API server,
//! add it to the API's certificate.

mod kops_node;
mod mime;
mod plain;
mod program;
mod proxy;
mod text;
mod volumes;

use std::fmt;

use crate::bundle::StoreFiles;
use crate::cloud::NodeFacts;
use crate::extensions::MachineRole;
use crate::spec::{Cluster, InstanceGroup, InstanceGroupSpec, Path, Problems};
use kops_core::graph::{Input, Secret};

pub use kops_node::KopsNode;
pub use plain::PlainImages;
pub use program::{NodeProgram, sha256};
pub use volumes::MemberVolume;

use text::Text;

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
/// use kops_cluster::bundle::StoreFiles;
/// use kops_cluster::Problems;
/// use kops_core::graph::{Input, Secret};
///
/// /// An image that only needs the address of the API.
/// #[derive(Debug)]
/// struct Appliance;
///
/// impl NodeBootstrap for Appliance {
///     fn user_data(
///         &self,
///         machine: &BootMachine<'_>,
///         _: &mut StoreFiles,
///         _: &mut Problems,
///     ) -> Option<Input<Secret>> {
///         let host = Input::concat(["join=".into(), machine.endpoint.host.clone()]);
///         Some(host.into_secret())
///     }
/// }
/// ```
pub trait NodeBootstrap: fmt::Debug + Send + Sync {
    /// Reports what is wrong with the cluster as a whole, once.
    fn check(&self, _cluster: &BootCluster<'_>, _problems: &mut Problems) {}

    /// The user data of a group's machines, as plain text (not encoded); `None` if they need none. The files
    /// that it fetches from the state store are added to `files`.
    fn user_data(
        &self,
        machine: &BootMachine<'_>,
        files: &mut StoreFiles,
        problems: &mut Problems,
    ) -> Option<Input<Secret>>;

    /// The services of the control plane, besides the API, that machines use when they join. Each gets a DNS
    /// name of its own and is forwarded by the API's load balancer.
    fn join_services(&self) -> &[JoinService] {
        &[]
    }

    /// Whether the API servers of these machines answer `GET /readyz` without credentials. If so, a load
    /// balancer only forwards to those that are ready: one that has just started already accepts connections,
    /// but denies requests until it has read the roles.
    fn answers_probes(&self, _cluster: &Cluster) -> bool {
        false
    }
}

/// A cluster whose machines boot.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BootCluster<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Its instance groups.
    pub groups: &'a [InstanceGroup],
    /// The facts about the cloud that machines need, or why they are not available, which is reported by a
    /// bootstrap that needs them.
    pub facts: Result<&'a NodeFacts, &'a Problems>,
}

impl<'a> BootCluster<'a> {
    /// A cluster with its groups, in a cloud.
    pub fn new(
        cluster: &'a Cluster,
        groups: &'a [InstanceGroup],
        facts: Result<&'a NodeFacts, &'a Problems>,
    ) -> Self {
        Self { cluster, groups, facts }
    }
}

/// A machine that is to join a cluster.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BootMachine<'a> {
    /// The cluster it belongs to.
    pub of: BootCluster<'a>,
    /// The group it belongs to.
    pub group: &'a InstanceGroup,
    /// Its role in the cluster.
    pub role: MachineRole,
    /// The address of the API.
    pub endpoint: &'a Endpoint,
    /// The volumes of the etcd members that the group's machines may be.
    pub volumes: &'a [MemberVolume],
}

impl<'a> BootMachine<'a> {
    /// A machine of an instance group.
    pub fn new(
        of: BootCluster<'a>,
        group: &'a InstanceGroup,
        role: MachineRole,
        endpoint: &'a Endpoint,
    ) -> Self {
        Self { of, group, role, endpoint, volumes: &[] }
    }

    /// Sets the volumes of the etcd members that the group's machines may be.
    pub fn volumes(mut self, volumes: &'a [MemberVolume]) -> Self {
        self.volumes = volumes;
        self
    }
}

/// The address of the API for machines of the cluster.
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

/// A script followed by the group's own user data.
fn with_additions(
    script: Option<Text>,
    spec: &InstanceGroupSpec,
    problems: &mut Problems,
) -> Option<Input<Secret>> {
    let more = &spec.additional_user_data;
    let compressed = spec.compress_user_data == Some(true);
    if compressed && more.is_empty() {
        problems.warn(
            Path::of("spec.compressUserData"),
            "it has no effect without additionalUserData",
            "remove it",
        );
    }
    let text = match (script, more.is_empty()) {
        (None, true) => return None,
        (Some(script), true) => script,
        (script, false) => mime::multipart(script, more, compressed, problems),
    };
    Some(text.into_secret())
}
