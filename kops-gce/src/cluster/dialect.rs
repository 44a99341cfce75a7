//! The Google Cloud-specific settings of a cluster's specification.

use kops_cluster::cloud::{Dialect, PodTraffic, extend, reject_plugin};
use kops_cluster::extensions::MachineRole;
use kops_cluster::{CloudProvider, Cluster, InstanceGroup, Path, Problems, Role, SubnetSpec};
use kops_core::graph::{GraphBuilder, Handle, Key};
use kops_core::resource::{self, DnsZone, Identity, Network, SpotOptions};

use crate::extensions::{GceIdentity, GceInstanceGroup, PodRanges};
use crate::kinds::ManagedZoneNetwork;
use crate::lower::{disk, native};

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

    /// With addresses of their own, packets of pods match no rule by tags: "applies only to traffic with source IPs that
    /// match the primary network interfaces" (`sourceTags` in
    /// <https://cloud.google.com/compute/docs/reference/rest/v1/firewalls>).
    fn admits_pods(&self, cluster: &Cluster, _: &[InstanceGroup], problems: &mut Problems) -> bool {
        let networking = &cluster.spec.networking;
        match PodTraffic::of(networking) {
            // Alias addresses, or routes that the cloud controller makes.
            PodTraffic::Native if networking.gce.is_some() || networking.kubenet.is_some() => true,
            PodTraffic::Native => {
                let why = "its packets carry the addresses of pods, which networks on Google Cloud route with \
                           networking.gce and networking.kubenet only";
                reject_plugin(networking, why, problems);
                false
            }
            PodTraffic::Unknown => true,
            // Machines have addresses without a subnet here (/32), so a plugin that uses a tunnel only between subnets
            // always uses it.
            _ => false,
        }
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
        extension.pods = pod_ranges(cluster, group, problems);
        check_etcd_disks(cluster, group, problems);
        extend(&mut task.extensions, &extension, problems);
    }

    fn private_zone(
        &self,
        zone: &Handle<DnsZone>,
        network: &Handle<Network>,
        graph: &mut GraphBuilder,
    ) -> Option<Key> {
        let visible = ManagedZoneNetwork { zone: native(zone.id()), network: native(network.id()) };
        Some(graph.add(network.key().name(), visible).key().clone())
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

/// The ranges of `networking.gce`, whose pods have alias addresses of their machines.
fn pod_ranges(cluster: &Cluster, group: &InstanceGroup, problems: &mut Problems) -> Option<PodRanges> {
    let networking = &cluster.spec.networking;
    networking.gce.as_ref()?;
    if group.role() == Role::Bastion {
        return None;
    }
    let subnets = group.spec.subnets.iter().enumerate();
    for (at, name) in subnets.filter(|(_, name)| networking.subnet(name).is_some_and(SubnetSpec::is_shared)) {
        problems.error(
            Path::of("spec.subnets").index(at),
            format!("networking.gce needs secondary ranges of the subnet, which are not added to an existing one: {name}"),
            "use a subnet of the cluster's own, or a network plugin with a tunnel, such as cilium",
        );
    }
    Some(PodRanges { pods: networking.pod_cidr?, services: networking.service_cluster_ip_range })
}

/// Rejects machines that the disks of their etcd members cannot be attached to.
fn check_etcd_disks(cluster: &Cluster, group: &InstanceGroup, problems: &mut Problems) {
    let Some(machine_type) = group.spec.machine_type.as_deref() else { return };
    let members = cluster.spec.etcd_clusters.iter().flat_map(|etcd| &etcd.members);
    let own = members.filter(|member| member.instance_group.as_deref() == Some(group.name()));
    let types = own.map(|member| member.volume_type.as_deref().unwrap_or(disk::fast_type()));
    if let Some(disk_type) = types.into_iter().find(|disk_type| !disk::takes(machine_type, disk_type)) {
        problems.error(
            Path::of("spec.machineType"),
            format!("disks of type {disk_type}, on which members of etcd are, cannot be attached to {machine_type}"),
            "set volumeType: hyperdisk-balanced for the etcdMembers of this group, or use another machine type",
        );
    }
}
