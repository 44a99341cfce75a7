//! Kubernetes on the machine: kubeadm's documents, keys, etcd, the keeper.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::etcd::Peer;

/// The address of the API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Api {
    /// The name that everything inside the cluster uses, for example `api.internal.ha.example.com`.
    pub name: String,
    /// Further names that resolve to the machine itself on control planes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The port, 443 or 6443.
    pub port: u16,
    /// The load balancer's address, which nodes write to `/etc/hosts`; absent if the name is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balancer: Option<String>,
}

/// kubeadm's documents (`kubeadm.k8s.io/v1beta4`, which 1.32 to 1.37 all read), complete except for the
/// values of the machine: the program fills in `nodeRegistration.name`, `kubeletExtraArgs` and the local
/// etcd's names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Kubeadm {
    /// Control planes: InitConfiguration, ClusterConfiguration with `etcd.external`, KubeletConfiguration and
    /// KubeProxyConfiguration.
    pub cluster: Vec<Value>,
    /// Control planes: the same InitConfiguration, and ClusterConfiguration with `etcd.local`.
    pub etcd: Vec<Value>,
    /// Nodes: JoinConfiguration.
    pub join: Vec<Value>,
    /// Files of `patches.directory`, by name, for example `etcd0+strategic.json`.
    pub patches: BTreeMap<String, Value>,
    /// Further files that the API server and others read, below `/etc/kubernetes`.
    pub files: Vec<KubeadmFile>,
    /// Objects that the cluster needs once, applied server-side by any control plane, in addition to
    /// kubeadm's (the roles for joining, kube-proxy and CoreDNS).
    pub manifests: Vec<Value>,
}

/// A file below `/etc/kubernetes` that comes from the state store, because it may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubeadmFile {
    /// The secret in the store (`secrets/<name>`), for example `encryptionconfig`.
    pub secret: String,
    /// Its path, for example `/etc/kubernetes/pki/encryption-config.yaml`; mode 0600.
    pub path: String,
}

/// An authority or key, by its keyset in the state store (`pki/private/<name>/keyset.yaml`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Keyset {
    /// The keyset, for example `kubernetes-ca`.
    pub name: String,
    /// The path of its files below `/etc/kubernetes/pki` without `.crt` and `.key`, for example `ca` or `etcd/ca`; for
    /// `service-account` it is `sa`, whose public file is `sa.pub`.
    pub file: String,
    /// The ids of its trusted keys, in no particular order: if they change, so does the bundle.
    pub ids: Vec<String>,
}

/// kubeadm's id.
fn metrics_port() -> u16 {
    2381
}

/// A cluster of etcd: `main`, which comes first, or `events` for the API server's events. Members of all clusters have the
/// same names and hosts, and other ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Etcd {
    /// Its name.
    pub name: String,
    /// All specified members, with their peer URLs.
    pub members: Vec<Peer>,
    /// The members that a machine of this group may be, usually one. The attached volume determines which.
    pub candidates: Vec<String>,
    /// A string that is unique to the cluster: ids of members are derived from names and token, so without it
    /// a leftover disk of a cluster of the same name would be taken for one of this cluster.
    pub token: String,
    /// The port for clients (2379), and for peers (2380).
    pub client_port: u16,
    /// The port for peers.
    pub peer_port: u16,
    /// The port for probes and metrics on the loopback (2381).
    #[serde(default = "metrics_port")]
    pub metrics_port: u16,
    /// The volume, one per member.
    pub volume: Volume,
    /// Snapshots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<Backup>,
}

/// A member's volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Volume {
    /// Where it is mounted, for example `/mnt/etcd-main`. The data is in the directory `etcd` of it, never in
    /// the mount itself, so that an unmounted volume is not taken for an empty one.
    pub path: String,
    /// The device for each member, if the plan attaches it. Absent: the machine finds the volume by its tags
    /// and attaches it itself (AWS), the user data has its id (OpenStack), or the path is a directory that is
    /// mounted already.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub devices: BTreeMap<String, String>,
    /// The tags of the volume of each member, if the machine attaches it itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
    /// The filesystem that a blank volume is formatted with; absent forbids formatting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

/// Snapshots of etcd in the state store, `backups/etcd/<cluster>/<time>.db`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backup {
    /// The time between two, in seconds.
    pub every: u64,
    /// How many days a snapshot is kept. The newest one is kept regardless of its age.
    pub days: u32,
}

/// The settings of the keeper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Keep {
    /// How many days before they expire certificates are renewed.
    pub renew_days: u32,
}
