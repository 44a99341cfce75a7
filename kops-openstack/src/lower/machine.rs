//! A machine: a port, a server, and a floating IP address if it has a public address.

use kops_core::graph::{Handle, Id, Input, Secret, Setting};
use kops_core::lower::{require_short, setting};
use kops_core::resource::{
    Firewall, InstanceDisk, LoadBalancer, MachineOptions, Network, SshKey, Subnet, Volume,
};
use kops_core::{Error, ErrorKind, Result};
use std::collections::{BTreeMap, BTreeSet};

use super::identity::Login;
use super::{Lowering, address, flavor, image, native, tags_with};
use crate::kinds::server;
use crate::kinds::{AddressPair, BootVolume, NeutronNetwork, NeutronPort, NovaServer, ServerGroup};
use crate::tags::Metadata;

/// The maximum size of user data in bytes: 65,535 in base64.
/// <https://docs.openstack.org/api-ref/compute/#create-server>
const MOST_USER_DATA: usize = 65_535 / 4 * 3;

/// The properties of a machine.
pub(super) struct Machine<'a> {
    pub(super) subnet: &'a Input<Id<Subnet>>,
    pub(super) zone: Option<&'a str>,
    pub(super) image: &'a str,
    pub(super) flavor: &'a str,
    pub(super) firewalls: &'a BTreeSet<Input<Id<Firewall>>>,
    /// The load balancers in front of it, whose tasks list its port.
    pub(super) load_balancers: &'a BTreeSet<Input<Id<LoadBalancer>>>,
    pub(super) ssh_key: Option<&'a Input<Id<SshKey>>>,
    pub(super) user_data: Option<&'a Input<Secret>>,
    pub(super) root_volume: &'a InstanceDisk,
    pub(super) volumes: &'a BTreeMap<String, InstanceDisk>,
    pub(super) options: &'a MachineOptions,
    pub(super) labels: &'a BTreeMap<String, String>,
    /// Metadata in addition to the labels.
    pub(super) metadata: Metadata,
    pub(super) server_group: Option<Input<Id<ServerGroup>>>,
    pub(super) allowed_address_pairs: BTreeSet<AddressPair>,
    /// Volumes that it takes over; those that it has are not changed if `None`.
    pub(super) attached: Option<BTreeSet<Input<Id<Volume>>>>,
    pub(super) login: Login,
}

/// Adds the tasks of a machine.
pub(super) fn add(name: &str, machine: Machine<'_>, cx: &mut Lowering<'_>) -> Result<()> {
    require_short(machine.user_data, MOST_USER_DATA)?;
    if machine.load_balancers.iter().any(|balancer| cx.is_shared(balancer)) {
        return Err(Error::new(ErrorKind::Unsupported, "machines cannot be added to a shared load balancer")
            .with_hint("add the load balancer to the graph, or the machines to its pool"));
    }
    let network = network_of(machine.subnet, cx)?;
    let port = NeutronPort {
        network,
        subnet: native(machine.subnet.clone()),
        security_groups: machine.firewalls.iter().cloned().map(native).collect(),
        allowed_address_pairs: Some(machine.allowed_address_pairs)
            .filter(|pairs| !pairs.is_empty())
            .map_or(Setting::Unmanaged, Setting::To),
        tags: tags_with(cx, machine.labels),
    };
    let port = cx.add(name, port);
    let mut metadata = server::of_labels(cx.scope().extra_labels());
    metadata.extend(server::of_labels(machine.labels));
    metadata.extend(machine.metadata);
    let zone = machine.zone.map(|zone| super::zone(cx, zone));
    let server = NovaServer {
        flavor: flavor(cx, machine.flavor).id(),
        image: image(cx, machine.image).id(),
        port: port.id(),
        key_pair: machine.ssh_key.cloned().map(native),
        server_group: machine.server_group,
        zone: zone.map_or(Setting::Unmanaged, Setting::To),
        user_data: machine.user_data.cloned(),
        root_volume: boot_volume(machine.root_volume)?,
        volumes: machine.volumes.values().map(volume).collect::<Result<_>>()?,
        attached: setting(machine.attached.map(|all| all.into_iter().map(native).collect())),
        temp_url_key: machine.login.temp_url_key,
        credential: machine.login.credential,
        metadata,
    };
    cx.add(name, server);
    if machine.options.public_ip == Some(true) {
        address::add(name, machine.subnet, port.id().into_text(), cx)?;
    }
    Ok(())
}

/// The network of a subnet; for a shared subnet, the graph's only network.
fn network_of(subnet: &Input<Id<Subnet>>, cx: &Lowering<'_>) -> Result<Input<Id<NeutronNetwork>>> {
    if let Some((_, spec)) =
        cx.specs::<Subnet>()?.into_iter().find(|(name, _)| Lowering::is_for(subnet, name))
    {
        return Ok(native(spec.network));
    }
    match cx.names::<Network>()[..] {
        [only] => Ok(Handle::<NeutronNetwork>::named(only).id()),
        _ => Err(Error::new(
            ErrorKind::Unsupported,
            "the network of a shared subnet, which a port needs, is not known",
        )
        .with_hint("add the network to the graph, shared or not, together with the subnets")),
    }
}

fn volume(volume: &InstanceDisk) -> Result<BootVolume> {
    let unsupported =
        |what: &str, hint: &str| Err(Error::new(ErrorKind::Unsupported, what.to_owned()).with_hint(hint));
    let by_type = "use a volume type that has it, see `openstack volume type list`";
    if volume.iops.is_some() || volume.throughput_mibps.is_some() {
        return unsupported("on OpenStack the volume type determines the performance of a volume", by_type);
    }
    if volume.encrypted || volume.kms_key.is_some() {
        return unsupported("on OpenStack the volume type determines the encryption of a volume", by_type);
    }
    Ok(BootVolume { size: volume.size_gib, volume_type: volume.disk_type.clone(), keep: volume.keep })
}

/// The volume that a server boots from. Without a size, it is the flavor's disk.
fn boot_volume(root: &InstanceDisk) -> Result<Option<BootVolume>> {
    let root = volume(root)?;
    if root.size == 0 && (root.keep || root.volume_type.is_some()) {
        return Err(Error::invalid("a boot volume needs a size"));
    }
    Ok((root.size > 0).then_some(root))
}
