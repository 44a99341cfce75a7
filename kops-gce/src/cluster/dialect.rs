//! The Google Cloud-specific settings of a cluster's specification.

use kops_cluster::cloud::{Dialect, extend};
use kops_cluster::extensions::MachineRole;
use kops_cluster::{CloudProvider, Cluster, InstanceGroup, Path, Problems};
use kops_core::resource::{self, Identity, SpotOptions};

use crate::extensions::{GceIdentity, GceInstanceGroup};

/// Translates Google Cloud-specific settings of a specification to [`extensions`](crate::extensions) of the
/// tasks.
///
/// ```
/// use kops_cluster::cloud::Dialect;
/// use kops_gce::GceDialect;
///
/// assert!(GceDialect.group_fields().contains(&"guestAccelerators"));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct GceDialect;

impl Dialect for GceDialect {
    fn group_fields(&self) -> &[&str] {
        &["gcpProvisioningModel", "guestAccelerators"]
    }

    fn instance_group(
        &self,
        cluster: &Cluster,
        group: &InstanceGroup,
        task: &mut resource::InstanceGroup,
        problems: &mut Problems,
    ) {
        let spec = &group.spec;
        match spec.gcp_provisioning_model.as_deref() {
            None | Some("" | "STANDARD") => {}
            Some("SPOT") => task.spot = task.spot.take().or(Some(SpotOptions::default())),
            Some(other) => problems.error(
                Path::of("spec.gcpProvisioningModel"),
                format!("{other:?} is not a provisioning model"),
                "use STANDARD or SPOT",
            ),
        }
        // Google sets the price of spot machines.
        if let Some(spot) = &mut task.spot
            && spot.max_price.take().is_some()
        {
            problems.warn(
                Path::of("spec.maxPrice"),
                "the price of spot machines is set by Google; setting it only makes them spot machines",
                "use gcpProvisioningModel: SPOT instead",
            );
        }
        let settings = cluster.spec.cloud_provider.as_ref().and_then(CloudProvider::gce);
        let mut extension = GceInstanceGroup {
            startup_script: settings.and_then(|gce| gce.use_startup_script).unwrap_or_default(),
            ..GceInstanceGroup::default()
        };
        for (at, accelerator) in spec.guest_accelerators.iter().enumerate() {
            let path = Path::of("spec.guestAccelerators").index(at);
            let number = accelerator.accelerator_count.and_then(|count| u32::try_from(count).ok());
            match (&accelerator.accelerator_type, number.filter(|number| *number > 0)) {
                (Some(kind), Some(number)) if !kind.is_empty() => {
                    extension.accelerators.insert(kind.clone(), number);
                }
                _ => problems.error(
                    path,
                    "type and number are required",
                    "set acceleratorType, such as nvidia-tesla-t4, and acceleratorCount",
                ),
            }
        }
        extend(&mut task.extensions, &extension, problems);
    }

    fn identity(&self, cluster: &Cluster, role: MachineRole, task: &mut Identity, problems: &mut Problems) {
        let iam = cluster.spec.iam.as_ref();
        let registry = iam.and_then(|iam| iam.allow_container_registry).unwrap_or_default();
        let mut extension = GceIdentity::default();
        if registry && role != MachineRole::Bastion {
            extension.roles.insert("roles/artifactregistry.reader".to_owned());
        }
        extend(&mut task.extensions, &extension, problems);
    }
}
