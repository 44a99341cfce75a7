//! Bootstrap of plain distribution images by cloud-init.
//!
//! What it does: control-plane machines and nodes get kernel modules and settings, containerd, and the
//! kubelet, kubeadm and kubectl of the cluster's version from the Kubernetes project's package repository
//! (Debian and Red Hat families of distributions). The kubelet gets the group's labels and taints. Files
//! under `/etc/kops` record the machine's cluster, group and role and the address of the API. The group's
//! `additionalUserData` is appended as further parts. An image that already has all of this is left as it is.
//!
//! What it does not do yet: nothing runs `kubeadm init` or `kubeadm join`, so Kubernetes does not come up by
//! itself; keys and certificates are not distributed, etcd disks are not mounted, and no network plugin is
//! installed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use super::mime::multipart;
use super::text::{Text, quoted, shell_word};
use super::{BootMachine, NodeBootstrap};
use crate::extensions::MachineRole;
use crate::spec::{InstanceGroup, Path, Problems};
use kops_core::graph::{Input, Secret};

/// The Kubernetes project's package repositories, one for each minor version.
const REPOSITORY: &str = "https://pkgs.k8s.io/core:/stable:";

/// The script that runs on the machine; it documents what it does.
const PREPARE: &str = include_str!("prepare.sh");

/// Prepares plain distribution images for kubeadm, by cloud-init.
///
/// ```
/// use kops_cluster::bootstrap::CloudInit;
///
/// // Machines without internet access install packages from a mirror.
/// let bootstrap = CloudInit::default().repository("https://mirror.example.com/kubernetes");
/// ```
#[derive(Clone, Debug)]
pub struct CloudInit {
    repository: String,
}

impl Default for CloudInit {
    fn default() -> Self {
        Self { repository: REPOSITORY.to_owned() }
    }
}

impl CloudInit {
    /// Installs the Kubernetes packages from a mirror with the same layout as
    /// `https://pkgs.k8s.io/core:/stable:`.
    pub fn repository(mut self, url: impl Into<String>) -> Self {
        url.into().trim_end_matches('/').clone_into(&mut self.repository);
        self
    }

    /// The cloud-config of a machine.
    fn config(&self, machine: &BootMachine<'_>, problems: &mut Problems) -> Text {
        let mut text = Text::default();
        // The cloud's name for the machine is also its node name.
        text.push("#cloud-config\npreserve_hostname: false\nprefer_fqdn_over_hostname: true\nwrite_files:\n");
        let files = [
            ("/etc/modules-load.d/kops.conf", "0644", "overlay\nbr_netfilter\n".to_owned()),
            ("/etc/sysctl.d/99-kops.conf", "0644", sysctl(machine)),
            ("/etc/kops/machine.json", "0644", describe(machine)),
            ("/etc/kops/prepare.env", "0644", self.environment(machine, problems)),
            ("/etc/kops/kubelet.env", "0644", kubelet(machine.group)),
            ("/usr/local/lib/kops/prepare.sh", "0755", PREPARE.to_owned()),
        ];
        for (path, mode, content) in files {
            text.push(&format!(
                "- path: {path}\n  permissions: \"{mode}\"\n  content: {}\n",
                quoted(&content)
            ));
        }
        // The host may not be known yet; host names need no quoting.
        text.push("- path: /etc/kops/api-endpoint\n  permissions: \"0644\"\n  content: \"");
        text.push_input(&machine.endpoint.host);
        text.push(&format!(":{}\\n\"\n", machine.endpoint.port));
        text.push("runcmd:\n- [/usr/local/lib/kops/prepare.sh]\n");
        text
    }

    /// The script's environment.
    fn environment(&self, machine: &BootMachine<'_>, problems: &mut Problems) -> String {
        let spec = &machine.cluster.spec;
        let version = spec.kubernetes_version.as_deref().unwrap_or_default().trim_start_matches('v');
        let minor = semver::Version::parse(version).map(|it| format!("v{}.{}", it.major, it.minor));
        let minor = minor.unwrap_or_else(|_| {
            // Reported for each group, although once for the cluster would do: the group shows which machines
            // are affected.
            problems.error(
                Path::root(),
                format!("the cluster's kubernetesVersion {version:?} is not a version"),
                "use a full version such as 1.34.1",
            );
            String::new()
        });
        let packages: Vec<&str> =
            spec.packages.iter().chain(&machine.group.spec.packages).map(String::as_str).collect();
        format!(
            "KUBERNETES_VERSION={}\nREPOSITORY={}\nPACKAGES={}\n",
            shell_word(version),
            shell_word(&format!("{}/{minor}", self.repository)),
            shell_word(&packages.join(" ")),
        )
    }
}

impl NodeBootstrap for CloudInit {
    fn user_data(&self, machine: &BootMachine<'_>, problems: &mut Problems) -> Option<Input<Secret>> {
        warn_of_idle(machine.group, problems);
        let more = &machine.group.spec.additional_user_data;
        let config = match machine.role {
            MachineRole::ControlPlane | MachineRole::Node => Some(self.config(machine, problems)),
            // A bastion is a plain machine that forwards SSH.
            MachineRole::Bastion => None,
        };
        let text = match (config, more.is_empty()) {
            (None, true) => return None,
            (Some(config), true) => config,
            (config, false) => multipart(config.map(|config| ("kops.yaml", config)), more, problems),
        };
        Some(text.into_secret())
    }
}

/// Warns of machine settings that are not implemented yet.
fn warn_of_idle(group: &InstanceGroup, problems: &mut Problems) {
    let spec = &group.spec;
    for (field, set) in [
        ("compressUserData", spec.compress_user_data == Some(true)),
        ("volumeMounts", !spec.volume_mounts.is_empty()),
    ] {
        if set {
            problems.warn(
                Path::of("spec").key(field),
                "it is preserved, but not implemented yet",
                "remove it; if the machines need it, configure it in additionalUserData",
            );
        }
    }
}

/// Kernel settings: those that Kubernetes networking needs, then the specification's own.
fn sysctl(machine: &BootMachine<'_>) -> String {
    let mut text = "net.bridge.bridge-nf-call-iptables = 1\nnet.bridge.bridge-nf-call-ip6tables = 1\n\
                    net.ipv4.ip_forward = 1\n"
        .to_owned();
    for setting in machine.cluster.spec.sysctl_parameters.iter().chain(&machine.group.spec.sysctl_parameters)
    {
        text.push_str(setting.trim());
        text.push('\n');
    }
    text
}

/// The machine's description, for programs that run on it later.
fn describe(machine: &BootMachine<'_>) -> String {
    let spec = &machine.cluster.spec;
    let networking = &spec.networking;
    let description = json!({
        "cluster": machine.cluster.name(),
        "instanceGroup": machine.group.name(),
        "role": machine.role,
        "kubernetesVersion": spec.kubernetes_version,
        "configStore": spec.config_store.base,
        "networkPlugin": networking.plugins().next().map(|(name, _)| name),
        "podCIDR": networking.pod_cidr,
        "serviceClusterIPRange": networking.service_cluster_ip_range,
        "clusterDNSDomain": spec.cluster_dns_domain,
        "nodeLabels": machine.group.spec.node_labels,
        "taints": machine.group.spec.taints,
    });
    format!("{description:#}\n")
}

/// The labels and taints with which the kubelet registers its node.
fn kubelet(group: &InstanceGroup) -> String {
    let mut arguments = String::new();
    let labels: Vec<String> =
        own_labels(&group.spec.node_labels).map(|(key, value)| format!("{key}={value}")).collect();
    if !labels.is_empty() {
        let _ = write!(arguments, "--node-labels={} ", labels.join(","));
    }
    if !group.spec.taints.is_empty() {
        let _ = write!(arguments, "--register-with-taints={} ", group.spec.taints.join(","));
    }
    format!("KUBELET_EXTRA_ARGS=\"{}\"\n", arguments.trim_end())
}

/// The labels that a kubelet may set on its own node. It does not start with any other label of
/// `kubernetes.io` or `k8s.io`:
/// <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction>.
fn own_labels(labels: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    let within = |prefix: &str, domain: &str| {
        prefix.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    labels.iter().filter(move |(key, _)| {
        let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
        let reserved = within(prefix, "kubernetes.io") || within(prefix, "k8s.io");
        !reserved || within(prefix, "node.kubernetes.io") || within(prefix, "kubelet.kubernetes.io")
    })
}

#[cfg(test)]
mod tests;
