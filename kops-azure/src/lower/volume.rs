//! Lowers a volume to a managed disk.

use kops_core::graph::Setting;
use kops_core::lower::{Lowered, setting};
use kops_core::resource::Volume;
use kops_core::{Error, Result};

use super::{Lowering, Site, group, labels, zone};
use crate::kinds::ManagedDisk;

/// kOps' SKU.
pub(super) const USUAL_SKU: &str = "StandardSSD_LRS";

/// SKUs whose performance can be set: <https://learn.microsoft.com/en-us/azure/virtual-machines/disks-types>.
pub(super) const WITH_PERFORMANCE: &[&str] = &["PremiumV2_LRS", "UltraSSD_LRS"];

impl Lowered<Site> for Volume {
    type Native = ManagedDisk;

    const MEMBER_NAMES: &'static [(&'static str, &'static str)] = &[("labels", "tags")];

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        // A disk without a zone can only be attached to machines without one.
        let zone = if spec.zone.is_empty() { None } else { Some(zone(cx, &spec.zone)?) };
        let sku = spec.volume_type.unwrap_or_else(|| USUAL_SKU.to_owned());
        if (spec.iops.is_some() || spec.throughput_mibps.is_some())
            && !WITH_PERFORMANCE.contains(&sku.as_str())
        {
            return Err(Error::invalid(format!(
                "size and SKU determine the performance of a disk of SKU {sku}"
            ))
            .with_hint("remove iops and throughput, or use the type PremiumV2_LRS"));
        }
        let group = group(cx);
        let disk = ManagedDisk {
            group,
            zone,
            size: spec.size_gib,
            sku,
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
