//! The clusters of etcd: members by name, their volumes, ports and snapshots.

use std::collections::BTreeMap;

use kops_node::bundle::{Backup, Etcd, Volume};
use kops_node::etcd::Peer;
use serde_json::{Map, Value, json};

use super::cluster::{BundleCluster, texts};
use super::control_plane::{environment, patch};
use super::keysets;
use super::setting::Args;
use crate::cloud::EtcdVolume;
use crate::spec::{EtcdCluster, InstanceGroup, Path, Problems};

/// A supported cluster: its name, the resources that the API server stores in it, and its ports for clients,
/// peers and metrics.
struct Known {
    name: &'static str,
    resource: Option<&'static str>,
    ports: [u16; 3],
}

/// The firewall blocks these ports for nodes; metrics are served on the loopback address.
const CLUSTERS: [Known; 3] = [
    Known { name: "main", resource: None, ports: [2379, 2380, 2381] },
    Known { name: "events", resource: Some("/events"), ports: [4002, 2381, 2383] },
    Known { name: "leases", resource: Some("coordination.k8s.io/leases"), ports: [4001, 2382, 2384] },
];

/// The filesystem of a blank volume, as in etcd-manager.
const FILESYSTEM: &str = "ext4";
/// kOps' interval between snapshots, in seconds, and the number of days that they are kept.
const BACKUP: (u64, u32) = (15 * 60, 90);

/// The supported clusters, `main` first, each with its index in the specification.
fn running<'a>(cluster: &BundleCluster<'a>) -> Vec<(&'static Known, usize, &'a EtcdCluster)> {
    let spec = &cluster.cluster.spec.etcd_clusters;
    let known = CLUSTERS.iter().filter_map(|known| {
        let (at, etcd) = spec.iter().enumerate().find(|(_, etcd)| etcd.name == known.name)?;
        Some((known, at, etcd))
    });
    known.collect()
}

/// The resources that the API server does not store in `main`.
pub(super) fn overrides(cluster: &BundleCluster<'_>) -> Vec<String> {
    let all = running(cluster).into_iter();
    all.filter_map(|(known, _, _)| Some(format!("{}#https://127.0.0.1:{}", known.resource?, known.ports[0])))
        .collect()
}

/// The name of a member.
fn host(cluster: &BundleCluster<'_>, member: &str) -> String {
    format!("{member}.etcd.internal.{}", cluster.cluster.name())
}

/// The configuration of the clusters that all control planes share, without what differs by group.
pub(super) fn check(cluster: &BundleCluster<'_>, problems: &mut Problems) {
    let spec = &cluster.cluster.spec;
    for (number, etcd) in spec.etcd_clusters.iter().enumerate() {
        let at = Path::of("spec.etcdClusters").index(number);
        if !CLUSTERS.iter().any(|it| it.name == etcd.name) {
            problems.warn(
                at.key("name"),
                format!("the etcd cluster {} is not supported on these machines", etcd.name),
                "remove it: network plugins store their state in Kubernetes objects by default",
            );
            continue;
        }
        settings(cluster, etcd, &at, problems);
    }
    let all = running(cluster);
    let Some((_, _, main)) = all.first() else { return };
    for (_, number, etcd) in &all[1..] {
        let place = |it: &EtcdCluster| -> BTreeMap<String, Option<String>> {
            it.members.iter().map(|it| (it.name.clone(), it.instance_group.clone())).collect()
        };
        if place(etcd) != place(main) {
            problems.error(
                Path::of("spec.etcdClusters").index(*number).key("etcdMembers"),
                format!(
                    "its members are not those of main: a machine is the same member in all clusters ({})",
                    etcd.name
                ),
                "use main's names and instance groups",
            );
        }
    }
}

/// The settings of etcd-manager, which does not run here: each is implemented or reported.
fn settings(cluster: &BundleCluster<'_>, etcd: &EtcdCluster, at: &Path, problems: &mut Problems) {
    let no_manager = "etcd-manager does not run on these machines";
    let mut idle = |path: Path, set: bool| {
        if set {
            problems.warn(path, format!("it has no effect: {no_manager}"), "remove it");
        }
    };
    if let Some(manager) = &etcd.manager {
        let at = at.key("manager");
        idle(at.key("image"), manager.image.is_some());
        idle(at.key("logLevel"), manager.log_level.is_some());
        idle(at.key("discoveryPollInterval"), manager.discovery_poll_interval.is_some());
    }
    if let Some(backups) = &etcd.backups {
        idle(at.key("backups").key("image"), backups.image.is_some());
        let own = cluster.cluster.spec.config_store.base.as_deref().unwrap_or_default().trim_end_matches('/');
        let own = format!("{own}/backups/etcd/{}", etcd.name);
        if let Some(store) = &backups.backup_store
            && store.trim_end_matches('/') != own
        {
            problems.warn(
                at.key("backups").key("backupStore"),
                format!("snapshots are written to the cluster's own directory, {own}"),
                "remove it",
            );
        }
    }
}

/// The clusters that a group's machines may be members of.
pub(super) fn render(
    cluster: &BundleCluster<'_>,
    group: &InstanceGroup,
    problems: &mut Problems,
) -> Vec<Etcd> {
    let mut rendered = Vec::new();
    for (known, number, etcd) in running(cluster) {
        let at = Path::of("spec.etcdClusters").index(number);
        let [client_port, peer_port, metrics_port] = known.ports;
        let members = etcd.members.iter().map(|member| Peer {
            name: member.name.clone(),
            url: format!("https://{}:{peer_port}", host(cluster, &member.name)),
        });
        let here = |member: &&crate::spec::EtcdMember| member.instance_group.as_deref() == Some(group.name());
        let candidates: Vec<String> = etcd.members.iter().filter(here).map(|it| it.name.clone()).collect();
        rendered.push(Etcd {
            name: etcd.name.clone(),
            members: members.collect(),
            volume: volume(cluster, etcd, &candidates),
            candidates,
            token: format!("{}-{}", etcd.name, keysets::word(cluster.keysets, cluster.cluster.name())),
            client_port,
            peer_port,
            metrics_port,
            backup: backup(etcd, &at, problems),
        });
    }
    rendered
}

/// The mount point of a member's volume.
pub(crate) fn mount_point(etcd: &str) -> String {
    format!("/mnt/etcd-{etcd}")
}

fn volume(cluster: &BundleCluster<'_>, etcd: &EtcdCluster, candidates: &[String]) -> Volume {
    fn of<'a>(cluster: &BundleCluster<'a>, etcd: &'a EtcdCluster, member: &'a str) -> EtcdVolume<'a> {
        let members = etcd.members.iter().map(|it| it.name.as_str()).collect();
        EtcdVolume { cluster: cluster.cluster.name(), etcd: &etcd.name, member, members }
    }
    let how = &cluster.facts.volumes;
    let devices = candidates.iter().filter_map(|it| Some((it.clone(), how.device(&of(cluster, etcd, it))?)));
    let tags = candidates.iter().filter_map(|it| Some((it.clone(), how.tags(&of(cluster, etcd, it))?)));
    Volume {
        path: mount_point(&etcd.name),
        devices: devices.collect(),
        tags: tags.collect(),
        format: Some(FILESYSTEM.to_owned()),
    }
}

fn backup(etcd: &EtcdCluster, at: &Path, problems: &mut Problems) -> Option<Backup> {
    let manager = etcd.manager.as_ref();
    let mut every = BACKUP.0;
    if let Some(interval) = manager.and_then(|it| it.backup_interval.as_ref()) {
        match interval.to_std().as_secs() {
            0 => problems.error(
                at.key("manager").key("backupInterval"),
                format!("{interval} is less than a second"),
                "use a duration such as 15m",
            ),
            seconds => every = seconds,
        }
    }
    let days =
        manager.and_then(|it| it.backup_retention_days).map_or(Some(BACKUP.1), |it| u32::try_from(it).ok());
    if days.is_none() {
        problems.error(
            at.key("manager").key("backupRetentionDays"),
            "must not be negative",
            "use a number of days",
        );
    }
    Some(Backup { every, days: days? })
}

/// `etcd.local` of ClusterConfiguration for `main`, without what the machine fills in, and the patch of its
/// manifest.
pub(super) fn local(cluster: &BundleCluster<'_>, problems: &mut Problems) -> (Value, Vec<(String, Value)>) {
    let all = running(cluster);
    let Some((known, number, etcd)) = all.first().copied() else { return (json!({}), Vec::new()) };
    let at = Path::of("spec.etcdClusters").index(number);
    let mut local = Map::new();
    local.insert("imageRepository".to_owned(), cluster.registry().into());
    local.insert(
        "imageTag".to_owned(),
        format!("v{}", etcd.version.as_deref().unwrap_or_default().trim_start_matches('v')).into(),
    );
    let mut arguments: Args = Vec::new();
    for (field, value, flag) in [
        ("heartbeatInterval", &etcd.heartbeat_interval, "heartbeat-interval"),
        ("leaderElectionTimeout", &etcd.leader_election_timeout, "election-timeout"),
    ] {
        let Some(value) = value else { continue };
        match value.to_std().as_millis() {
            0 => problems.error(
                at.key(field),
                format!("{value} is less than a millisecond"),
                "use a duration such as 500ms",
            ),
            milliseconds => arguments.push((flag.to_owned(), milliseconds.to_string())),
        }
    }
    let manager = etcd.manager.as_ref();
    let urls =
        json!({"listenMetricsURLs": manager.and_then(|it| it.listen_metrics_urls.as_ref()).map(|it| &it.0)});
    let urls = texts(&urls, "listenMetricsURLs", &at.key("manager"), problems);
    if !urls.is_empty() {
        // kubeadm's probes use the loopback address.
        let own = format!("http://127.0.0.1:{}", known.ports[2]);
        let all: Vec<_> = std::iter::once(own).chain(urls).collect();
        arguments.push(("listen-metrics-urls".to_owned(), all.join(",")));
    }
    if !arguments.is_empty() {
        local.insert("extraArgs".to_owned(), super::kubeadm::args(&arguments));
    }
    if let Some(env) = manager.and_then(|it| it.env.as_ref()) {
        variables(&env.0, &at.key("manager").key("env"), &mut local, problems);
    }
    (Value::Object(local), patches(etcd, &at, problems))
}

/// Variables of etcd-manager's environment: those of etcd are passed to etcd.
fn variables(env: &Value, at: &Path, local: &mut Map<String, Value>, problems: &mut Problems) {
    let own = |it: &Value| {
        it["name"].as_str().is_some_and(|it| it.starts_with("ETCD_") && !it.starts_with("ETCD_MANAGER_"))
    };
    let mut kept = Vec::new();
    for (number, item) in env.as_array().into_iter().flatten().enumerate() {
        if own(item) {
            kept.push(item.clone());
        } else {
            problems.warn(
                at.index(number),
                "it has no effect: etcd-manager does not run on these machines",
                "remove it",
            );
        }
    }
    let value = if env.is_array() { Value::Array(kept) } else { env.clone() };
    environment(&value, at, local, problems);
}

/// etcd's container uses the machine's `/etc/hosts`, which contains the members, and its data directory must
/// exist: otherwise it would start empty on the root disk.
fn patches(etcd: &EtcdCluster, at: &Path, problems: &mut Problems) -> Vec<(String, Value)> {
    let data = format!("{}/etcd", mount_point(&etcd.name));
    let mut pod = json!({"spec": {
        "containers": [{"name": "etcd", "volumeMounts": [{"name": "hosts", "mountPath": "/etc/hosts", "readOnly": true}]}],
        "volumes": [
            {"name": "hosts", "hostPath": {"path": "/etc/hosts", "type": "File"}},
            {"name": "etcd-data", "hostPath": {"path": data, "type": "Directory"}},
        ],
    }});
    let own = json!({
        "image": etcd.image,
        "cpuRequest": etcd.cpu_request.as_ref().map(|it| &it.0),
        "memoryRequest": etcd.memory_request.as_ref().map(|it| &it.0),
    });
    if let Some(more) = patch("etcd", &own, at, problems)
        && let (Value::Object(container), Value::Object(more)) =
            (&mut pod["spec"]["containers"][0], &more["spec"]["containers"][0])
    {
        container.extend(more.clone());
    }
    vec![("etcd0+strategic.json".to_owned(), pod)]
}
