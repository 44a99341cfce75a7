//! The configuration of machines: what templates and single instances have in common.

use std::collections::{BTreeMap, BTreeSet};

use google_cloud_compute_v1::model::metadata::Items;
use google_cloud_compute_v1::model::scheduling::{InstanceTerminationAction, ProvisioningModel};
use google_cloud_compute_v1::model::{
    AcceleratorConfig, AccessConfig, AliasIpRange, AttachedDisk, AttachedDiskInitializeParams,
    CustomerEncryptionKey, InstanceProperties, Metadata, NetworkInterface, Scheduling,
    ServiceAccount as Account, Tags,
};
use kops_core::graph::{Closed, Id, Open, Secret, Stage};
use kops_core::resource::At;
use serde::{Deserialize, Serialize};

use super::convert::{count, id, text};
use super::{Image, NetworkTag, ServiceAccount, Subnetwork};
use crate::labels::Labels;
use crate::path::last;

/// The configuration of a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Machine<S: Stage = Open> {
    /// The machine type, `n2-standard-4`.
    pub machine_type: String,
    /// Its disks; the first is the boot disk.
    pub disks: Vec<MachineDisk<S>>,
    /// The subnetwork it is in.
    pub subnetwork: At<S, Id<Subnetwork>>,
    /// Whether it has a public address.
    pub public_ip: bool,
    /// The name of the subnetwork's secondary range of which it gets a /24, for pods.
    #[serde(default)]
    pub pod_range: Option<String>,
    /// Whether it may send and receive packets for addresses other than its own: those of pods.
    pub can_ip_forward: bool,
    /// Its network tags, to which firewall rules apply.
    pub tags: BTreeSet<At<S, Id<NetworkTag>>>,
    /// The service account, which grants its cloud permissions; no permissions if `None`.
    pub service_account: Option<At<S, Id<ServiceAccount>>>,
    /// Its metadata, which programs read from the metadata server; user data is part of it.
    pub metadata: BTreeMap<String, At<S, Secret>>,
    /// Labels.
    pub labels: Labels,
    /// Whether it is a spot machine.
    pub spot: bool,
    /// What happens during maintenance of its host: `MIGRATE`, or `TERMINATE` for machines that cannot be migrated.
    pub on_host_maintenance: At<S, String>,
    /// Accelerators, by type, with their number.
    #[serde(default)]
    pub accelerators: BTreeMap<String, u32>,
}

/// A disk that is created and deleted with its machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct MachineDisk<S: Stage = Open> {
    /// The device name, below `/dev/disk/by-id/google-`.
    pub device: String,
    /// The image it is created from; empty if `None`.
    pub image: Option<At<S, Id<Image>>>,
    /// Size in GiB.
    pub size: u32,
    /// The type: `pd-balanced`, …
    pub disk_type: String,
    /// Provisioned I/O operations per second.
    pub iops: Option<u32>,
    /// Provisioned throughput in MiB/s.
    pub throughput: Option<u32>,
    /// The Cloud KMS key it is encrypted with; Google's own if `None`.
    pub kms_key: Option<String>,
    /// Whether it is deleted with the machine.
    pub auto_delete: bool,
}

/// The size of a machine's part of the range of pods, as in kOps: twice its usual maximum of 110 pods.
const PODS: &str = "/24";

/// All of the API; the permissions of the service account are the limit.
/// <https://cloud.google.com/compute/docs/access/service-accounts#scopes_best_practice>
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// A machine in a template's form. `prefix` precedes names of types: templates take bare names, instances
/// URLs in their zone.
pub(crate) fn written(machine: &Machine<Closed>, zone: Option<&str>) -> InstanceProperties {
    let in_zone = |kind: &str, name: &str| match zone {
        Some(zone) => format!("zones/{zone}/{kind}/{name}"),
        None => name.to_owned(),
    };
    let disk = |(at, disk): (usize, &MachineDisk<Closed>)| {
        let params = AttachedDiskInitializeParams::new()
            .set_disk_size_gb(i64::from(disk.size))
            .set_disk_type(in_zone("diskTypes", &disk.disk_type))
            .set_or_clear_source_image(disk.image.as_ref().map(Id::as_str))
            .set_or_clear_provisioned_iops(disk.iops.map(i64::from))
            .set_or_clear_provisioned_throughput(disk.throughput.map(i64::from))
            .set_labels(&machine.labels);
        let key = disk.kms_key.as_ref().map(|key| CustomerEncryptionKey::new().set_kms_key_name(key));
        AttachedDisk::new()
            .set_boot(at == 0)
            .set_auto_delete(disk.auto_delete)
            .set_device_name(&disk.device)
            .set_type("PERSISTENT")
            .set_mode("READ_WRITE")
            .set_or_clear_disk_encryption_key(key)
            .set_initialize_params(params)
    };
    let aliases = machine.pod_range.as_ref();
    let aliases =
        aliases.map(|range| AliasIpRange::new().set_subnetwork_range_name(range).set_ip_cidr_range(PODS));
    let interface =
        NetworkInterface::new().set_subnetwork(machine.subnetwork.as_str()).set_alias_ip_ranges(aliases);
    let interface = if machine.public_ip { interface.set_access_configs([access(None)]) } else { interface };
    let scheduling = if machine.spot {
        Scheduling::new()
            .set_provisioning_model(ProvisioningModel::Spot)
            .set_instance_termination_action(InstanceTerminationAction::Delete)
            .set_automatic_restart(false)
            .set_preemptible(true)
    } else {
        Scheduling::new()
            .set_provisioning_model(ProvisioningModel::Standard)
            .set_automatic_restart(true)
            .set_preemptible(false)
    };
    let scheduling = scheduling.set_on_host_maintenance(machine.on_host_maintenance.as_str());
    let items = machine.metadata.iter();
    let items = items.map(|(key, value)| Items::new().set_key(key).set_value(value.expose()));
    let accelerators = machine.accelerators.iter().map(|(kind, number)| {
        AcceleratorConfig::new()
            .set_accelerator_type(in_zone("acceleratorTypes", kind))
            .set_accelerator_count(i32::try_from(*number).unwrap_or(i32::MAX))
    });
    let account = machine
        .service_account
        .as_ref()
        .map(|email| Account::new().set_email(email.as_str()).set_scopes([SCOPE]));
    InstanceProperties::new()
        .set_machine_type(in_zone("machineTypes", &machine.machine_type))
        .set_disks(machine.disks.iter().enumerate().map(disk))
        .set_network_interfaces([interface])
        .set_can_ip_forward(machine.can_ip_forward)
        .set_tags(Tags::new().set_items(machine.tags.iter().map(Id::as_str)))
        .set_service_accounts(account)
        .set_metadata(Metadata::new().set_items(items))
        .set_labels(&machine.labels)
        .set_scheduling(scheduling)
        .set_guest_accelerators(accelerators)
}

/// The public address of a machine: one that Google chooses for as long as it runs, or a fixed one.
pub(crate) fn access(fixed: Option<&str>) -> AccessConfig {
    let name = if fixed.is_some() { FIXED } else { "External NAT" };
    let access = AccessConfig::new().set_name(name).set_type("ONE_TO_ONE_NAT");
    access.set_or_clear_nat_ip(fixed)
}

/// The name of the configuration of a fixed address, by which it is told from a chosen one.
pub(crate) const FIXED: &str = "Fixed NAT";

/// A machine from a template's form.
pub(crate) fn read(properties: &InstanceProperties) -> Machine<Closed> {
    let disk = |disk: &AttachedDisk| {
        let params = disk.initialize_params.clone().unwrap_or_default();
        MachineDisk {
            device: text(disk.device_name.as_deref()),
            image: params.source_image.as_deref().map(|image| id(Some(image))),
            size: count(params.disk_size_gb.or(disk.disk_size_gb)),
            disk_type: last(params.disk_type.as_deref().unwrap_or_default()),
            iops: params.provisioned_iops.map(|iops| count(Some(iops))),
            throughput: params.provisioned_throughput.map(|it| count(Some(it))),
            kms_key: disk.disk_encryption_key.as_ref().and_then(|key| key.kms_key_name.clone()),
            auto_delete: disk.auto_delete.unwrap_or_default(),
        }
    };
    let interface = properties.network_interfaces.first();
    let accelerators = properties.guest_accelerators.iter();
    Machine {
        machine_type: last(properties.machine_type.as_deref().unwrap_or_default()),
        disks: properties.disks.iter().map(disk).collect(),
        subnetwork: id(interface.and_then(|it| it.subnetwork.as_deref())),
        public_ip: interface.is_some_and(|it| !it.access_configs.is_empty()),
        pod_range: interface.and_then(|it| it.alias_ip_ranges.first()?.subnetwork_range_name.clone()),
        can_ip_forward: properties.can_ip_forward.unwrap_or_default(),
        tags: properties.tags.iter().flat_map(|tags| tags.items.iter().map(Id::new)).collect(),
        service_account: properties.service_accounts.first().and_then(|it| it.email.as_deref()).map(Id::new),
        metadata: metadata(properties.metadata.as_ref()),
        labels: properties.labels.clone().into_iter().collect(),
        spot: properties
            .scheduling
            .as_ref()
            .is_some_and(|it| it.provisioning_model == Some(ProvisioningModel::Spot)),
        on_host_maintenance: text(
            properties.scheduling.as_ref().and_then(|it| it.on_host_maintenance.as_ref()?.name()),
        ),
        accelerators: accelerators
            .map(|it| (last(it.accelerator_type.as_deref().unwrap_or_default()), count(it.accelerator_count)))
            .collect(),
    }
}

/// The metadata of a machine.
pub(crate) fn metadata(metadata: Option<&Metadata>) -> BTreeMap<String, Secret> {
    let items = metadata.into_iter().flat_map(|metadata| &metadata.items);
    items.map(|it| (text(it.key.as_deref()), Secret::new(text(it.value.as_deref())))).collect()
}
