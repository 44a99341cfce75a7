//! Lowers an instance group to a launch template, an auto scaling group, and its lifecycle hooks.

use std::collections::BTreeSet;

use kops_core::graph::{Handle, Id, Input};
use kops_core::lower::Lowered;
use kops_core::resource::{InstanceDisk, InstanceGroup};
use kops_core::{Error, Result};

use super::load_balancer::target_groups;
use super::{Lowering, Site, image, instance_type, key, native, tags_with};
use crate::extensions::{AwsInstanceGroup, MixedInstances};
use crate::kinds::{
    AutoScalingGroup, BlockDevice, Image, LaunchTemplate, LifecycleHook, MachineTag, MixedInstancesPolicy,
    SpotMarket, TargetGroup, lifecycle_hook, mixed_instances,
};
use crate::tags::{self, Tags};

impl Lowered<Site> for InstanceGroup {
    type Native = AutoScalingGroup;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let extension = spec.extensions.get::<AwsInstanceGroup>()?.unwrap_or_default();
        check(&spec, &extension)?;
        let mut tags = tags(&spec, cx)?;
        let image = image(cx, &spec.image);
        let mixed = extension.mixed.as_ref().map(|mixed| policy(mixed, &spec, &image, cx)).transpose()?;
        let mut behind: BTreeSet<Input<Id<TargetGroup>>> =
            extension.target_groups.iter().map(|arn| Input::Known(Id::new(arn))).collect();
        for arn in &extension.target_groups {
            cx.looked_up_for::<TargetGroup>(arn, &format!("the group {name} (externalLoadBalancers)"));
        }
        for balancer in &spec.load_balancers {
            behind.extend(target_groups(balancer, cx)?);
        }

        let template = template(name, &spec, &extension, &image, &tags, cx)?;
        let template = cx.add(name, template);
        if !extension.lifecycle_hooks.is_empty() {
            tags.insert(lifecycle_hook::MARK.to_owned(), "true".to_owned());
        }
        let group = AutoScalingGroup {
            min_size: spec.min,
            max_size: spec.max,
            launch_template: template.id(),
            launch_template_version: template.get(LaunchTemplate::LATEST_VERSION),
            mixed,
            subnets: spec.subnets.into_iter().map(native).collect(),
            target_groups: behind,
            metrics: AutoScalingGroup::all_metrics(),
            suspended_processes: extension.suspended_processes,
            protect_from_scale_in: extension.instance_protection,
            max_instance_lifetime: extension.max_instance_lifetime.unwrap_or_default(),
            capacity_rebalance: extension.capacity_rebalance,
            tags,
        };
        let group = cx.add(name, group);
        for (hook, moment) in extension.lifecycle_hooks {
            let hook = LifecycleHook {
                group: group.id(),
                hook,
                transition: moment.transition,
                timeout: moment.timeout,
                go_on: moment.go_on,
            };
            cx.add(&format!("{}.{name}", hook.hook), hook);
        }
        Ok(())
    }
}

/// Seconds, from a day to a year:
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-max-instance-lifetime.html>.
pub(crate) const LIFETIMES: std::ops::RangeInclusive<u32> = 86_400..=31_536_000;

/// Rejects what AWS would reject, before anything is created.
fn check(spec: &InstanceGroup, extension: &AwsInstanceGroup) -> Result<()> {
    if !spec.zones.is_empty() {
        return Err(Error::invalid("on AWS the subnets of a group determine its zones")
            .with_hint("remove the zones and list a subnet in each of them"));
    }
    if extension.max_instance_lifetime.is_some_and(|seconds| !LIFETIMES.contains(&seconds)) {
        return Err(Error::invalid(
            "the maximum lifetime of machines must be at least a day (86400 seconds) and at most a year",
        )
        .with_hint("use 86400 to 31536000 seconds, or no limit"));
    }
    // https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html
    let bounds = 30..=7200;
    if let Some((name, _)) =
        extension.lifecycle_hooks.iter().find(|(_, hook)| !bounds.contains(&hook.timeout))
    {
        return Err(Error::invalid(format!(
            "the timeout of lifecycle hook {name} must be between 30 and 7200 seconds"
        )));
    }
    Ok(())
}

fn tags(spec: &InstanceGroup, cx: &Lowering<'_>) -> Result<Tags> {
    let labels = spec.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    #[cfg_attr(not(feature = "cluster"), expect(unused_mut, reason = "only clusters add tags"))]
    let mut tags = tags_with(cx, labels);
    #[cfg(feature = "cluster")]
    for (key, value) in crate::cluster::nodes::tags(spec)? {
        // What a user has written about nodes takes precedence.
        tags.entry(key).or_insert(value);
    }
    Ok(tags)
}

fn template(
    name: &str,
    spec: &InstanceGroup,
    extension: &AwsInstanceGroup,
    image: &Handle<Image>,
    tags: &Tags,
    cx: &mut Lowering<'_>,
) -> Result<LaunchTemplate> {
    let disks = spec
        .disks
        .iter()
        .map(|(device, disk)| (format!("the disk {device} of {name} (volumes[].key)"), disk));
    let root = (format!("the root disk of {name} (rootVolume.encryptionKey)"), &spec.root_disk);
    for (named_by, disk) in disks.chain([root]) {
        if let Some(name_of_key) = &disk.kms_key {
            key(cx, name_of_key, &named_by)?;
        }
    }
    let further = spec.disks.iter().map(|(device, volume)| block_device(device.as_str().into(), volume));
    let block_devices =
        further.chain([block_device(image.get(Image::ROOT_DEVICE), &spec.root_disk)]).collect();
    // In a mixed group the policy determines what is spot.
    let spot = spec.spot.as_ref().filter(|_| extension.mixed.is_none()).map(|spot| SpotMarket {
        max_price: spot.max_price.clone(),
        interruption_behavior: extension.interruption_behavior.clone(),
    });
    Ok(LaunchTemplate {
        image: image.id(),
        instance_type: instance_type(cx, &spec.machine_type, image)?,
        key_pair: spec.ssh_key.clone().map(native),
        instance_profile: spec.identity.clone().map(native),
        security_groups: spec.firewalls.iter().cloned().map(native).collect(),
        user_data: spec.user_data.clone(),
        block_devices,
        public_ip: spec.options.public_ip,
        metadata_tokens_required: spec.options.metadata_tokens_required,
        metadata_hop_limit: spec.options.metadata_hop_limit,
        detailed_monitoring: spec.options.detailed_monitoring,
        spot,
        tenancy: extension.tenancy.clone(),
        cpu_credits: extension.cpu_credits.clone(),
        ebs_optimized: extension.ebs_optimized,
        machine_tags: tags::of_machines(cx.scope(), name, tags)
            .into_iter()
            .map(|(key, value)| MachineTag { key, value })
            .collect(),
        latest_is_default: true,
        tags: tags_with(cx, []),
    })
}

fn block_device(device: Input<String>, volume: &InstanceDisk) -> BlockDevice {
    BlockDevice {
        device,
        size: volume.size_gib,
        volume_type: volume.disk_type.clone(),
        iops: volume.iops,
        throughput: volume.throughput_mibps,
        encrypted: volume.encrypted,
        kms_key: volume.kms_key.clone(),
        delete_on_termination: !volume.keep,
    }
}

/// The complete policy of a mixed group, with AWS's defaults for what is not specified.
fn policy(
    mixed: &MixedInstances,
    spec: &InstanceGroup,
    image: &Handle<Image>,
    cx: &mut Lowering<'_>,
) -> Result<MixedInstancesPolicy> {
    match (mixed.machine_types.is_empty(), &mixed.requirements) {
        (true, None) => {
            return Err(Error::invalid("a mixed group needs machine types or their requirements")
                .with_hint("list the types or specify the requirements"));
        }
        (false, Some(_)) => {
            return Err(Error::invalid("a mixed group cannot have both machine types and requirements"));
        }
        _ => {}
    }
    let usual = if mixed.requirements.is_some() { mixed_instances::LOWEST_PRICE } else { "prioritized" };
    let spot_strategy =
        mixed.spot_strategy.clone().unwrap_or_else(|| mixed_instances::LOWEST_PRICE.to_owned());
    let counts_pools = spot_strategy == mixed_instances::LOWEST_PRICE;
    if mixed.spot_pools.is_some() && !counts_pools {
        return Err(Error::invalid(format!(
            "the number of spot pools does not apply to the strategy {spot_strategy}"
        ))
        .with_hint("remove the number of pools"));
    }
    let types = mixed.machine_types.iter().map(|it| instance_type(cx, it, image));
    Ok(MixedInstancesPolicy {
        instance_types: types.collect::<Result<_>>()?,
        requirements: mixed.requirements.clone(),
        on_demand_strategy: mixed.on_demand_strategy.clone().unwrap_or_else(|| usual.to_owned()),
        on_demand_base: mixed.on_demand_base.unwrap_or(0),
        on_demand_above_base: mixed.on_demand_above_base.unwrap_or(100),
        spot_pools: counts_pools.then(|| mixed.spot_pools.unwrap_or(2)),
        spot_strategy,
        spot_max_price: spec.spot.as_ref().and_then(|spot| spot.max_price.clone()),
    })
}
