//! Lowers a volume to a disk.

use kops_core::Result;
use kops_core::lower::{Lowered, setting};
use kops_core::resource::Volume;

use super::{Lowering, Site};
use crate::kinds::Disk;
use crate::labels;

/// kOps' disk type for etcd, which waits for every write.
const TYPE: &str = "pd-ssd";

impl Lowered<Site> for Volume {
    type Native = Disk;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        super::zone(cx, &spec.zone)?;
        let disk = Disk {
            zone: spec.zone,
            size: spec.size_gib,
            disk_type: spec.volume_type.unwrap_or_else(|| TYPE.to_owned()),
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
