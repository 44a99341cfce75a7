//! Instance groups.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, is_open, role_of};
use super::network::Site;
use super::{etcd, firewall, identities};
use crate::bootstrap::{BootMachine, Endpoint};
use crate::cloud::{GROUP_FIELDS, extend, refuse_unclaimed};
use crate::extensions::{MachineRole, NodeTemplate, Taint, TaintEffect};
use crate::spec::{INSTANCE_GROUP_LABEL, InstanceGroup, Manager, Path, Problems, SubnetSpec};
use kops_core::graph::{Edge, Handle, Key, Wait};
use kops_core::resource::{self, InstanceDisk, LoadBalancer, MachineOptions, SpotOptions, SshKey};

/// What the machines of all groups have in common.
pub(super) struct Common<'a> {
    pub(super) site: &'a Site,
    pub(super) ssh_key: Option<Handle<SshKey>>,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) api: Option<Handle<LoadBalancer>>,
    pub(super) bastion: Option<Handle<LoadBalancer>>,
    /// The task after which machines can resolve the cluster's names, if they cannot from the beginning.
    pub(super) names: Option<Key>,
}

pub(super) fn build(draft: &mut Draft<'_>, common: &Common<'_>) {
    for group in draft.blueprint.groups {
        match role_of(group) {
            Some(role) => add(draft, common, group, role),
            None => draft.group_error(
                group,
                Path::of("spec.role"),
                format!("machines of role {} are not supported yet", group.role()),
                "use the roles ControlPlane, Node and Bastion".to_owned(),
            ),
        }
    }
}

/// The zones of a group's machines: its own if subnets span zones, else those of its subnets.
pub(super) fn zones_of(draft: &Draft<'_>, group: &InstanceGroup) -> BTreeSet<String> {
    if !group.spec.zones.is_empty() {
        return group.spec.zones.iter().cloned().collect();
    }
    let subnets = group.spec.subnets.iter().filter_map(|name| draft.networking().subnet(name));
    subnets.filter_map(|subnet| subnet.zone.clone()).collect()
}

fn add(draft: &mut Draft<'_>, common: &Common<'_>, group: &InstanceGroup, role: MachineRole) {
    let mut problems = Problems::new();
    let blueprint = draft.blueprint;
    check(draft, group, &mut problems);
    let subnets = subnets(draft, group, &mut problems);
    if group.spec.associate_public_ip == Some(true) && !subnets.iter().copied().any(is_open) {
        problems.warn(
            Path::of("spec.associatePublicIP"),
            "machines in private subnets have no public addresses",
            "remove it, or use public subnets",
        );
    }
    let spec = &group.spec;
    let mut task = resource::InstanceGroup::new(
        subnets.iter().filter_map(|subnet| common.site.subnets.get(&subnet.name)).map(Handle::id),
        required(spec.image.as_ref(), "image", "an image of the cloud", &mut problems),
        required(spec.machine_type.as_ref(), "machineType", "a machine type", &mut problems),
    )
    .zones(if blueprint.capabilities.zonal_subnets { BTreeSet::new() } else { zones_of(draft, group) })
    .min(size(spec.min_size, "minSize", &mut problems))
    .max(size(spec.max_size, "maxSize", &mut problems))
    .firewalls(firewall::of_group(draft, group, role).iter().map(Handle::id))
    .identity(identities::of_group(draft, group, role).id())
    .ssh_key(common.ssh_key.as_ref().map(Handle::id))
    .root_disk(root_disk(group, &mut problems))
    .load_balancers(load_balancers(common, role).map(Handle::id))
    .options(options(group, subnets.first().copied()))
    .spot(spec.max_price.as_ref().map(|price| SpotOptions::new().max_price(price.clone())))
    .labels(labels(group, role));
    task.disks = disks(group, &mut problems);
    let template = NodeTemplate::new(spec.node_labels.clone(), taints(group, &mut problems));
    extend(&mut task.extensions, &template, &mut problems);
    if task.spot.is_some() && !blueprint.capabilities.spot {
        problems.error(Path::of("spec.maxPrice"), "this cloud has no spot machines", "remove it");
    }
    // Without an endpoint there is nothing to join; that has been reported already.
    if let Some(endpoint) = &common.endpoint {
        let volumes = etcd::volumes_of(draft, group);
        let machine = BootMachine::new(blueprint.boot(), group, role, endpoint).volumes(&volumes);
        task.user_data = blueprint.bootstrap.user_data(&machine, &mut draft.files, &mut problems);
    }
    blueprint.dialect.instance_group(blueprint.cluster, group, &mut task, &mut problems);
    draft.add_group_problems(group, problems);
    let task = draft.graph.add(&draft.names.group(group), task);
    if let Some(names) = &common.names {
        draft.graph.wait(task.key(), Edge::new(names.clone(), Wait::Ready));
    }
}

fn check(draft: &Draft<'_>, group: &InstanceGroup, problems: &mut Problems) {
    if let Ok(document) = serde_json::to_value(&group.spec) {
        refuse_unclaimed(&document, GROUP_FIELDS, draft.blueprint.dialect.group_fields(), problems);
    }
    if group.spec.manager == Some(Manager::Karpenter) {
        problems.error(
            Path::of("spec.manager"),
            "groups that Karpenter manages are not supported yet",
            "use manager: CloudGroup",
        );
    }
}

/// The subnets of a group, as specified.
fn subnets<'a>(draft: &Draft<'a>, group: &InstanceGroup, problems: &mut Problems) -> Vec<&'a SubnetSpec> {
    let networking = draft.networking();
    let path = Path::of("spec.subnets");
    let mut found: Vec<&SubnetSpec> = Vec::new();
    for (at, name) in group.spec.subnets.iter().enumerate() {
        if let Some(subnet) = networking.subnet(name) {
            found.push(subnet);
            continue;
        }
        let known: Vec<_> = networking.subnets.iter().map(|subnet| subnet.name.as_str()).collect();
        problems.error(
            path.index(at),
            format!("there is no subnet {name:?} in the cluster"),
            format!("use one of {}", known.join(", ")),
        );
    }
    if group.spec.subnets.is_empty() {
        problems.error(path, "it is empty", "list the subnets of the machines");
    }
    if found.iter().any(|subnet| is_open(subnet)) && !found.iter().all(|subnet| is_open(subnet)) {
        problems.error(
            Path::of("spec.subnets"),
            "private and public subnets cannot be mixed in one group",
            "create one group for each type of subnet",
        );
    }
    found
}

fn required(value: Option<&String>, field: &str, what: &str, problems: &mut Problems) -> String {
    value.filter(|value| !value.is_empty()).cloned().unwrap_or_else(|| {
        problems.error(Path::of("spec").key(field), "is required", format!("specify {what}"));
        String::new()
    })
}

fn size(value: Option<i32>, field: &str, problems: &mut Problems) -> u32 {
    // Populating gives every group its sizes.
    u32::try_from(value.unwrap_or(1)).unwrap_or_else(|_| {
        problems.error(Path::of("spec").key(field), "must not be negative", "use 0 or more");
        0
    })
}

fn positive(value: Option<i32>) -> Option<u32> {
    value.and_then(|value| u32::try_from(value).ok())
}

fn root_disk(group: &InstanceGroup, problems: &mut Problems) -> InstanceDisk {
    let spec = group.spec.root_volume.clone().unwrap_or_default();
    let size = positive(spec.size).filter(|size| *size > 0).unwrap_or_else(|| {
        let path = Path::of("spec.rootVolume.size");
        problems.error(
            path,
            "is not a valid size",
            "specify a number of GiB, or remove it to use the default",
        );
        0
    });
    let mut disk = InstanceDisk::new(size)
        .iops(positive(spec.iops))
        .throughput_mibps(positive(spec.throughput))
        .encrypted(spec.encryption.unwrap_or(false))
        .keep(spec.delete_on_termination == Some(false));
    disk.disk_type = spec.r#type;
    disk.kms_key = spec.encryption_key;
    disk
}

fn disks(group: &InstanceGroup, problems: &mut Problems) -> BTreeMap<String, InstanceDisk> {
    let mut disks = BTreeMap::new();
    for (at, spec) in group.spec.volumes.iter().enumerate() {
        let path = Path::of("spec.volumes").index(at);
        let number = |value: Option<i64>| value.and_then(|value| u32::try_from(value).ok());
        let Some(size) = number(spec.size).filter(|size| *size > 0) else {
            problems.error(path.key("size"), "is not a valid size", "specify a number of GiB");
            continue;
        };
        let mut disk = InstanceDisk::new(size)
            .iops(number(spec.iops))
            .throughput_mibps(number(spec.throughput))
            .encrypted(spec.encrypted.unwrap_or(false))
            .keep(spec.delete_on_termination == Some(false));
        disk.disk_type.clone_from(&spec.r#type);
        disk.kms_key.clone_from(&spec.key);
        if disks.insert(spec.device.clone(), disk).is_some() {
            problems.error(
                path.key("device"),
                format!("{} is listed twice", spec.device),
                "use a different device for each volume",
            );
        }
    }
    disks
}

fn load_balancers<'a>(
    common: &'a Common<'_>,
    role: MachineRole,
) -> impl Iterator<Item = &'a Handle<LoadBalancer>> {
    match role {
        MachineRole::ControlPlane => common.api.iter(),
        MachineRole::Bastion => common.bastion.iter(),
        MachineRole::Node => None.iter(),
    }
}

fn options(group: &InstanceGroup, subnet: Option<&SubnetSpec>) -> MachineOptions {
    let spec = &group.spec;
    let metadata = spec.instance_metadata.clone().unwrap_or_default();
    let public = subnet.is_some_and(is_open) && spec.associate_public_ip.unwrap_or(true);
    MachineOptions::new()
        .public_ip(public)
        .metadata_tokens_required(metadata.http_tokens.as_deref() == Some("required"))
        .metadata_hop_limit(metadata.http_put_response_hop_limit.and_then(|hops| u32::try_from(hops).ok()))
        .detailed_monitoring(spec.detailed_instance_monitoring.unwrap_or(false))
}

/// The group's own labels, and those that kOps' tools identify machines by.
fn labels(group: &InstanceGroup, role: MachineRole) -> BTreeMap<String, String> {
    let mut labels = group.spec.cloud_labels.clone();
    labels.insert(INSTANCE_GROUP_LABEL.to_owned(), group.name().to_owned());
    let roles: &[&str] = match role {
        MachineRole::ControlPlane => &["control-plane", "master"],
        MachineRole::Node => &["node"],
        MachineRole::Bastion => &["bastion"],
    };
    labels.extend(roles.iter().map(|role| (format!("k8s.io/role/{role}"), "1".to_owned())));
    labels
}

fn taints(group: &InstanceGroup, problems: &mut Problems) -> BTreeSet<Taint> {
    let mut taints = BTreeSet::new();
    for (at, text) in group.spec.taints.iter().enumerate() {
        match taint(text) {
            Some(taint) => drop(taints.insert(taint)),
            None => problems.error(
                Path::of("spec.taints").index(at),
                format!("{text:?} is not a taint"),
                "use key=value:NoSchedule, :PreferNoSchedule or :NoExecute",
            ),
        }
    }
    taints
}

/// Parses `key=value:Effect` or `key:Effect`.
fn taint(text: &str) -> Option<Taint> {
    let (rest, effect) = text.rsplit_once(':')?;
    let effect = match effect {
        "NoSchedule" => TaintEffect::NoSchedule,
        "PreferNoSchedule" => TaintEffect::PreferNoSchedule,
        "NoExecute" => TaintEffect::NoExecute,
        _ => return None,
    };
    let (key, value) = rest.split_once('=').unwrap_or((rest, ""));
    (!key.is_empty()).then(|| Taint { key: key.to_owned(), value: value.to_owned(), effect })
}
