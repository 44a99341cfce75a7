//! Lowers an instance group to a scale set.

use std::collections::BTreeMap;

use kops_core::graph::{Expectation, Handle, Id, Input, Setting};
use kops_core::lower::{Lowered, require_short};
use kops_core::resource::{Firewall, Identity, InstanceDisk, InstanceGroup, SshKey};
use kops_core::{Error, ErrorKind, Result};

use super::volume::{USUAL_SKU, WITH_PERFORMANCE};
use super::{Lowering, Site, group, identity, labels, native, ready, rules, zone};
use crate::extensions::AzureInstanceGroup;
use crate::kinds::MOST_CUSTOM_DATA;
use crate::kinds::{
    Image, NetworkSecurityGroup, RoleAssignment, ScaleSetDisk, SpotTerms, SshPublicKey,
    VirtualMachineScaleSet, VmSize, offer_of,
};
use crate::tags;

impl Lowered<Site> for InstanceGroup {
    type Native = VirtualMachineScaleSet;

    const MEMBER_NAMES: &'static [(&'static str, &'static str)] = &[("labels", "tags")];

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        check(&spec)?;
        require_short(spec.user_data.as_ref(), MOST_CUSTOM_DATA)?;
        let extension = spec.extensions.get::<AzureInstanceGroup>()?.unwrap_or_default();
        let mut subnets = spec.subnets.iter().cloned();
        let (Some(subnet), None) = (subnets.next(), subnets.next()) else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the machines of a scale set must be in one subnet",
            )
            .with_hint("specify one: subnets span the zones on Azure"));
        };
        let ssh_key = public_key(spec.ssh_key.as_ref(), cx)?;
        let zones = spec.zones.iter().map(|name| zone(cx, name)).collect::<Result<_>>()?;
        let user = extension.admin_user.unwrap_or_else(|| cx.provider().admin_user.clone());
        let tags = tags(&spec, cx)?;
        let os_disk = disk(&spec.root_disk)?;
        if WITH_PERFORMANCE.contains(&os_disk.sku.as_str()) {
            // <https://learn.microsoft.com/en-us/azure/virtual-machines/disks-types#premium-ssd-v2-limitations>
            return Err(Error::invalid(format!("a disk of SKU {} cannot be a system disk", os_disk.sku))
                .with_hint("use Premium_LRS or StandardSSD_LRS for rootVolume"));
        }
        let security_group = security_group(&spec, cx)?;
        let (machine_type, image) =
            (cx.looked_up::<VmSize>(&spec.machine_type), cx.looked_up::<Image>(&spec.image));
        let architecture = machine_type.get(VmSize::ARCHITECTURE);
        let expected =
            Expectation::is("architecture", &architecture, format!("that of {}", spec.machine_type))?;
        cx.expect(&image, expected.hint("use an image and a machine type of the same architecture"));
        let set = VirtualMachineScaleSet {
            group: group(cx),
            machine_type: machine_type.id(),
            min_size: spec.min,
            max_size: spec.max,
            zones,
            image: image.id(),
            image_offer: offer_of(&spec.image),
            os_disk_size: os_disk.size,
            os_disk_sku: os_disk.sku,
            data_disks: data_disks(&spec.disks)?,
            subnet: native(subnet),
            security_groups: spec.firewalls.into_iter().map(native).collect(),
            security_group,
            public_ip: spec.options.public_ip.unwrap_or(false),
            load_balancers: spec.load_balancers.into_iter().map(native).collect(),
            identities: spec.identity.clone().map(native).into_iter().collect(),
            admin_user: user,
            ssh_key,
            custom_data: spec.user_data,
            spot: spec.spot.map(|spot| SpotTerms { max_price: spot.max_price }),
            provisioned: Setting::To(true),
            tags,
        };
        let set = cx.add(name, set);
        // The first steps of a machine fail if it does not have the permissions yet.
        for (name, identity) in cx.specs::<Identity>()? {
            if spec.identity.as_ref().is_some_and(|id| Lowering::is_for::<Identity>(id, name)) {
                for assignment in identity::assignments(name, &identity)? {
                    cx.after(&set, &Handle::<RoleAssignment>::named(&assignment));
                }
            }
        }
        Ok(())
    }
}

/// The security group with the rules of the machines' firewalls: a subnet that is somebody else's may have none, and
/// public addresses are closed until one lets traffic in.
fn security_group(
    spec: &InstanceGroup,
    cx: &mut Lowering<'_>,
) -> Result<Option<Input<Id<NetworkSecurityGroup>>>> {
    let walls = cx.specs::<Firewall>()?;
    let is_of = |(name, _): &&(&str, Firewall)| spec.firewalls.iter().any(|id| Lowering::is_for(id, name));
    let Some((_, wall)) = walls.iter().find(is_of) else { return Ok(None) };
    Ok(rules::security_group(&wall.network, cx)?.map(|group| group.ready().id()))
}

/// The text of a key: machines are created with it, and do not refer to the key itself.
fn public_key(key: Option<&Input<Id<SshKey>>>, cx: &Lowering<'_>) -> Result<Input<String>> {
    let Some(key) = key else {
        return Err(Error::new(ErrorKind::Unsupported, "on Azure a Linux machine needs an SSH key")
            .with_hint("set the SSH key of the group"));
    };
    let own = cx.specs::<SshKey>()?.into_iter().find(|(name, _)| Lowering::is_for::<SshKey>(key, name));
    match (own, ready(kops_core::lower::native::<Site, _>(key.clone()))) {
        (Some((_, own)), _) => Ok(Input::Known(own.public_key.trim().to_owned())),
        (None, Input::Output(shared)) => Ok(Input::Output(shared.output(SshPublicKey::PUBLIC_KEY.name()))),
        (None, _) => Err(Error::new(ErrorKind::Unsupported, "the SSH key has to be a task of the graph")
            .with_hint("add the key with GraphBuilder::share")),
    }
}

fn check(spec: &InstanceGroup) -> Result<()> {
    if spec.min > spec.max {
        return Err(Error::invalid(format!(
            "the minimum size {} of the group is greater than its maximum size {}",
            spec.min, spec.max
        )));
    }
    let unsupported = |what: &str, hint: &str| Err(Error::new(ErrorKind::Unsupported, what).with_hint(hint));
    if spec.options.detailed_monitoring {
        return unsupported("Azure has no detailed monitoring", "remove detailedInstanceMonitoring");
    }
    // Azure's metadata service has no tokens; instead it requires a header that proxies do not forward.
    if spec.options.metadata_hop_limit.is_some() {
        return unsupported("Azure's metadata service has no hop limit", "remove httpPutResponseHopLimit");
    }
    Ok(())
}

fn disk(volume: &InstanceDisk) -> Result<ScaleSetDisk> {
    let unsupported = |what: &str, hint: &str| Err(Error::new(ErrorKind::Unsupported, what).with_hint(hint));
    if volume.keep {
        return unsupported(
            "disks of scale sets are always deleted with their machines",
            "remove deleteOnTermination",
        );
    }
    if volume.kms_key.is_some() {
        return unsupported(
            "disks of scale sets are always encrypted with Azure's own key",
            "remove encryptionKey",
        );
    }
    if volume.iops.is_some() || volume.throughput_mibps.is_some() {
        return unsupported(
            "size and SKU determine the performance of a scale set's disks",
            "remove iops and throughput",
        );
    }
    let sku = volume.disk_type.clone().unwrap_or_else(|| USUAL_SKU.to_owned());
    Ok(ScaleSetDisk { size: volume.size_gib, sku })
}

/// Data disks by LUN, in the order of their device names: Azure has no device names.
fn data_disks(volumes: &BTreeMap<String, InstanceDisk>) -> Result<BTreeMap<u8, ScaleSetDisk>> {
    (0_u8..).zip(volumes.values()).map(|(number, volume)| Ok((number, disk(volume)?))).collect()
}

fn tags(spec: &InstanceGroup, cx: &Lowering<'_>) -> Result<tags::Tags> {
    #[cfg_attr(not(feature = "cluster"), expect(unused_mut, reason = "only clusters add tags"))]
    let mut tags = labels(cx, &spec.labels);
    #[cfg(feature = "cluster")]
    for (key, value) in crate::cluster::nodes::tags(spec)? {
        // What a user has written about nodes takes precedence.
        tags.entry(key).or_insert(value);
    }
    Ok(tags)
}
