//! Lowers a volume to a disk.

use kops_core::Result;
use kops_core::lower::{Lowered, setting};
use kops_core::resource::Volume;

use super::disk::{fast_type, require_performance};
use super::{Lowering, Site};
use crate::kinds::Disk;
use crate::labels;

impl Lowered<Site> for Volume {
    type Native = Disk;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        super::zone(cx, &spec.zone)?;
        let disk_type = spec.volume_type.unwrap_or_else(|| fast_type().to_owned());
        require_performance(&disk_type, spec.iops, spec.throughput_mibps)?;
        let disk = Disk {
            zone: spec.zone,
            size: spec.size_gib,
            disk_type,
            iops: setting(spec.iops),
            throughput: setting(spec.throughput_mibps),
            // Every disk is encrypted; only the key can be chosen.
            kms_key: setting(spec.kms_key),
            labels: labels::of(cx.scope(), &spec.labels),
        };
        cx.add(name, disk);
        Ok(())
    }
}
