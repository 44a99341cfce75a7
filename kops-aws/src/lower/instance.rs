//! Lowers a single machine to an instance.

use std::collections::BTreeSet;

use kops_core::Result;
use kops_core::graph::{Handle, Setting};
use kops_core::lower::{Lowered, setting};
use kops_core::resource::{Egress, Instance, Subnet};

use super::load_balancer::target_groups;
use super::{Lowering, Site, image, instance_type, key, native, tags_with};
use crate::kinds::{Ec2Instance, Ec2InternetGateway, Image, RootDisk};

impl Lowered<Site> for Instance {
    type Native = Ec2Instance;

    const MEMBER_NAMES: &'static [(&'static str, &'static str)] =
        &[("labels", "tags"), ("load_balancers", "target_groups")];

    const OUTPUT_NAMES: &'static [(&'static str, &'static str)] = &[
        (Self::PRIVATE_IP.name(), Ec2Instance::PRIVATE_IP.name()),
        (Self::PUBLIC_IP.name(), Ec2Instance::PUBLIC_IP.name()),
    ];

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let image = image(cx, &spec.image);
        let labels = spec.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let volume = spec.root_disk;
        if let Some(name_of_key) = &volume.kms_key {
            key(cx, name_of_key, &format!("the root disk of {name}"))?;
        }
        let root_disk = RootDisk {
            size: volume.size_gib,
            volume_type: setting(volume.disk_type),
            iops: setting(volume.iops),
            throughput: setting(volume.throughput_mibps),
            // An account may encrypt all disks by default.
            encrypted: if volume.encrypted { Setting::To(true) } else { Setting::Unmanaged },
            kms_key: setting(volume.kms_key),
            keep: volume.keep,
        };
        let mut behind = BTreeSet::new();
        for balancer in &spec.load_balancers {
            behind.extend(target_groups(balancer, cx)?);
        }
        let subnet = spec.subnet.clone();
        // A fixed address takes the place of the one that AWS would assign.
        let public_ip = spec.options.public_ip.filter(|_| spec.address.is_none());
        let has_address = spec.address.is_some();
        let instance = Ec2Instance {
            subnet: native(spec.subnet),
            image: image.id(),
            instance_type: instance_type(cx, &spec.machine_type, &image)?,
            security_groups: spec.firewalls.into_iter().map(native).collect(),
            instance_profile: spec.identity.map(native),
            key_pair: spec.ssh_key.map(native),
            user_data: spec.user_data,
            root_device: image.get(Image::ROOT_DEVICE),
            root_disk,
            public_ip: setting(public_ip),
            address: spec.address.map(native),
            target_groups: behind,
            metadata_tokens_required: spec.options.metadata_tokens_required,
            metadata_hop_limit: setting(spec.options.metadata_hop_limit),
            detailed_monitoring: spec.options.detailed_monitoring,
            tags: tags_with(cx, labels),
        };
        let instance = cx.add(name, instance);
        if has_address {
            // AWS rejects associating an address in a VPC without internet gateway (`Gateway.NotAttached`).
            for (name, spec) in cx.specs::<Subnet>()? {
                if let Egress::Internet(door) = &spec.egress
                    && Lowering::is_for(&subnet, name)
                    && let kops_core::graph::Input::Output(door) = door
                {
                    cx.after(&instance, &Handle::<Ec2InternetGateway>::named(door.task.name()));
                }
            }
        }
        Ok(())
    }
}
