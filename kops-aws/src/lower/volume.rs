//! Lowers a volume to an EBS volume.

use kops_core::Result;
use kops_core::graph::Setting;
use kops_core::lower::{Lowered, setting};
use kops_core::resource::Volume;

use super::{Lowering, Site, key, tags_with, zone};
use crate::kinds::EbsVolume;

/// The type that suits nearly everything: cheaper and faster than its predecessor.
const USUAL_TYPE: &str = "gp3";

impl Lowered<Site> for Volume {
    type Native = EbsVolume;

    const MEMBER_NAMES: &'static [(&'static str, &'static str)] = &[("labels", "tags")];

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let labels = spec.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        if let Some(name_of_key) = &spec.kms_key {
            key(cx, name_of_key, &format!("the volume {name} (kmsKeyId)"))?;
        }
        let volume = EbsVolume {
            zone: spec.zone,
            size: spec.size_gib,
            volume_type: spec.volume_type.unwrap_or_else(|| USUAL_TYPE.to_owned()),
            iops: setting(spec.iops),
            throughput: setting(spec.throughput_mibps),
            encrypted: spec.encrypted,
            kms_key: spec.kms_key.map_or(Setting::Unmanaged, Setting::To),
            tags: tags_with(cx, labels),
        };
        // A misspelt zone is found before anything is created.
        zone(cx, &volume.zone);
        cx.add(name, volume);
        Ok(())
    }
}
