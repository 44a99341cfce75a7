//! The disks of the etcd members.
//!
//! They outlive the machines: a member's disk is in the zone of the member's group, and the machine that
//! takes over the member finds it by kOps' labels.

use crate::bootstrap::MemberVolume;
use crate::extensions::MachineRole;
use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::groups::zones_of;
use crate::spec::{EtcdCluster, EtcdMember, InstanceGroup, Path};
use kops_core::graph::Handle;
use kops_core::resource::Volume;

pub(super) fn build(draft: &mut Draft<'_>) {
    for (at, etcd) in draft.blueprint.cluster.spec.etcd_clusters.iter().enumerate() {
        let mut members: Vec<&str> = etcd.members.iter().map(|member| member.name.as_str()).collect();
        members.sort_unstable();
        for (number, member) in etcd.members.iter().enumerate() {
            let path = Path::of("spec.etcdClusters").index(at).key("etcdMembers").index(number);
            let Some(zone) = zone(draft, member, &path) else { continue };
            let labels = labels(etcd, member, &members);
            let Some(size) =
                member.volume_size.and_then(|size| u32::try_from(size).ok()).filter(|size| *size > 0)
            else {
                draft.problems.error(
                    path.key("volumeSize"),
                    "is not a valid size",
                    "specify a number of GiB; 20 is the default",
                );
                continue;
            };
            let mut volume = Volume::new(zone, size)
                .iops(member.volume_iops.and_then(|iops| u32::try_from(iops).ok()))
                .throughput_mibps(
                    member.volume_throughput.and_then(|throughput| u32::try_from(throughput).ok()),
                )
                .encrypted(member.encrypted_volume.unwrap_or(false))
                .labels(labels);
            volume.volume_type.clone_from(&member.volume_type);
            volume.kms_key.clone_from(&member.kms_key_id);
            draft.graph.add(&draft.names.etcd_volume(&etcd.name, &member.name), volume);
        }
    }
}

/// The volumes of the members that a group's machines are.
pub(super) fn volumes_of(draft: &Draft<'_>, group: &InstanceGroup) -> Vec<MemberVolume> {
    let mut volumes = Vec::new();
    for etcd in &draft.blueprint.cluster.spec.etcd_clusters {
        for member in etcd.members.iter().filter(|it| it.instance_group.as_deref() == Some(group.name())) {
            let volume = Handle::<Volume>::named(&draft.names.etcd_volume(&etcd.name, &member.name));
            volumes.push(MemberVolume::new(&etcd.name, &member.name, volume.id()));
        }
    }
    volumes
}

/// The single zone of a member's group.
fn zone(draft: &mut Draft<'_>, member: &EtcdMember, path: &Path) -> Option<String> {
    let path = path.key("instanceGroup");
    let name = member.instance_group.as_deref().unwrap_or_default();
    let Some(group) = draft.blueprint.groups.iter().find(|group| group.name() == name) else {
        let known: Vec<_> = draft.groups_of(MachineRole::ControlPlane).map(InstanceGroup::name).collect();
        draft.problems.error(
            path,
            format!("there is no instance group {name:?} for member {}", member.name),
            format!("use one of the control-plane groups: {}", known.join(", ")),
        );
        return None;
    };
    let zones: BTreeSet<String> = zones_of(draft, group);
    match (zones.len(), zones.into_iter().next()) {
        (1, Some(zone)) => Some(zone),
        (count, _) => {
            draft.problems.error(
                path,
                format!(
                    "the disk of member {} must be in one zone, but group {name} is in {count}",
                    member.name
                ),
                format!("use subnets (or zones) of one zone for group {name}"),
            );
            None
        }
    }
}

fn labels(etcd: &EtcdCluster, member: &EtcdMember, members: &[&str]) -> BTreeMap<String, String> {
    BTreeMap::from([
        (format!("k8s.io/etcd/{}", etcd.name), format!("{}/{}", member.name, members.join(","))),
        ("k8s.io/role/control-plane".to_owned(), "1".to_owned()),
        ("k8s.io/role/master".to_owned(), "1".to_owned()),
    ])
}
