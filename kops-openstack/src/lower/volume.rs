//! Lowers a volume to a volume.

use kops_core::graph::Setting;
use kops_core::lower::{Lowered, setting};
use kops_core::resource::Volume;
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site};
use crate::kinds::CinderVolume;
use crate::tags;

impl Lowered<Site> for Volume {
    type Native = CinderVolume;

    const MEMBER_NAMES: &'static [(&'static str, &'static str)] = &[("labels", "metadata")];

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        if spec.iops.is_some() || spec.throughput_mibps.is_some() || spec.encrypted || spec.kms_key.is_some()
        {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "on OpenStack the volume type determines performance and encryption of a volume",
            )
            .with_hint("use a volume type that has them, see `openstack volume type list`"));
        }
        let labels = cx.scope().extra_labels().iter().chain(&spec.labels);
        let metadata = labels.map(|(key, value)| (tags::volume_key(key), value.clone())).collect();
        let volume = CinderVolume {
            size: spec.size_gib,
            volume_type: setting(spec.volume_type),
            zone: if spec.zone.is_empty() { Setting::Unmanaged } else { Setting::To(spec.zone) },
            metadata,
        };
        cx.add(name, volume);
        Ok(())
    }
}
