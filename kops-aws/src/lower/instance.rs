//! Lowers a single machine to an instance.

use kops_core::Result;
use kops_core::graph::Setting;
use kops_core::lower::{Lowered, setting};
use kops_core::resource::Instance;

use super::{Lowering, Site, image, instance_type, native, tags_with};
use crate::kinds::{Ec2Instance, Image, RootDisk};

impl Lowered<Site> for Instance {
    type Native = Ec2Instance;

    const MEMBER_NAMES: &'static [(&'static str, &'static str)] = &[("labels", "tags")];

    const OUTPUT_NAMES: &'static [(&'static str, &'static str)] =
        &[(Self::PRIVATE_IP.name(), Ec2Instance::PRIVATE_IP.name())];

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let image = image(cx, &spec.image);
        let labels = spec.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let volume = spec.root_disk;
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
            public_ip: setting(spec.options.public_ip),
            metadata_tokens_required: spec.options.metadata_tokens_required,
            metadata_hop_limit: setting(spec.options.metadata_hop_limit),
            detailed_monitoring: spec.options.detailed_monitoring,
            tags: tags_with(cx, labels),
        };
        cx.add(name, instance);
        Ok(())
    }
}
