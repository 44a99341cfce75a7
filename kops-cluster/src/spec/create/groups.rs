//! The instance groups of a new cluster, and the etcd clusters on them.

use serde_json::json;

use super::network::subnet_of;
use super::{NewCluster, option};
use crate::spec::defaults::CloudDefaults;
use crate::spec::meta::INSTANCE_GROUP_LABEL;
use crate::spec::problem::Problems;
use crate::spec::schema::Opaque;
use crate::spec::types::{
    ClusterSpec, EtcdCluster, EtcdManager, EtcdMember, InstanceGroup, MixedInstancesPolicy, Role,
    RootVolumeSpec, SubnetType,
};

/// The maximum number of control-plane machines: etcd does not benefit from more.
const MOST: usize = 9;

/// The number of days for which etcd backups are kept.
const BACKUP_DAYS: i64 = 90;

pub(super) fn build(
    options: &NewCluster,
    spec: &mut ClusterSpec,
    cloud: &CloudDefaults,
    problems: &mut Problems,
) -> Vec<InstanceGroup> {
    let control_plane = control_plane(options, cloud, problems);
    let mut names = Vec::new();
    // The network plugin may keep its state in an etcd cluster of its own.
    let own = "cilium".to_owned();
    let own = (options.networking == "cilium-etcd" && !options.etcd_clusters.contains(&own)).then_some(own);
    for (at, name) in options.etcd_clusters.iter().chain(&own).enumerate() {
        if names.contains(&name) {
            problems.error(
                option("etcd-clusters").index(at),
                format!("{name} is listed twice"),
                "list each only once",
            );
        }
        names.push(name);
        spec.etcd_clusters.push(etcd_cluster(name, &control_plane, options, cloud));
    }
    let mut groups = control_plane;
    groups.extend(nodes(options, cloud));
    if options.bastion {
        groups.push(bastion(options, spec, cloud));
    }
    groups
}

/// One group for each control-plane machine, distributed over the zones.
fn control_plane(options: &NewCluster, cloud: &CloudDefaults, problems: &mut Problems) -> Vec<InstanceGroup> {
    let given = &options.control_plane_zones;
    let zones = if given.is_empty() { &options.zones } else { given };
    let usual = if given.is_empty() { 1 } else { zones.len() };
    let count =
        options.control_plane_count.map_or(usual, |count| usize::try_from(count).unwrap_or(usize::MAX));
    if count.is_multiple_of(2) {
        let name =
            if options.control_plane_count.is_some() { "control-plane-count" } else { "control-plane-zones" };
        problems.error(
            option(name),
            format!(
                "{count} control-plane machines tolerate no more failures than {} would",
                count.max(1) - 1
            ),
            "use an odd number: 1, 3 or 5",
        );
    }
    if count < given.len() {
        problems.error(
            option("control-plane-count"),
            format!("{count} machines cannot be distributed over {} zones", given.len()),
            "use as many machines as zones, or fewer zones",
        );
    }
    if count > MOST {
        problems.error(
            option("control-plane-count"),
            format!("{count} is too many"),
            "use an odd number: 1, 3 or 5",
        );
    }
    let mut groups = Vec::new();
    for (at, zone) in zones.iter().cycle().take(count.min(MOST)).enumerate() {
        // Several machines in a zone are numbered.
        let number = if count > zones.len() { format!("-{}", 1 + at / zones.len()) } else { String::new() };
        let mut group =
            group(&format!("control-plane-{zone}{number}"), Role::ControlPlane, zone, options, cloud);
        group.spec.min_size = Some(1);
        group.spec.max_size = Some(1);
        group.spec.additional_security_groups.clone_from(&options.control_plane_security_groups);
        machine(&mut group, options.control_plane_image.as_ref(), options.control_plane_volume_size);
        group.spec.tenancy.clone_from(&options.control_plane_tenancy);
        groups.push(group);
    }
    groups
}

/// One group of nodes for each zone; the first zones get the remainder of an uneven division.
fn nodes(options: &NewCluster, cloud: &CloudDefaults) -> Vec<InstanceGroup> {
    let zones = &options.zones;
    if zones.is_empty() {
        return Vec::new();
    }
    let count = options.node_count.map_or(zones.len(), |count| usize::try_from(count).unwrap_or(usize::MAX));
    let (each, rest) = (count / zones.len(), count % zones.len());
    let groups = zones.iter().enumerate().map(|(at, zone)| {
        let mut group = group(&format!("nodes-{zone}"), Role::Node, zone, options, cloud);
        let size = i32::try_from(each + usize::from(at < rest)).ok();
        group.spec.min_size = size;
        group.spec.max_size = size;
        group.spec.additional_security_groups.clone_from(&options.node_security_groups);
        machine(&mut group, options.node_image.as_ref(), options.node_volume_size);
        group.spec.tenancy.clone_from(&options.node_tenancy);
        group
    });
    groups.collect()
}

fn bastion(options: &NewCluster, spec: &ClusterSpec, cloud: &CloudDefaults) -> InstanceGroup {
    let zone = options.zones.first().map_or("", String::as_str);
    let mut group = group("bastions", Role::Bastion, zone, options, cloud);
    let private = spec.networking.subnets.iter().filter(|subnet| subnet.r#type != Some(SubnetType::Utility));
    group.spec.subnets = private.map(|subnet| subnet.name.clone()).collect();
    group.spec.min_size = Some(1);
    group.spec.max_size = Some(1);
    if cloud.regional_subnets {
        group.spec.zones.clone_from(&options.zones);
    }
    if let Some(image) = &options.bastion_image {
        group.spec.image = Some(image.clone());
    }
    group
}

/// A group in a zone, with the default image and machine type.
fn group(name: &str, role: Role, zone: &str, options: &NewCluster, cloud: &CloudDefaults) -> InstanceGroup {
    let mut group = InstanceGroup::named(name, role, &options.name);
    group.spec.node_labels.insert(INSTANCE_GROUP_LABEL.to_owned(), name.to_owned());
    group.spec.subnets = vec![subnet_of(zone, cloud)];
    if cloud.regional_subnets {
        group.spec.zones = vec![zone.to_owned()];
    }
    group.spec.associate_public_ip = options.associate_public_ip;
    // If a cloud has no default type for bastions, they are like the nodes.
    let like_nodes =
        (role == Role::Bastion).then(|| sizes(options.node_size.as_deref()).into_iter().next()).flatten();
    let wanted = match role {
        Role::ControlPlane => sizes(options.control_plane_size.as_deref()),
        Role::Bastion => Vec::new(),
        _ => sizes(options.node_size.as_deref()),
    };
    group.spec.machine_type =
        wanted.first().cloned().or_else(|| cloud.machine_type(role).map(str::to_owned)).or(like_nodes);
    if wanted.len() > 1 {
        let policy = MixedInstancesPolicy { instances: wanted, ..MixedInstancesPolicy::default() };
        group.spec.mixed_instances_policy = Some(policy);
    }
    let machine_type = group.spec.machine_type.as_deref().unwrap_or_default();
    let usual = cloud.image.map(|image| image(machine_type).to_owned());
    group.spec.image = options.image.clone().or(usual);
    group
}

/// The machine types of a size as it is written: the first of several is the usual one, and the others may stand in for it.
fn sizes(written: Option<&str>) -> Vec<String> {
    written.map(|sizes| sizes.split(',').map(|size| size.trim().to_owned()).collect()).unwrap_or_default()
}

fn machine(group: &mut InstanceGroup, image: Option<&String>, volume: Option<i32>) {
    if let Some(image) = image {
        group.spec.image = Some(image.clone());
    }
    if volume.is_some() {
        group.spec.root_volume = Some(RootVolumeSpec { size: volume, ..RootVolumeSpec::default() });
    }
}

fn etcd_cluster(
    name: &str,
    groups: &[InstanceGroup],
    options: &NewCluster,
    cloud: &CloudDefaults,
) -> EtcdCluster {
    let encrypted = options.encrypt_etcd_storage.or(cloud.encrypt_volumes.then_some(true));
    let members = member_names(groups).into_iter().zip(groups).map(|(name, group)| EtcdMember {
        name,
        instance_group: Some(group.name().to_owned()),
        encrypted_volume: encrypted,
        volume_type: options.etcd_storage_type.clone(),
        ..EtcdMember::default()
    });
    let env = (name == "cilium").then(|| {
        // Only with this setting is it compacted: the API server compacts the others.
        Opaque(json!([
            { "name": "ETCD_AUTO_COMPACTION_MODE", "value": "revision" },
            { "name": "ETCD_AUTO_COMPACTION_RETENTION", "value": "2500" },
        ]))
    });
    EtcdCluster {
        name: name.to_owned(),
        members: members.collect(),
        cpu_request: Some(Opaque(json!(if name == "main" { "200m" } else { "100m" }))),
        memory_request: Some(Opaque(json!("100Mi"))),
        manager: Some(EtcdManager {
            backup_retention_days: Some(BACKUP_DAYS),
            env,
            ..EtcdManager::default()
        }),
        ..EtcdCluster::default()
    }
}

/// The names of the etcd members: the part in which their groups' names differ (`a`, `b`, `c`; `a-1`, `b-1`,
/// `a-2`).
fn member_names(groups: &[InstanceGroup]) -> Vec<String> {
    let names: Vec<&str> =
        groups.iter().map(|group| group.name().trim_start_matches("control-plane-")).collect();
    let Some(first) = names.first() else { return Vec::new() };
    // As in kOps, at least one letter of the first name remains.
    let most = first.char_indices().last().map_or(0, |(at, _)| at);
    let common = (0..=most).rev().find(|length| {
        first.is_char_boundary(*length) && names.iter().all(|name| name.starts_with(&first[..*length]))
    });
    let common = common.unwrap_or(0);
    let short = names.iter().map(|name| &name[common..]);
    // A number alone is not a name.
    short
        .map(|name| {
            if name.starts_with(|c: char| c.is_ascii_digit()) {
                format!("etcd-{name}")
            } else {
                name.to_owned()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_named_by_what_tells_them_apart() {
        let names = |zones: &[&str]| {
            let groups: Vec<_> = zones
                .iter()
                .map(|zone| {
                    InstanceGroup::named(format!("control-plane-{zone}"), Role::ControlPlane, "x.example.com")
                })
                .collect();
            member_names(&groups)
        };
        assert_eq!(names(&["us-test-1a", "us-test-1b", "us-test-1c"]), ["a", "b", "c"]);
        assert_eq!(names(&["us-test-1a-1", "us-test-1b-1", "us-test-1a-2"]), ["a-1", "b-1", "a-2"]);
        assert_eq!(names(&["us-test1-1", "us-test1-2", "us-test1-3"]), ["etcd-1", "etcd-2", "etcd-3"]);
        assert_eq!(names(&["us-test-1a"]), ["a"]);
        assert_eq!(names(&[]), [""; 0]);
    }
}
