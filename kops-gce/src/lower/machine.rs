//! What the machines of groups and single machines have in common.

use std::collections::{BTreeMap, BTreeSet};

use kops_core::Result;
use kops_core::cloud::Scope;
use kops_core::graph::{Expectation, Handle, Id, Input, Secret};
use kops_core::lower::require_short;
use kops_core::resource::{Firewall, Identity, InstanceDisk, LoadBalancer, MachineOptions, SshKey, Subnet};

use super::disk::{require_performance, usual_type};
use super::{Lowering, load_balancer, native, unsupported};
use crate::extensions::GceInstanceGroup;
use crate::kinds::{Image, Machine, MachineDisk, MachineType, NetworkTag, TERMINATE};
use crate::{labels, names};

/// The user name for SSH keys, as in kOps.
const USER: &str = "admin";

/// The label by which kOps' tools know the group of a machine.
const GROUP_LABEL: &str = "kops.k8s.io/instancegroup";

/// The maximum size of a value of metadata, in bytes: <https://cloud.google.com/compute/docs/metadata/setting-custom-metadata#limitations>.
const MOST_USER_DATA: usize = 256 * 1024;

/// The requested properties of a machine.
pub(super) struct Request<'a> {
    pub(super) subnet: &'a Input<Id<Subnet>>,
    pub(super) image: &'a str,
    pub(super) machine_type: &'a str,
    /// The machine type in one of its zones.
    pub(super) looked_up: Handle<MachineType>,
    pub(super) firewalls: &'a BTreeSet<Input<Id<Firewall>>>,
    pub(super) load_balancers: &'a BTreeSet<Input<Id<LoadBalancer>>>,
    pub(super) identity: Option<&'a Input<Id<Identity>>>,
    pub(super) ssh_key: Option<&'a Input<Id<SshKey>>>,
    pub(super) user_data: Option<&'a Input<Secret>>,
    pub(super) root_volume: &'a InstanceDisk,
    pub(super) volumes: &'a BTreeMap<String, InstanceDisk>,
    pub(super) options: &'a MachineOptions,
    pub(super) labels: &'a BTreeMap<String, String>,
    pub(super) spot: bool,
    pub(super) extension: &'a GceInstanceGroup,
}

/// The name of the secondary range of pods in the subnets of a scope, as in kOps.
pub(super) fn pod_range(scope: &Scope) -> String {
    names::cloud_name(&format!("pods-{}", scope.name()))
}

/// The machine for a request.
pub(super) fn machine(request: &Request<'_>, cx: &mut Lowering<'_>) -> Result<Machine> {
    require_short(request.user_data, MOST_USER_DATA)?;
    let image = cx.looked_up::<Image>(request.image);
    let architecture = request.looked_up.get(MachineType::ARCHITECTURE);
    let expected =
        Expectation::is("architecture", &architecture, format!("that of {}", request.machine_type))?;
    cx.expect(&image, expected.hint("use an image and machine types of the same architecture"));
    let image = image.id();
    let usual = usual_type(request.machine_type);
    let mut disks = vec![disk("boot", Some(image), request.root_volume, usual)?];
    for (device, volume) in request.volumes {
        // Other clouds have device names of the machine's operating system: `/dev/sdb`.
        disks.push(disk(device.rsplit('/').next().unwrap_or(device), None, volume, usual)?);
    }
    let machine = Machine {
        machine_type: request.machine_type.to_owned(),
        disks,
        subnetwork: native(request.subnet.clone()),
        public_ip: request.options.public_ip.unwrap_or_default(),
        pod_range: request.extension.pods.as_ref().map(|_| pod_range(cx.scope())),
        // Pods have addresses of their own; alias addresses are the machine's.
        can_ip_forward: request.extension.pods.is_none(),
        tags: tags(request, cx)?,
        service_account: request.identity.cloned().map(native),
        metadata: metadata(request, cx)?,
        labels: labels::of(cx.scope(), request.labels),
        spot: request.spot,
        on_host_maintenance: if request.spot || !request.extension.accelerators.is_empty() {
            // https://cloud.google.com/compute/docs/gpus#restrictions
            TERMINATE.into()
        } else {
            request.looked_up.get(MachineType::ON_HOST_MAINTENANCE)
        },
        accelerators: request.extension.accelerators.clone(),
    };
    Ok(machine)
}

fn disk(
    device: &str,
    image: Option<Input<Id<Image>>>,
    volume: &InstanceDisk,
    usual: &str,
) -> Result<MachineDisk> {
    let disk_type = volume.disk_type.clone().unwrap_or_else(|| usual.to_owned());
    require_performance(&disk_type, volume.iops, volume.throughput_mibps)?;
    Ok(MachineDisk {
        device: device.to_owned(),
        image,
        size: volume.size_gib,
        disk_type,
        iops: volume.iops,
        throughput: volume.throughput_mibps,
        kms_key: volume.kms_key.clone(),
        auto_delete: !volume.keep,
    })
}

/// The tags for its firewalls, for its load balancers, and for the firewalls of those.
fn tags(request: &Request<'_>, cx: &Lowering<'_>) -> Result<BTreeSet<Input<Id<NetworkTag>>>> {
    let mut tags: BTreeSet<_> = request.firewalls.iter().cloned().map(native).collect();
    tags.extend(request.extension.tags.iter().map(|tag| Input::Known(Id::new(tag))));
    if request.load_balancers.is_empty() {
        return Ok(tags);
    }
    let balancers = cx.specs::<LoadBalancer>()?;
    for id in request.load_balancers {
        let Some((name, balancer)) = balancers.iter().find(|(name, _)| Lowering::is_for(id, name)) else {
            return Err(unsupported(
                "machines cannot be added to a shared load balancer",
                "add the instance groups to its backend service",
            ));
        };
        tags.insert(Input::Known(load_balancer::tag(name)));
        tags.extend(balancer.firewalls.iter().cloned().map(native));
    }
    Ok(tags)
}

fn metadata(request: &Request<'_>, cx: &Lowering<'_>) -> Result<BTreeMap<String, Input<Secret>>> {
    let known = |text: &str| Input::Known(Secret::new(text));
    // As in kOps, for its tools on the machine.
    let mut metadata = BTreeMap::from([("cluster-name".to_owned(), known(cx.scope().name()))]);
    if let Some(group) = request.labels.get(GROUP_LABEL) {
        metadata.insert("kops-k8s-io-instance-group-name".to_owned(), known(group));
    }
    if let Some(user_data) = request.user_data {
        let key = if request.extension.startup_script { "startup-script" } else { "user-data" };
        metadata.insert(key.to_owned(), user_data.clone());
    }
    if let Some(id) = request.ssh_key {
        let keys = cx.specs::<SshKey>()?;
        let Some((_, key)) = keys.into_iter().find(|(name, _)| Lowering::is_for(id, name)) else {
            return Err(unsupported(
                "Google Cloud has no SSH key objects that could be shared",
                "specify the public key itself, or add it to the project's metadata",
            ));
        };
        metadata.insert("ssh-keys".to_owned(), known(&format!("{USER}:{}", key.public_key.trim())));
    }
    Ok(metadata)
}
