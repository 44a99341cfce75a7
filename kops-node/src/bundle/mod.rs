//! The configuration of a machine: the document that the library renders and this program reads.
//!
//! One JSON document, stored as `igconfig/<role>/<group>/<sha256>.json`. It is not an archive, because
//! everything in it is text: no tool is needed to unpack it, its hash is that of the stored bytes, and people
//! can read it. It contains no secrets: keys are referenced by their keyset and id, and read from the state
//! store with the machine's identity. Because the user data pins it by its hash, a machine is out of date
//! exactly if its bundle has changed.
//!
//! The program and the bundle are pinned together, so a field that the program does not know is an error, not
//! ignored.

mod cloud;
mod cluster;
mod groups;
mod machine;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use cloud::{Aws, Azure, Cloud, Gce, OpenStack, Store};
pub use cluster::{Api, Backup, Etcd, Keep, Keyset, Kubeadm, KubeadmFile, Volume};
pub use groups::{Group, Groups};
pub use machine::{
    Archive, Containerd, Content, Download, File, Hook, Kubelet, Machine, Mount, Package, Repository,
    RepositoryFormat, Unit,
};

/// The only version of the format.
pub const API_VERSION: &str = "kops.bundle/v1";

/// What a machine is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// API server, controllers and etcd.
    ControlPlane,
    /// Workloads.
    Node,
}

/// The whole document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bundle {
    /// [`API_VERSION`].
    pub api_version: String,
    /// The cluster's name, for example `ha.example.com`.
    pub cluster: String,
    /// The instance group's name.
    pub group: String,
    /// What the machine is for.
    pub role: Role,
    /// The version of Kubernetes, for example `v1.34.4`. The machine's kubeadm and kubelet must be of exactly this one.
    pub kubernetes_version: String,
    /// The cloud, and the facts about it that the program needs.
    pub cloud: Cloud,
    /// The state store.
    pub store: Store,
    /// The address of the API.
    pub api: Api,
    /// The parts of the machine below the kubelet.
    pub machine: Machine,
    /// containerd.
    pub containerd: Containerd,
    /// The kubelet.
    pub kubelet: Kubelet,
    /// kubeadm's documents.
    pub kubeadm: Kubeadm,
    /// The authorities and keys that go below `/etc/kubernetes/pki`: control planes only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keysets: Vec<Keyset>,
    /// The clusters of etcd that this machine may be a member of: control planes only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub etcd: Vec<Etcd>,
    /// The settings of the keeper: control planes only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
}

/// Why a bundle cannot be used.
#[derive(Debug, Error)]
pub enum BundleError {
    /// It is not JSON, lacks a field, or has one that this program does not know.
    #[error("the bundle cannot be read: {0}")]
    Syntax(#[from] serde_json::Error),
    /// It is of another version.
    #[error("the bundle is of version {0:?}, this program reads {API_VERSION}")]
    Version(String),
    /// It contradicts itself.
    #[error("the bundle's {field} is wrong: {problem}")]
    Invalid {
        /// The field, for example `machine.files[3].path`.
        field: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Bundle {
    /// Reads and checks a bundle.
    ///
    /// # Errors
    /// [`BundleError`], which names the field.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Version {
            api_version: String,
        }
        let Version { api_version } = serde_json::from_slice(bytes)?;
        if api_version != API_VERSION {
            return Err(BundleError::Version(api_version));
        }
        let bundle: Self = serde_json::from_slice(bytes)?;
        bundle.check()?;
        Ok(bundle)
    }

    /// The bundle as it is stored: compact JSON.
    ///
    /// # Errors
    /// None for a bundle with valid parts.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BundleError> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Checks that types cannot express.
    fn check(&self) -> Result<(), BundleError> {
        let invalid = |field: String, problem| Err(BundleError::Invalid { field, problem });
        for (at, file) in self.machine.files.iter().enumerate() {
            if !file.path.starts_with('/') || file.path.split('/').any(|part| part == "..") {
                return invalid(format!("machine.files[{at}].path"), "it must be absolute and without `..`");
            }
            if file.mode().is_none() {
                return invalid(format!("machine.files[{at}].mode"), "it must be octal, for example 0644");
            }
        }
        for (at, download) in self.machine.downloads.iter().enumerate() {
            if download.sha256.len() != 64 || !download.sha256.bytes().all(|it| it.is_ascii_hexdigit()) {
                return invalid(
                    format!("machine.downloads[{at}].sha256"),
                    "it must be 64 hexadecimal digits",
                );
            }
        }
        match (self.role, self.etcd.is_empty(), self.keep.is_some()) {
            (Role::ControlPlane, true, _) => {
                invalid("etcd".to_owned(), "a control plane needs a member of etcd")
            }
            (Role::ControlPlane, _, false) => invalid("keep".to_owned(), "a control plane needs it"),
            (Role::Node, false, _) => invalid("etcd".to_owned(), "a node is no member of etcd"),
            _ => Ok(()),
        }?;
        for (at, etcd) in self.etcd.iter().enumerate() {
            let names = |it: &Etcd| it.members.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
            if (at == 0) != (etcd.name == "main") {
                return invalid(format!("etcd[{at}].name"), "`main` comes first, and once");
            }
            if names(etcd) != names(&self.etcd[0]) {
                return invalid(format!("etcd[{at}].members"), "they must have the names of main's");
            }
            if etcd.members.len() == 2 {
                return invalid(
                    format!("etcd[{at}].members"),
                    "two members survive less than one does: use 1, 3 or 5",
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
