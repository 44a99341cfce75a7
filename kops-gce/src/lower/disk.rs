//! What disks of each type are able to do.
//!
//! <https://cloud.google.com/compute/docs/disks#disk-types>

use kops_core::{Error, Result};

/// kOps' type for machines' own disks, and for etcd, which waits for every write.
const USUAL: &str = "pd-balanced";
const FAST: &str = "pd-ssd";
/// The type for families of machines that Persistent Disk cannot be attached to.
const HYPERDISK: &str = "hyperdisk-balanced";

/// Families without support for Persistent Disk: <https://cloud.google.com/compute/docs/disks/persistent-disks#machine-series-support>.
const WITHOUT_PERSISTENT_DISK: &[&str] =
    &["n4", "n4a", "n4d", "c4", "c4a", "c4d", "m4", "x4", "h4d", "a4", "a4x", "g4"];

/// The type of a machine's own disk, unless one is specified.
pub(super) fn usual_type(machine_type: &str) -> &'static str {
    if takes(machine_type, USUAL) { USUAL } else { HYPERDISK }
}

/// Whether disks of a type can be attached to machines of a type.
pub(crate) fn takes(machine_type: &str, disk_type: &str) -> bool {
    let family = machine_type.split('-').next().unwrap_or(machine_type);
    !(disk_type.starts_with("pd-") && WITHOUT_PERSISTENT_DISK.contains(&family))
}

/// The type of a disk of etcd's, unless one is specified.
pub(crate) fn fast_type() -> &'static str {
    FAST
}

/// Rejects provisioned performance that a type does not have.
pub(super) fn require_performance(disk_type: &str, iops: Option<u32>, throughput: Option<u32>) -> Result<()> {
    let hyperdisk = disk_type.starts_with("hyperdisk-");
    let wrong = |what: &str| {
        Err(Error::invalid(format!("{what} cannot be set for disks of type {disk_type}"))
            .with_hint("remove it, or use the type hyperdisk-balanced"))
    };
    if iops.is_some() && !hyperdisk && disk_type != "pd-extreme" {
        return wrong("the number of I/O operations per second");
    }
    if throughput.is_some() && !hyperdisk {
        return wrong("the throughput");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_have_the_disks_that_can_be_attached_to_them() {
        assert_eq!(usual_type("n2-standard-4"), "pd-balanced");
        assert_eq!(usual_type("c4-standard-4"), "hyperdisk-balanced");
        assert_eq!(usual_type("c4a-highmem-8"), "hyperdisk-balanced");
    }

    #[test]
    fn performance_is_for_types_that_have_it() {
        assert!(require_performance("pd-ssd", None, None).is_ok());
        assert!(require_performance("hyperdisk-balanced", Some(3000), Some(140)).is_ok());
        assert!(require_performance("pd-extreme", Some(20_000), None).is_ok());
        for (kind, iops, throughput) in [("pd-ssd", Some(3000), None), ("pd-extreme", None, Some(140))] {
            assert!(require_performance(kind, iops, throughput).unwrap_err().to_string().contains(kind));
        }
    }
}
