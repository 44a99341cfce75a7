//! What the machines of groups and single machines have in common.

use std::collections::{BTreeMap, BTreeSet};

use kops_core::Result;
use kops_core::graph::{Id, Input, Secret};
use kops_core::resource::{Firewall, Identity, InstanceDisk, LoadBalancer, MachineOptions, SshKey, Subnet};

use super::{Lowering, load_balancer, native, unsupported};
use crate::extensions::GceInstanceGroup;
use crate::kinds::{Image, Machine, MachineDisk, NetworkTag};
use crate::labels;

/// kOps' disk type for machines' own disks.
const TYPE: &str = "pd-balanced";
/// The user name for SSH keys, as in kOps.
const USER: &str = "admin";

/// The label by which kOps' tools know the group of a machine.
const GROUP_LABEL: &str = "kops.k8s.io/instancegroup";

/// The requested properties of a machine.
pub(super) struct Request<'a> {
    pub(super) subnet: &'a Input<Id<Subnet>>,
    pub(super) image: &'a str,
    pub(super) machine_type: &'a str,
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

/// The machine for a request.
pub(super) fn machine(request: &Request<'_>, cx: &mut Lowering<'_>) -> Result<Machine> {
    let image: Input<Id<Image>> = cx.looked_up::<Image>(request.image).id();
    let further = request.volumes.iter().map(|(device, volume)| {
        // Other clouds have device names of the machine's operating system: `/dev/sdb`.
        disk(device.rsplit('/').next().unwrap_or(device), None, volume)
    });
    let disks = std::iter::once(disk("boot", Some(image), request.root_volume)).chain(further).collect();
    let machine = Machine {
        machine_type: request.machine_type.to_owned(),
        disks,
        subnetwork: native(request.subnet.clone()),
        public_ip: request.options.public_ip.unwrap_or_default(),
        // Pods have addresses of their own.
        can_ip_forward: true,
        tags: tags(request, cx)?,
        service_account: request.identity.cloned().map(native),
        metadata: metadata(request, cx)?,
        labels: labels::of(cx.scope(), request.labels),
        spot: request.spot,
        accelerators: request.extension.accelerators.clone(),
    };
    Ok(machine)
}

fn disk(device: &str, image: Option<Input<Id<Image>>>, volume: &InstanceDisk) -> MachineDisk {
    MachineDisk {
        device: device.to_owned(),
        image,
        size: volume.size_gib,
        disk_type: volume.disk_type.clone().unwrap_or_else(|| TYPE.to_owned()),
        iops: volume.iops,
        throughput: volume.throughput_mibps,
        kms_key: volume.kms_key.clone(),
        auto_delete: !volume.keep,
    }
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
