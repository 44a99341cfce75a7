//! Bootstrap of plain distribution images by cloud-init.
//!
//! What is there: a machine of the control plane or a node gets kernel modules and settings, containerd,
//! and kubelet, kubeadm and kubectl of the cluster's version from the Kubernetes project's package
//! repository (Debian's and Red Hat's families of distributions); the kubelet gets the group's labels and
//! taints; and files under `/etc/kops` say which cluster, group and role the machine has and where the API
//! is. The group's `additionalUserData` goes along as further parts. An image that has it all already is
//! left as it is.
//!
//! What is not there yet: nothing runs `kubeadm init` or `kubeadm join`, so no Kubernetes comes up by itself;
//! keys and certificates are not handed out, disks of etcd not mounted, and no network plugin is installed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use super::mime::multipart;
use super::text::{Text, quoted, shell_word};
use super::{BootMachine, NodeBootstrap};
use crate::extensions::MachineRole;
use crate::spec::{InstanceGroup, Path, Problems};
use kops_core::graph::{Input, Secret};

/// The Kubernetes project's packages: a repository for each minor version.
const REPOSITORY: &str = "https://pkgs.k8s.io/core:/stable:";

/// What runs on the machine; see the file for what it does.
const PREPARE: &str = include_str!("prepare.sh");

/// Prepares plain distribution images for kubeadm, by cloud-init.
///
/// ```
/// use kops_cluster::bootstrap::CloudInit;
///
/// // Machines without a way to the internet take packages from a mirror.
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
    /// Takes Kubernetes' packages from a mirror that is laid out as `https://pkgs.k8s.io/core:/stable:` is.
    pub fn repository(mut self, url: impl Into<String>) -> Self {
        url.into().trim_end_matches('/').clone_into(&mut self.repository);
        self
    }

    /// The cloud-config of a machine.
    fn config(&self, machine: &BootMachine<'_>, problems: &mut Problems) -> Text {
        let mut text = Text::default();
        // The name that the cloud gives the machine is the name of its node.
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
        // The host may not be known yet; names of hosts need no quoting.
        text.push("- path: /etc/kops/api-endpoint\n  permissions: \"0644\"\n  content: \"");
        text.push_input(&machine.endpoint.host);
        text.push(&format!(":{}\\n\"\n", machine.endpoint.port));
        text.push("runcmd:\n- [/usr/local/lib/kops/prepare.sh]\n");
        text
    }

    /// What the script is told.
    fn environment(&self, machine: &BootMachine<'_>, problems: &mut Problems) -> String {
        let spec = &machine.cluster.spec;
        let version = spec.kubernetes_version.as_deref().unwrap_or_default().trim_start_matches('v');
        let minor = semver::Version::parse(version).map(|it| format!("v{}.{}", it.major, it.minor));
        let minor = minor.unwrap_or_else(|_| {
            // Once for the cluster would do; the group names which machines cannot be made.
            problems.error(
                Path::root(),
                format!("the cluster's kubernetesVersion {version:?} is not a version"),
                "write it in full, like 1.34.1",
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
            // A bastion is a plain machine that lets SSH through.
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

/// Settings that concern machines and that nothing acts on yet.
fn warn_of_idle(group: &InstanceGroup, problems: &mut Problems) {
    let spec = &group.spec;
    for (field, set) in [
        ("compressUserData", spec.compress_user_data == Some(true)),
        ("volumeMounts", !spec.volume_mounts.is_empty()),
    ] {
        if set {
            problems.warn(
                Path::of("spec").key(field),
                "it is kept, but nothing acts on it yet",
                "leave it out; where machines depend on it, see to it by additionalUserData",
            );
        }
    }
}

/// Kernel settings: what Kubernetes' networks need, then the specification's own.
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

/// Who the machine is, for whatever runs on it later.
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

/// The labels that a kubelet may give its own node. With others of `kubernetes.io` and `k8s.io` it refuses to
/// start: <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction>.
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
