//! Validation of the etcd clusters.

use super::parts::{VolumeSettings, volume};
use super::text::not_dns_label;
use crate::spec::defaults::CloudDefaults;
use crate::spec::path::Path;
use crate::spec::problem::Problems;
use crate::spec::types::{ClusterSpec, EtcdCluster, EtcdMember, InstanceGroup};

/// The possible clusters; the first is required.
const CLUSTERS: &[&str] = &["main", "events", "cilium", "leases"];

pub(super) fn check(
    spec: &ClusterSpec,
    groups: &[InstanceGroup],
    cloud: &CloudDefaults,
    problems: &mut Problems,
) {
    let at = Path::of("spec.etcdClusters");
    if !spec.etcd_clusters.iter().any(|cluster| cluster.name == CLUSTERS[0]) {
        problems.error(
            at.clone(),
            "there is no etcd cluster main",
            "add one with a member for each control-plane group",
        );
    }
    for (number, cluster) in spec.etcd_clusters.iter().enumerate() {
        let here = at.index(number);
        if !CLUSTERS.contains(&cluster.name.as_str()) {
            problems.error(
                here.key("name"),
                format!("unknown etcd cluster {:?}", cluster.name),
                format!("use one of {}", CLUSTERS.join(", ")),
            );
        } else if spec.etcd_clusters[..number].iter().any(|other| other.name == cluster.name) {
            problems.error(
                here.key("name"),
                format!("{} is listed twice", cluster.name),
                "remove one of them",
            );
        }
        if cluster.provider.as_deref().is_some_and(|provider| provider != "Manager") {
            problems.error(here.key("provider"), "etcd is always run by etcd-manager", "remove it");
        }
        members(cluster, groups, &here, cloud, problems);
    }
}

fn members(
    cluster: &EtcdCluster,
    groups: &[InstanceGroup],
    at: &Path,
    cloud: &CloudDefaults,
    problems: &mut Problems,
) {
    let count = cluster.members.len();
    let here = at.key("etcdMembers");
    if count == 0 {
        problems.error(here.clone(), "there are no members", "add one for each control-plane group");
    } else if count.is_multiple_of(2) {
        problems.error(
            here.clone(),
            format!("{count} members tolerate no more failures than {} would", count - 1),
            "use an odd number: 1, 3 or 5",
        );
    }
    for (number, member) in cluster.members.iter().enumerate() {
        let others = &cluster.members[..number];
        member_place(member, others, groups, &here.index(number), problems);
        let settings = VolumeSettings {
            r#type: member.volume_type.as_deref(),
            size: member.volume_size.map(i64::from),
            iops: member.volume_iops.map(i64::from),
            throughput: member.volume_throughput.map(i64::from),
            names: ["volumeType", "volumeSize", "volumeIops", "volumeThroughput"],
        };
        volume(&settings, &here.index(number), cloud, problems);
        if member.kms_key_id.is_some() && member.encrypted_volume == Some(false) {
            problems.error(
                here.index(number).key("kmsKeyId"),
                "the volume has a key, but is not encrypted",
                "set encryptedVolume: true, or remove the key",
            );
        }
    }
    for group in groups.iter().filter(|group| group.is_control_plane()) {
        if !cluster.members.iter().any(|member| member.instance_group.as_deref() == Some(group.name())) {
            problems.error(
                here.clone(),
                format!("control-plane group {} has no member", group.name()),
                format!("add a member with instanceGroup: {}", group.name()),
            );
        }
    }
}

fn member_place(
    member: &EtcdMember,
    before: &[EtcdMember],
    groups: &[InstanceGroup],
    at: &Path,
    problems: &mut Problems,
) {
    if let Some(why) = not_dns_label(&member.name) {
        problems.error(
            at.key("name"),
            format!("{:?} is not a name: {why}", member.name),
            "use a name such as a",
        );
    } else if before.iter().any(|other| other.name == member.name) {
        problems.error(
            at.key("name"),
            format!("another member is also named {}", member.name),
            "use a different name for each",
        );
    }
    let here = at.key("instanceGroup");
    let Some(name) = member.instance_group.as_deref() else {
        problems.error(here, "is required", "specify a group with role Master");
        return;
    };
    if before.iter().any(|other| other.instance_group.as_deref() == Some(name)) {
        problems.error(
            here.clone(),
            format!("another member is on {name}"),
            "use one control-plane group for each member",
        );
    }
    match groups.iter().find(|group| group.name() == name) {
        None => {
            let all: Vec<&str> =
                groups.iter().filter(|group| group.is_control_plane()).map(InstanceGroup::name).collect();
            let fix = if all.is_empty() {
                format!("add a group {name} with role Master")
            } else {
                format!("use one of {}, or add the group", all.join(", "))
            };
            problems.error(here, format!("there is no instance group {name:?}"), fix);
        }
        Some(group) if !group.is_control_plane() => {
            problems.error(here, format!("{name} has role {}", group.role()), "use a group with role Master");
        }
        Some(_) => {}
    }
}
