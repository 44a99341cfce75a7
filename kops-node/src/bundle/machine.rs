//! What a machine is made of, Kubernetes apart.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Everything below the kubelet. The parts are made in the order of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Machine {
    /// Kernel modules that are loaded now and at every boot.
    pub modules: Vec<String>,
    /// Kernel parameters, set now and at every boot.
    pub sysctls: BTreeMap<String, String>,
    /// Turn swap off, zram included. (The kubelet refuses to run with it unless told otherwise.)
    pub swap_off: bool,
    /// Repositories of packages.
    pub repositories: Vec<Repository>,
    /// Packages. One that is installed in the wanted version is left alone: prebuilt images need no repository.
    pub packages: Vec<Package>,
    /// Files that are fetched and checked: programs, archives of programs.
    pub downloads: Vec<Download>,
    /// Files whose content is here.
    pub files: Vec<File>,
    /// Further filesystems, formatted when blank.
    pub mounts: Vec<Mount>,
    /// Units of systemd.
    pub units: Vec<Unit>,
    /// Users' own units.
    pub hooks: Vec<Hook>,
}

/// A repository of packages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Repository {
    /// The name of its file, for example `kubernetes`.
    pub name: String,
    /// Which package manager it is for.
    pub format: RepositoryFormat,
    /// Its URL, for example `https://pkgs.k8s.io/core:/stable:/v1.34/deb/`.
    pub url: String,
    /// The public key that signs it, ASCII-armoured, or the `https://` URL where it is.
    pub key: String,
}

/// Which package manager a repository is for. One of the other kind is passed over.
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
    /// The beginning of its version, for example `1.34.4-`; none takes the newest and leaves what is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// A program that it brings. If it is on the path, and names the version `says` when it is asked (`--version`;
    /// kubeadm and kubectl: `version`), the package is not needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The version that the program must name, for example `v1.34.4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
}

/// A file that is fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Download {
    /// Where it is for each architecture (`amd64`, `arm64`) is decided when the bundle is rendered: one bundle is for
    /// one architecture.
    pub url: String,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// Where it goes: a file, or for an archive the directory to unpack into.
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
    /// Where it goes.
    pub path: String,
    /// What is in it.
    pub content: Content,
    /// Its mode, in octal; 0644 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Its owner and group, `<user>:<group>`; root's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

impl File {
    /// Its mode as a number; none if it is no octal number.
    pub fn mode(&self) -> Option<u32> {
        self.mode.as_deref().map_or(Some(0o644), |mode| u32::from_str_radix(mode, 8).ok())
    }
}

/// What is in a file.
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
    /// The whole file; absent for a unit that is there and is only to be enabled or masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Enable and start it.
    #[serde(default)]
    pub enable: bool,
    /// Stop and mask it.
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
    /// Switched off: the unit is stopped and disabled.
    #[serde(default)]
    pub disabled: bool,
}

/// containerd, for both generations of its configuration. Which one is decided on the machine, by the version that is
/// installed: tables of 1.x in a file of 2.x are silently ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Containerd {
    /// `/etc/containerd/config.toml` for 1.x: `version = 2`.
    pub config_v1: String,
    /// The same for 2.x: `version = 3`.
    pub config_v2: String,
    /// The unit is the user's own affair.
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
