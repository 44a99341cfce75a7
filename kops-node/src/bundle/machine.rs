//! The parts of a machine below Kubernetes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Everything below the kubelet. The parts are configured in the order of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Machine {
    /// Kernel modules that are loaded now and at every boot.
    pub modules: Vec<String>,
    /// Kernel parameters, set now and at every boot.
    pub sysctls: BTreeMap<String, String>,
    /// Whether to turn swap off, including zram. (By default the kubelet does not run with swap.)
    pub swap_off: bool,
    /// Repositories of packages.
    pub repositories: Vec<Repository>,
    /// Packages. Those that are installed in the required version are skipped, so prebuilt images need no
    /// repository.
    pub packages: Vec<Package>,
    /// Files that are downloaded and verified: programs, archives of programs.
    pub downloads: Vec<Download>,
    /// Files with their content.
    pub files: Vec<File>,
    /// Additional filesystems, formatted if blank.
    pub mounts: Vec<Mount>,
    /// Units of systemd.
    pub units: Vec<Unit>,
    /// Units of users.
    pub hooks: Vec<Hook>,
}

/// A repository of packages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Repository {
    /// The name of its file, for example `kubernetes`.
    pub name: String,
    /// Its package manager.
    pub format: RepositoryFormat,
    /// Its URL, for example `https://pkgs.k8s.io/core:/stable:/v1.34/deb/`.
    pub url: String,
    /// The public key that signs it, ASCII-armoured, or its `https://` URL.
    pub key: String,
}

/// The package manager of a repository. A repository for another one is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RepositoryFormat {
    /// apt's.
    Deb,
    /// dnf's.
    Rpm,
}

/// A package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// The prefix of its version, for example `1.34.4-`; if absent, the newest version is installed unless
    /// there is one already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// A program that it contains. If the program is on the path and reports the version `says` (with
    /// `--version`; kubeadm and kubectl: `version`), the package is not needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The version that the program must report, for example `v1.34.4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
}

/// A file that is downloaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Download {
    /// Its URL. A bundle is for one architecture (`amd64`, `arm64`), so there is only one.
    pub url: String,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// Its path: a file, or for an archive the directory to unpack into.
    pub path: String,
    /// Its mode, in octal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// How to unpack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<Archive>,
}

/// A compressed archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Archive {
    /// How many leading parts of the paths in it are dropped (`tar --strip-components`).
    #[serde(default)]
    pub strip: u32,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct File {
    /// Its path.
    pub path: String,
    /// Its content.
    pub content: Content,
    /// Its mode, in octal; 0644 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Its owner and group, `<user>:<group>`; root's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

impl File {
    /// Its mode as a number; `None` if it is not an octal number.
    pub fn mode(&self) -> Option<u32> {
        self.mode.as_deref().map_or(Some(0o644), |mode| u32::from_str_radix(mode, 8).ok())
    }
}

/// The content of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Content {
    /// Text.
    Text(String),
    /// Bytes, in base64 with padding.
    Base64(String),
}

/// A filesystem on a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mount {
    /// The device, for example `/dev/disk/by-id/google-scratch`.
    pub device: String,
    /// Where it is mounted.
    pub path: String,
    /// The filesystem that a blank device is formatted with; absent forbids formatting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filesystem: Option<String>,
    /// Options of `mkfs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub format_options: Vec<String>,
    /// Options of the mount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mount_options: Vec<String>,
}

/// A unit of systemd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unit {
    /// Its name, for example `ntp.service`, or that of a drop-in, for example `kubelet.service.d/20-kops.conf`.
    pub name: String,
    /// The whole file; absent for an existing unit that is only to be enabled or masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether to enable and start it.
    #[serde(default)]
    pub enable: bool,
    /// Whether to stop and mask it.
    #[serde(default)]
    pub mask: bool,
}

/// A user's own unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hook {
    /// The unit's name, for example `kops-hook-0.service`.
    pub name: String,
    /// The whole unit.
    pub text: String,
    /// Whether it is disabled: the unit is stopped and disabled.
    #[serde(default)]
    pub disabled: bool,
}

/// containerd's configuration, for both of its major versions. The machine selects one by the installed
/// version, because tables of 1.x in a file of 2.x are silently ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Containerd {
    /// `/etc/containerd/config.toml` for 1.x: `version = 2`.
    pub config_v1: String,
    /// The same for 2.x: `version = 3`.
    pub config_v2: String,
    /// Whether the user manages containerd.
    pub skip: bool,
}

/// The kubelet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Kubelet {
    /// Flags beyond the configuration, as `name: value`; a name may occur several times. Labels among them are those
    /// that a kubelet may set.
    pub args: Vec<(String, String)>,
    /// Taints, in kubeadm's form (`key`, `value`, `effect`), of nodes.
    pub taints: Vec<serde_json::Value>,
}
