//! What machines of a cluster have to know of their cloud.

use std::collections::BTreeMap;
use std::fmt;

use kops_node::bundle;
use kops_node::stage0::Get;

use crate::spec::{Cluster, Path, Problems};

/// The cloud and the state store as machines see them: a part of every bundle.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodeFacts {
    /// The cloud, for the program on the machine: who it is, and who else is alive.
    pub cloud: bundle::Cloud,
    /// The cluster's directory in the state store.
    pub store: bundle::Store,
    /// How the user data reads that directory, before there is a program.
    pub get: Get,
    /// How a member of etcd finds its volume.
    pub volumes: EtcdVolumes,
    /// The architecture of a machine type.
    pub architecture: fn(&str) -> Architecture,
    /// The cloud's own time server.
    pub time_server: Option<String>,
    /// Why machines of this cloud do not become a cluster by themselves yet, and what to do about it.
    pub incomplete: Option<(String, String)>,
}

impl NodeFacts {
    /// Machines in a cloud, with a state store that they read by `get`.
    pub fn new(cloud: bundle::Cloud, store: bundle::Store, get: Get) -> Self {
        Self {
            cloud,
            store,
            get,
            volumes: EtcdVolumes::Mounted,
            architecture: |_| Architecture::Amd64,
            time_server: None,
            incomplete: None,
        }
    }

    /// Machines of a cluster whose state store is the same for every cloud: a directory of the machine (`file://`), for
    /// images that bring it, or a web server (`https://`). `None` for any other store, which is the cloud's to read.
    pub fn of_plain_store(cloud: bundle::Cloud, base: &str) -> Option<Self> {
        let get = match base.split_once("://")? {
            ("file", path) => Get::File { base: format!("/{}", path.trim_matches('/')) },
            ("http" | "https", _) => Get::Plain { base: base.trim_end_matches('/').to_owned() },
            _ => return None,
        };
        let url = base.trim_end_matches('/').to_owned();
        Some(Self::new(cloud, bundle::Store { url, endpoint: None, region: None }, get))
    }

    /// Sets how a member of etcd finds its volume.
    pub fn volumes(mut self, volumes: EtcdVolumes) -> Self {
        self.volumes = volumes;
        self
    }

    /// Sets the rule for the architecture of machine types.
    pub fn architecture(mut self, rule: fn(&str) -> Architecture) -> Self {
        self.architecture = rule;
        self
    }

    /// Says why machines of this cloud do not become a cluster by themselves yet, and what to do about it: a warning.
    pub fn incomplete(mut self, missing: impl Into<String>, fix: impl Into<String>) -> Self {
        self.incomplete = Some((missing.into(), fix.into()));
        self
    }

    /// Sets the cloud's own time server.
    pub fn time_server(mut self, address: impl Into<String>) -> Self {
        self.time_server = Some(address.into());
        self
    }
}

/// The URL of a cluster's directory in the state store, which machines read.
///
/// # Errors
/// If the specification has none.
pub fn state_store(cluster: &Cluster) -> Result<&str, Problems> {
    let base = cluster.spec.config_store.base.as_deref().map(|it| it.trim_end_matches('/'));
    base.filter(|it| !it.is_empty()).ok_or_else(|| {
        let mut problems = Problems::new();
        problems.error(
            Path::of("spec.configStore.base"),
            "is required: machines read from it what they become",
            "specify the URL of the cluster's directory in the state store, such as s3://bucket/demo.example.com",
        );
        problems
    })
}

/// The problem that machines of a cloud cannot read a state store.
pub fn unreadable(base: &str, cloud: &str, schemes: &str) -> Problems {
    let scheme = base.split("://").next().unwrap_or_default();
    let mut problems = Problems::new();
    problems.error(
        Path::of("spec.configStore.base"),
        format!("machines on {cloud} cannot read a state store {scheme}://"),
        format!("use a state store {schemes}"),
    );
    problems
}

/// How a member of etcd finds its volume.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum EtcdVolumes {
    /// The machine attaches the volume with these tags itself.
    Tags(fn(&EtcdVolume<'_>) -> BTreeMap<String, String>),
    /// It is attached as this device.
    Device(fn(&EtcdVolume<'_>) -> String),
    /// The plan attaches it, and the user data has its identifier.
    Attached,
    /// It is mounted already.
    Mounted,
}

impl EtcdVolumes {
    /// The tags by which a machine finds the volume that it attaches.
    pub fn tags(&self, volume: &EtcdVolume<'_>) -> Option<BTreeMap<String, String>> {
        if let Self::Tags(tags) = self { Some(tags(volume)) } else { None }
    }

    /// The device that the volume is attached as.
    pub fn device(&self, volume: &EtcdVolume<'_>) -> Option<String> {
        if let Self::Device(device) = self { Some(device(volume)) } else { None }
    }
}

impl fmt::Debug for EtcdVolumes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tags(_) => "Tags",
            Self::Device(_) => "Device",
            Self::Attached => "Attached",
            Self::Mounted => "Mounted",
        })
    }
}

/// The volume of a member of etcd.
#[derive(Clone, Debug)]
pub struct EtcdVolume<'a> {
    /// The Kubernetes cluster's name.
    pub cluster: &'a str,
    /// The cluster of etcd: `main`, `events`.
    pub etcd: &'a str,
    /// The member.
    pub member: &'a str,
    /// All members of that cluster.
    pub members: Vec<&'a str>,
}

impl EtcdVolume<'_> {
    /// kOps' label for it: the cluster of etcd, and the member among all.
    pub fn label(&self) -> (String, String) {
        let mut members = self.members.clone();
        members.sort_unstable();
        (format!("k8s.io/etcd/{}", self.etcd), format!("{}/{}", self.member, members.join(",")))
    }
}

/// The architecture of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Architecture {
    /// x86-64.
    Amd64,
    /// 64-bit ARM.
    Arm64,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Amd64, Self::Arm64];
}

impl fmt::Display for Architecture {
    /// `amd64` or `arm64`, as Kubernetes calls them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        })
    }
}
