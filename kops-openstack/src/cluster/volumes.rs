//! The volumes of etcd's members: each server of a control-plane group is one of the group's members, and has its volumes
//! from its first boot on.

use std::collections::{BTreeMap, BTreeSet};

use kops_cluster::model::Names;
use kops_cluster::{Cluster, InstanceGroup, Path, Problems};
use kops_core::graph::{Handle, Id, Input};
use kops_core::resource::Volume;

/// The volumes of each server of a control-plane group, in the order of the members' names.
pub(super) fn of_group(
    cluster: &Cluster,
    group: &InstanceGroup,
    problems: &mut Problems,
) -> Option<Vec<BTreeSet<Input<Id<Volume>>>>> {
    if !group.is_control_plane() || cluster.spec.etcd_clusters.is_empty() {
        return None;
    }
    let names = Names::of(cluster.name());
    let mut members: BTreeMap<&str, BTreeSet<_>> = BTreeMap::new();
    for etcd in &cluster.spec.etcd_clusters {
        for member in etcd.members.iter().filter(|it| it.instance_group.as_deref() == Some(group.name())) {
            let volume = Handle::<Volume>::named(&names.etcd_volume(&etcd.name, &member.name));
            members.entry(&member.name).or_default().insert(volume.id());
        }
    }
    let machines = group.spec.min_size.and_then(|it| usize::try_from(it).ok()).unwrap_or(1);
    if machines > members.len() {
        problems.error(
            Path::of("spec.minSize"),
            format!(
                "it has {machines} machines for {} members of etcd, and the volumes of a member are one machine's",
                members.len()
            ),
            "add members to etcdClusters, or use a group for each machine",
        );
    }
    Some(members.into_values().collect())
}

#[cfg(test)]
mod tests {
    use kops_cluster::{NewCluster, new_cluster};

    use super::*;

    fn cluster() -> (Cluster, InstanceGroup) {
        let new = NewCluster::new("ha.example.com", "openstack")
            .zones(["nova"])
            .control_plane_count(3)
            .image("debian-12")
            .control_plane_size("m1.large")
            .node_size("m1.large");
        let (cluster, groups) = new_cluster(&new).unwrap();
        let group = groups.into_iter().find(InstanceGroup::is_control_plane).unwrap();
        (cluster, group)
    }

    #[test]
    fn a_server_has_the_volumes_of_its_member() {
        let (cluster, mut group) = cluster();
        let mut problems = Problems::new();
        let volumes = of_group(&cluster, &group, &mut problems).unwrap();
        assert!(problems.is_empty(), "{problems}");
        let member = &cluster.spec.etcd_clusters[0].members[0].name;
        let named =
            |etcd: &str| Handle::<Volume>::named(&format!("{member}.etcd-{etcd}.ha.example.com")).id();
        assert_eq!(volumes, [[named("main"), named("events")].into()]);
        group.spec.min_size = Some(2);
        of_group(&cluster, &group, &mut problems);
        assert!(problems.to_string().contains("spec.minSize: it has 2 machines for 1 members"), "{problems}");
    }

    #[test]
    fn nodes_have_none() {
        let (cluster, mut group) = cluster();
        group.spec.role = Some(kops_cluster::Role::Node);
        assert_eq!(of_group(&cluster, &group, &mut Problems::new()), None);
    }
}
