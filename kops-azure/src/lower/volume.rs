//! Lowers a volume to a managed disk.

use kops_core::Result;
use kops_core::graph::Setting;
use kops_core::lower::{Lowered, setting};
use kops_core::resource::Volume;

use super::{Lowering, Site, group, labels, zone};
use crate::kinds::ManagedDisk;

/// kOps' SKU.
pub(super) const USUAL_SKU: &str = "StandardSSD_LRS";

impl Lowered<Site> for Volume {
    type Native = ManagedDisk;

    const MEMBER_NAMES: &'static [(&'static str, &'static str)] = &[("labels", "tags")];

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        // A disk without a zone can only be attached to machines without one.
        let zone = if spec.zone.is_empty() { None } else { Some(zone(cx, &spec.zone)?) };
        let group = group(cx);
        let disk = ManagedDisk {
            group,
            zone,
            size: spec.size_gib,
            sku: spec.volume_type.unwrap_or_else(|| USUAL_SKU.to_owned()),
            iops: setting(spec.iops),
            throughput: setting(spec.throughput_mibps),
            // Disks are always encrypted.
            encryption_set: spec.kms_key,
            provisioned: Setting::To(true),
            tags: labels(cx, &spec.labels),
        };
        cx.add(name, disk);
        Ok(())
    }
}
