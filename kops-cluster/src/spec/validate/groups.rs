//! Validation of instance groups.

use std::collections::BTreeSet;

use super::parts::{VolumeSettings, cloud_labels, rolling_update, volume, warm_pool};
use super::text::{not_dns_label, not_label_key, not_label_value};
use crate::spec::defaults::CloudDefaults;
use crate::spec::path::Path;
use crate::spec::problem::Problems;
use crate::spec::types::{Cluster, InstanceGroup, InstanceGroupSpec, Manager, Role, SubnetType};

/// Names that have a meaning of their own below the cluster's name or on the command line.
const RESERVED: &[&str] = &["all", "api", "internal"];

pub(super) fn check(
    group: &InstanceGroup,
    cluster: &Cluster,
    cloud: &CloudDefaults,
    problems: &mut Problems,
) {
    let (spec, at) = (&group.spec, Path::of("spec"));
    name(group, cluster, problems);
    role(group, cluster, &at, problems);
    sizes(group, &at, problems);
    places(group, cluster, &at, cloud, problems);
    machine(spec, &at, problems);
    disks(spec, &at, cloud, problems);
    labels(group, &at, cloud, problems);
    taints(spec, &at, problems);
    purchase(spec, &at, problems);
    if let Some(update) = &spec.rolling_update {
        rolling_update(update, &at.key("rollingUpdate"), problems);
    }
    if let Some(pool) = &spec.warm_pool {
        warm_pool(pool, &at.key("warmPool"), problems);
    }
}

fn name(group: &InstanceGroup, cluster: &Cluster, problems: &mut Problems) {
    let (name, at) = (group.name(), Path::of("metadata.name"));
    if let Some(why) = not_dns_label(name) {
        problems.error(at, format!("{name:?} is not a name: {why}"), "use a name such as nodes-us-east-1a");
    } else if RESERVED.contains(&name) {
        problems.error(at, format!("{name} is reserved"), "use another name");
    }
    if let Some(named) = group.metadata.cluster()
        && named != cluster.name()
    {
        problems.error(
            Path::of("metadata.labels").key(crate::spec::CLUSTER_LABEL),
            format!("the group belongs to cluster {named}, not to {}", cluster.name()),
            "correct the label, or pass the group together with its own cluster",
        );
    }
}

fn role(group: &InstanceGroup, cluster: &Cluster, at: &Path, problems: &mut Problems) {
    let here = at.key("role");
    match group.role() {
        Role::ControlPlane | Role::Node => {}
        Role::Bastion => {
            let private = |r#type| matches!(r#type, Some(SubnetType::Private | SubnetType::DualStack));
            if !cluster.spec.networking.subnets.iter().any(|subnet| private(subnet.r#type)) {
                problems.error(
                    here,
                    "a bastion is for private machines, but there are none",
                    "use private subnets, or remove the group",
                );
            }
        }
        other => {
            problems.error(here, format!("role {other} is not supported"), "use Master, Node or Bastion");
        }
    }
    if group.spec.manager == Some(Manager::Karpenter) {
        problems.error(at.key("manager"), "Karpenter is not supported", "use CloudGroup");
    }
}

fn sizes(group: &InstanceGroup, at: &Path, problems: &mut Problems) {
    let (min, max) = (group.spec.min_size.unwrap_or_default(), group.spec.max_size.unwrap_or_default());
    for (name, size) in [("minSize", min), ("maxSize", max)] {
        if size < 0 {
            problems.error(at.key(name), format!("{size} must not be negative"), "use 0 or more");
        } else if group.is_control_plane() && size != 1 {
            problems.error(
                at.key(name),
                format!("a control-plane group must have exactly one machine, not {size}"),
                "set minSize and maxSize to 1; for more machines add a group and an etcd member for each",
            );
        }
    }
    if min > max {
        problems.error(
            at.key("minSize"),
            format!("{min} is greater than maxSize {max}"),
            "use at most maxSize",
        );
    }
}

fn places(
    group: &InstanceGroup,
    cluster: &Cluster,
    at: &Path,
    cloud: &CloudDefaults,
    problems: &mut Problems,
) {
    let networking = &cluster.spec.networking;
    let all = || networking.subnets.iter().map(|subnet| subnet.name.as_str()).collect::<Vec<_>>().join(", ");
    let here = at.key("subnets");
    if group.spec.subnets.is_empty() {
        problems.error(here.clone(), "the group has no subnets", format!("use one or more of {}", all()));
    }
    let mut zones = BTreeSet::new();
    for (number, name) in group.spec.subnets.iter().enumerate() {
        if group.spec.subnets[..number].contains(name) {
            problems.error(
                here.index(number),
                format!("subnet {name} is listed twice"),
                "list each only once",
            );
        }
        match networking.subnet(name) {
            None => problems.error(
                here.index(number),
                format!("cluster {} has no subnet {name:?}", cluster.name()),
                format!("use one of {}", all()),
            ),
            Some(subnet) => zones.extend(subnet.zone.as_deref()),
        }
    }
    if cloud.regional_subnets {
        zones = group.spec.zones.iter().map(String::as_str).collect();
        if zones.is_empty() && !group.is_bastion() {
            problems.error(
                at.key("zones"),
                format!("subnets of {} are regional, so the group needs a zone", cloud.name),
                format!("list its zones, such as {}", cloud.zone_example),
            );
        }
    } else if let Some(zone) = group.spec.zones.iter().find(|zone| !zones.contains(zone.as_str())) {
        problems.error(
            at.key("zones"),
            format!("none of its subnets is in {zone}"),
            "remove it: the subnets determine the zones",
        );
    }
    // Its etcd volumes are in one zone, and so must be the machine that attaches them.
    if group.is_control_plane() && zones.len() > 1 {
        let zones = zones.into_iter().collect::<Vec<_>>().join(", ");
        problems.error(
            here,
            format!("a control-plane group must be in one zone, not in {zones}"),
            "use subnets of one zone; for more zones add a group for each",
        );
    }
}

fn machine(spec: &InstanceGroupSpec, at: &Path, problems: &mut Problems) {
    let required = [
        ("image", &spec.image, "specify the image of its machines"),
        ("machineType", &spec.machine_type, "specify the type of its machines"),
    ];
    for (name, value, fix) in required {
        if value.as_deref().unwrap_or_default().trim().is_empty() {
            problems.error(at.key(name), "is required", fix);
        }
    }
    let words: [(&str, Option<&str>, &[&str]); 4] = [
        ("tenancy", spec.tenancy.as_deref(), &["default", "dedicated", "host"]),
        ("cpuCredits", spec.cpu_credits.as_deref(), &["standard", "unlimited"]),
        (
            "instanceInterruptionBehavior",
            spec.instance_interruption_behavior.as_deref(),
            &["hibernate", "stop", "terminate"],
        ),
        ("gcpProvisioningModel", spec.gcp_provisioning_model.as_deref(), &["STANDARD", "SPOT"]),
    ];
    for (name, value, known) in words {
        word(value, known, &at.key(name), problems);
    }
    if let Some(metadata) = &spec.instance_metadata {
        let here = at.key("instanceMetadata");
        word(metadata.http_tokens.as_deref(), &["required", "optional"], &here.key("httpTokens"), problems);
        if metadata.http_put_response_hop_limit.is_some_and(|hops| !(1..=64).contains(&hops)) {
            problems.error(
                here.key("httpPutResponseHopLimit"),
                "must be between 1 and 64",
                "use 1, or 2 for containers",
            );
        }
    }
    if let Some(profile) = spec.iam.as_ref().and_then(|iam| iam.profile.as_deref())
        && !profile.starts_with("arn:")
    {
        problems.error(
            at.key("iam").key("profile"),
            format!("{profile:?} is not an ARN"),
            "specify the ARN of the instance profile",
        );
    }
    for (number, balancer) in spec.external_load_balancers.iter().enumerate() {
        if balancer.load_balancer_name.is_some() == balancer.target_group_arn.is_some() {
            problems.error(
                at.key("externalLoadBalancers").index(number),
                "must refer to either a classic load balancer or a target group",
                "set one of loadBalancerName and targetGroupArn",
            );
        }
    }
    for (number, part) in spec.additional_user_data.iter().enumerate() {
        if part.name.is_empty() || part.r#type.is_empty() {
            problems.error(
                at.key("additionalUserData").index(number),
                "name and type are required",
                "use a name such as init.sh and a type such as text/x-shellscript",
            );
        }
    }
}

fn word(value: Option<&str>, known: &[&str], at: &Path, problems: &mut Problems) {
    if let Some(value) = value
        && !known.contains(&value)
    {
        problems.error(
            at.clone(),
            format!("{value:?} is not supported"),
            format!("use one of {}", known.join(", ")),
        );
    }
}

fn disks(spec: &InstanceGroupSpec, at: &Path, cloud: &CloudDefaults, problems: &mut Problems) {
    if let Some(root) = &spec.root_volume {
        let settings = VolumeSettings {
            r#type: root.r#type.as_deref(),
            size: root.size.map(i64::from),
            iops: root.iops.map(i64::from),
            throughput: root.throughput.map(i64::from),
            names: ["type", "size", "iops", "throughput"],
        };
        volume(&settings, &at.key("rootVolume"), cloud, problems);
    }
    for (number, disk) in spec.volumes.iter().enumerate() {
        let here = at.key("volumes").index(number);
        if disk.device.is_empty() {
            problems.error(here.key("device"), "the volume has no device", "specify it, such as /dev/xvdd");
        } else if spec.volumes[..number].iter().any(|other| other.device == disk.device) {
            problems.error(
                here.key("device"),
                format!("{} is listed twice", disk.device),
                "use a different device for each",
            );
        }
        if disk.size.is_none() {
            problems.error(here.key("size"), "the volume has no size", "specify its size in GiB");
        }
        let settings = VolumeSettings {
            r#type: disk.r#type.as_deref(),
            size: disk.size,
            iops: disk.iops,
            throughput: disk.throughput,
            names: ["type", "size", "iops", "throughput"],
        };
        volume(&settings, &here, cloud, problems);
    }
    for (number, mount) in spec.volume_mounts.iter().enumerate() {
        let here = at.key("volumeMounts").index(number);
        if mount.device.is_empty() {
            problems.error(here.key("device"), "is required", "specify the device to mount");
        }
        if !mount.path.starts_with('/') {
            problems.error(
                here.key("path"),
                format!("{:?} is not a path", mount.path),
                "use a path such as /var/lib/data",
            );
        }
        word(mount.filesystem.as_deref(), &["btrfs", "ext4", "xfs"], &here.key("filesystem"), problems);
    }
}

fn labels(group: &InstanceGroup, at: &Path, cloud: &CloudDefaults, problems: &mut Problems) {
    let spec = &group.spec;
    cloud_labels(&spec.cloud_labels, Some(group.name()), &at.key("cloudLabels"), cloud, problems);
    for (key, value) in &spec.node_labels {
        let here = at.key("nodeLabels").key(key);
        if let Some(why) = not_label_key(key) {
            problems.error(
                here.clone(),
                format!("{key:?} is not a valid label key: {why}"),
                "use a key such as example.com/pool",
            );
        }
        if let Some(why) = not_label_value(value) {
            problems.error(
                here,
                format!("{value:?} is not a valid label value: {why}"),
                "use a value such as web",
            );
        }
    }
}

fn taints(spec: &InstanceGroupSpec, at: &Path, problems: &mut Problems) {
    const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];
    let mut seen = BTreeSet::new();
    for (number, taint) in spec.taints.iter().enumerate() {
        let here = at.key("taints").index(number);
        let fix = "use key=value:Effect, such as dedicated=web:NoSchedule";
        let Some((label, effect)) = taint.rsplit_once(':') else {
            problems.error(here, format!("{taint:?} has no effect"), fix);
            continue;
        };
        let (key, value) = label.split_once('=').unwrap_or((label, ""));
        if !EFFECTS.contains(&effect) {
            problems.error(
                here.clone(),
                format!("{effect:?} is not an effect"),
                format!("use {}", EFFECTS.join(", ")),
            );
        }
        if let Some(why) = not_label_key(key).or_else(|| not_label_value(value)) {
            problems.error(here.clone(), format!("{taint:?} is not a taint: {why}"), fix);
        }
        if !seen.insert((key, effect)) {
            problems.error(here, format!("{key} has effect {effect} twice"), "remove one of them");
        }
    }
}

/// Purchase options of machines.
fn purchase(spec: &InstanceGroupSpec, at: &Path, problems: &mut Problems) {
    if let Some(price) = &spec.max_price
        && !price.parse::<f64>().is_ok_and(|price| price > 0.0)
    {
        problems.error(
            at.key("maxPrice"),
            format!("{price:?} is not a price"),
            "specify US dollars per hour, such as \"0.05\"",
        );
    }
    let Some(policy) = &spec.mixed_instances_policy else { return };
    let at = at.key("mixedInstancesPolicy");
    if !policy.instances.is_empty() && policy.instance_requirements.is_some() {
        problems.error(
            at.key("instanceRequirements"),
            "instances and instanceRequirements are mutually exclusive",
            "remove one of them",
        );
    }
    if policy.on_demand_above_base.is_some_and(|share| !(0..=100).contains(&share)) {
        problems.error(at.key("onDemandAboveBase"), "must be a percentage", "use 0 to 100");
    }
    if policy.on_demand_base.is_some_and(|count| count < 0) {
        problems.error(at.key("onDemandBase"), "must not be negative", "use 0 or more");
    }
    let strategies = [
        "lowest-price",
        "diversified",
        "capacity-optimized",
        "capacity-optimized-prioritized",
        "price-capacity-optimized",
    ];
    word(
        policy.spot_allocation_strategy.as_deref(),
        &strategies,
        &at.key("spotAllocationStrategy"),
        problems,
    );
    word(
        policy.on_demand_allocation_strategy.as_deref(),
        &["prioritized", "lowest-price"],
        &at.key("onDemandAllocationStrategy"),
        problems,
    );
    if policy.spot_instance_pools.is_some()
        && policy.spot_allocation_strategy.as_deref().is_some_and(|s| s != "lowest-price")
    {
        problems.error(
            at.key("spotInstancePools"),
            "it applies to the strategy lowest-price only",
            "remove it, or use that strategy",
        );
    }
}
