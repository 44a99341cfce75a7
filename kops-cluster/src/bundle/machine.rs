//! The parts of a machine below the kubelet: kernel, packages, files, mounts, units.

use std::collections::BTreeMap;

use kops_node::bundle::{Content, File, Hook, Machine, Mount, Package, Repository, RepositoryFormat, Unit};

use super::Told;
use super::cluster::{BundleCluster, flag, only, settings, text};
use super::containerd;
use crate::spec::{InstanceGroup, Path, Problems, UpdatePolicy};

/// The Kubernetes project's package repositories, one for each minor version.
pub(super) const PACKAGES: &str = "https://pkgs.k8s.io/core:/stable:";

const MODULES: [&str; 2] = ["overlay", "br_netfilter"];

/// Kernel parameters that Kubernetes requires: networking, kOps' limits, and what `protectKernelDefaults`
/// checks.
const SYSCTLS: [(&str, &str); 12] = [
    ("net.bridge.bridge-nf-call-iptables", "1"),
    ("net.bridge.bridge-nf-call-ip6tables", "1"),
    ("net.ipv4.ip_forward", "1"),
    ("vm.max_map_count", "262144"),
    ("fs.inotify.max_user_instances", "8192"),
    ("fs.inotify.max_user_watches", "524288"),
    ("vm.overcommit_memory", "1"),
    ("kernel.panic", "10"),
    ("kernel.panic_on_oops", "1"),
    ("vm.panic_on_oom", "0"),
    ("kernel.keys.root_maxkeys", "1000000"),
    ("kernel.keys.root_maxbytes", "25000000"),
];

/// A machine's parts; `files` and `hooks` are those of users and components.
pub(super) fn render(
    cluster: &BundleCluster<'_>,
    group: &InstanceGroup,
    containerd: &mut containerd::Rendered,
    (mut files, hooks): (Vec<File>, Vec<Hook>),
    told: &mut Told,
) -> Machine {
    let mut units = updates(cluster, group);
    let mut packages = packages(cluster, group, containerd);
    let ntp = settings(cluster.cluster.spec.ntp.as_ref());
    only(&ntp, &["managed"], &Path::of("spec.ntp"), &mut told.cluster);
    if flag(&ntp, "managed", &Path::of("spec.ntp"), &mut told.cluster) == Some(true) {
        packages.push(package("chrony"));
        if let Some(server) = &cluster.facts.time_server {
            files.push(plain(
                "/etc/chrony/sources.d/kops.sources",
                &format!("server {server} iburst prefer\n"),
            ));
        }
    }
    if containerd.downloads.iter().any(|it| it.archive.is_some()) {
        units.push(unit("containerd.service", CONTAINERD));
    }
    units.push(unit("kops-metadata.service", METADATA));
    files.append(&mut containerd.files);
    files.push(plain("/etc/kops/metadata.nft", METADATA_RULES));
    // Otherwise cloud-init rewrites /etc/hosts at each boot, without the cluster's names.
    files.push(plain("/etc/cloud/cloud.cfg.d/99-kops.cfg", "manage_etc_hosts: false\n"));
    check_assets(cluster, &mut told.cluster);
    Machine {
        modules: MODULES.map(str::to_owned).into(),
        sysctls: sysctls(cluster, group, told),
        swap_off: swap_off(cluster, group),
        repositories: repositories(cluster),
        packages,
        downloads: std::mem::take(&mut containerd.downloads),
        files,
        mounts: group.spec.volume_mounts.iter().map(mount).collect(),
        units,
        hooks,
    }
}

/// Swap is off unless the kubelet is configured to tolerate it.
fn swap_off(cluster: &BundleCluster<'_>, group: &InstanceGroup) -> bool {
    let spec = &cluster.cluster.spec;
    let control_plane = spec.control_plane_kubelet.as_ref().filter(|_| group.is_control_plane());
    let layers = [group.spec.kubelet.as_ref(), control_plane, spec.kubelet.as_ref()];
    let said = layers.into_iter().find_map(|layer| settings(layer)["failSwapOn"].as_bool());
    said != Some(false)
}

/// Kubernetes' own parameters, then the cluster's, then the group's: the last one wins.
fn sysctls(cluster: &BundleCluster<'_>, group: &InstanceGroup, told: &mut Told) -> BTreeMap<String, String> {
    let mut all: BTreeMap<_, _> = SYSCTLS.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let spec = &cluster.cluster.spec;
    let ports = settings(spec.kube_api_server.as_ref())["serviceNodePortRange"].as_str().map(str::to_owned);
    // Outgoing connections do not use ports of the service range.
    all.insert(
        "net.ipv4.ip_local_reserved_ports".to_owned(),
        ports.unwrap_or_else(|| "30000-32767".to_owned()),
    );
    let own =
        [(&spec.sysctl_parameters, &mut told.cluster), (&group.spec.sysctl_parameters, &mut told.group)];
    for (list, problems) in own {
        for (number, line) in list.iter().enumerate() {
            match line.split_once('=') {
                Some((name, value)) if !name.trim().is_empty() => {
                    all.insert(name.trim().to_owned(), value.trim().to_owned());
                }
                _ => problems.error(
                    Path::of("spec.sysctlParameters").index(number),
                    format!("{line:?} is not a kernel parameter"),
                    "use name=value, for example vm.swappiness=10",
                ),
            }
        }
    }
    all
}

fn repositories(cluster: &BundleCluster<'_>) -> Vec<Repository> {
    let base = cluster.packages.trim_end_matches('/');
    let formats = [(RepositoryFormat::Deb, "deb"), (RepositoryFormat::Rpm, "rpm")];
    let all = formats.map(|(format, name)| {
        let url = format!("{base}/v1.{}/{name}/", cluster.minor());
        let key =
            if name == "deb" { format!("{url}Release.key") } else { format!("{url}repodata/repomd.xml.key") };
        Repository { name: "kubernetes".to_owned(), format, url, key }
    });
    all.into()
}

/// Kubernetes, containerd, and the user's own packages. Packages that an image has in the right version are
/// not installed.
fn packages(
    cluster: &BundleCluster<'_>,
    group: &InstanceGroup,
    containerd: &containerd::Rendered,
) -> Vec<Package> {
    let version = cluster.version();
    let kubernetes = |name: &str| Package {
        name: name.to_owned(),
        version: Some(format!("{version}-")),
        program: Some(name.to_owned()),
        says: Some(format!("v{version}")),
    };
    let mut packages = Vec::new();
    if !containerd.containerd.skip && !containerd.downloads.iter().any(|it| it.archive.is_some()) {
        let version = containerd.version.as_ref();
        packages.push(Package {
            name: "containerd".to_owned(),
            version: version.cloned(),
            program: Some("containerd".to_owned()),
            says: Some(version.map_or_else(|| "containerd".to_owned(), Clone::clone)),
        });
    }
    packages.extend(["kubelet", "kubeadm"].map(kubernetes));
    let own = cluster.cluster.spec.packages.iter().chain(&group.spec.packages);
    packages.extend(own.map(|it| package(it)));
    packages
}

fn package(name: &str) -> Package {
    Package { name: name.to_owned(), version: None, program: None, says: None }
}

/// `external` disables the distribution's automatic updates; otherwise the image decides.
fn updates(cluster: &BundleCluster<'_>, group: &InstanceGroup) -> Vec<Unit> {
    let policy = group.spec.update_policy.or(cluster.cluster.spec.update_policy);
    let units: &[&str] = if policy == Some(UpdatePolicy::External) { &UPDATES } else { &[] };
    let mask = |name: &&str| Unit { name: (*name).to_owned(), text: None, enable: false, mask: true };
    units.iter().map(mask).collect()
}

/// The units of the distributions' automatic updates.
const UPDATES: [&str; 5] = [
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "unattended-upgrades.service",
    "dnf-automatic.timer",
    "update-engine.service",
];

fn mount(spec: &crate::spec::VolumeMount) -> Mount {
    Mount {
        device: spec.device.clone(),
        path: spec.path.clone(),
        filesystem: Some(spec.filesystem.clone().unwrap_or_else(|| "ext4".to_owned())),
        format_options: spec.format_options.clone(),
        mount_options: spec.mount_options.clone(),
    }
}

fn check_assets(cluster: &BundleCluster<'_>, problems: &mut Problems) {
    let at = Path::of("spec.assets");
    let assets = settings(cluster.cluster.spec.assets.as_ref());
    only(&assets, &["containerProxy", "containerRegistry", "fileRepository"], &at, problems);
    if text(&assets, "fileRepository", &at, problems).is_some() {
        problems.warn(
            at.key("fileRepository"),
            format!(
                "Kubernetes is installed from packages ({}), which are not files of kOps",
                cluster.packages
            ),
            "mirror the package repository, or use images that have Kubernetes",
        );
    }
}

fn plain(path: &str, content: &str) -> File {
    File { path: path.to_owned(), content: Content::Text(content.to_owned()), mode: None, owner: None }
}

fn unit(name: &str, text: &str) -> Unit {
    Unit { name: name.to_owned(), text: Some(text.to_owned()), enable: true, mask: false }
}

/// Pods cannot reach the metadata service, which has the machine's credentials: forwarded packets to it are
/// dropped. Packets of the machine, and of pods in its network namespace, are not forwarded.
const METADATA_RULES: &str = "\
table inet kops-metadata
delete table inet kops-metadata
table inet kops-metadata {
  chain forward {
    type filter hook forward priority -10; policy accept;
    ip daddr 169.254.169.254 drop
  }
}
";

/// Each distribution has one of the two.
const METADATA: &str = "\
[Unit]
Description=Closes the metadata service to pods
Before=kubelet.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'if command -v nft >/dev/null; then nft -f /etc/kops/metadata.nft; else iptables -C FORWARD -d 169.254.169.254 -j DROP || iptables -I FORWARD -d 169.254.169.254 -j DROP; fi'
[Install]
WantedBy=multi-user.target
";

/// The archive of containerd has no unit for the directory where it is unpacked.
const CONTAINERD: &str = "\
[Unit]
Description=containerd
After=network.target
[Service]
ExecStart=/usr/local/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
RestartSec=5
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
OOMScoreAdjust=-999
[Install]
WantedBy=multi-user.target
";
