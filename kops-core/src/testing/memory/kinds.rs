//! The behaviour of each kind in the in-memory cloud.
//!
//! It imitates typical clouds, so that every identity class, every kind of mutability and both orders of replacement
//! occur.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::world::{World, in_use};
use crate::cloud::{IdentityClass, Mutability, Outputs, Replacement, Scope};
use crate::digest;
use crate::graph::{Document, Id};
use crate::resource::{
    Address, DnsRecord, DnsTarget, DnsZone, Egress, Firewall, FirewallRules, Identity, Instance,
    InstanceGroup, InternetGateway, LoadBalancer, NatGateway, Network, RecordType, Resource, SshKey, Subnet,
    Volume,
};
use crate::{Error, ErrorKind, Result};

/// The behaviour of a kind in a [`MemoryCloud`](super::MemoryCloud). By default, its objects are tagged and can be
/// updated in place. Add a kind of your own with [`MemoryCloudBuilder::kind`](super::MemoryCloudBuilder::kind).
pub trait MemoryKind: Resource {
    /// How a second creation of an object is prevented.
    const IDENTITY: IdentityClass = IdentityClass::Tagged;
    /// The order of a replacement.
    const REPLACEMENT: Replacement = Replacement::DeleteFirst;
    /// Kinds whose objects must be gone before one of this kind can be deleted.
    const DELETE_AFTER: &'static [&'static str] = &[];
    /// Whether an object cannot be deleted while other objects refer to it.
    const HELD_BY_USERS: bool = false;
    /// Whether the unique name is also the identifier, as in many clouds.
    const ID_IS_NAME: bool = false;

    /// How a field can be changed.
    fn mutability(_field: &str) -> Mutability {
        Mutability::InPlace
    }

    /// The unique name of an object, if [`IDENTITY`](Self::IDENTITY) is named; `None` while it is not known.
    fn unique_name(scope: &Scope, task: &str, _spec: &Document) -> Option<String> {
        Some(format!("{task}.{}", scope.name()))
    }

    /// Outputs that an update of these members changes, so that they are known only afterwards.
    fn volatile_outputs(_changed: &BTreeSet<String>) -> &'static [&'static str] {
        &[]
    }

    /// The specification of an object after the creating call, which may not have set all fields.
    fn after_create(wanted: &Self::Resolved) -> Self::Resolved {
        wanted.clone()
    }

    /// Keeps fields added by others in an update.
    fn merge(_wanted: &mut Self::Resolved, _before: &Self::Resolved) {}

    /// Rejects specifications that the cloud would not accept; `id` is the object's own if it is updated.
    fn check(_world: &World, _id: Option<&str>, _spec: &Self::Resolved) -> Result<()> {
        Ok(())
    }

    /// Rejects changes that depend on the old value.
    fn check_update(_before: &Self::Resolved, _after: &Self::Resolved) -> Result<()> {
        Ok(())
    }

    /// Rejects a deletion for reasons other than references.
    fn check_delete(_world: &World, _id: &str, _spec: &Self::Resolved) -> Result<()> {
        Ok(())
    }

    /// Names that a selector may use, in addition to its own.
    fn aliases(_spec: &Self::Resolved) -> Vec<String> {
        Vec::new()
    }

    /// The outputs of an object; `number` is unique for each object.
    fn outputs(_world: &World, _number: u64, _spec: &Self::Resolved) -> Outputs {
        Outputs::default()
    }
}

/// Passes all agnostic kinds to a macro.
macro_rules! every_kind {
    ($with:ident) => {
        $with!(
            Address,
            DnsRecord,
            DnsZone,
            Firewall,
            FirewallRules,
            Identity,
            Instance,
            InstanceGroup,
            InternetGateway,
            LoadBalancer,
            NatGateway,
            Network,
            SshKey,
            Subnet,
            Volume
        )
    };
}
pub(super) use every_kind;

impl MemoryKind for Network {
    const HELD_BY_USERS: bool = true;

    /// IPv6 is set by a second call, like attributes of a network in other clouds.
    fn after_create(wanted: &Self) -> Self {
        Self { ipv6: false, ..wanted.clone() }
    }

    fn check(world: &World, id: Option<&str>, spec: &Self) -> Result<()> {
        if spec.cidrs.is_empty() {
            return Err(Error::invalid("a network needs a CIDR"));
        }
        let orphan = world.all::<Subnet>().find(|(_, subnet)| {
            Some(subnet.network.as_str()) == id && !spec.cidrs.iter().any(|cidr| cidr.contains(&subnet.cidr))
        });
        match orphan {
            Some((subnet, _)) => Err(in_use(Self::KIND, id.unwrap_or_default(), Subnet::KIND, subnet)),
            None => Ok(()),
        }
    }
}

impl MemoryKind for Subnet {
    const HELD_BY_USERS: bool = true;

    fn mutability(field: &str) -> Mutability {
        match field {
            "network" | "cidr" | "zone" => Mutability::Replace,
            _ => Mutability::InPlace,
        }
    }

    fn merge(wanted: &mut Self::Resolved, before: &Self::Resolved) {
        add_missing(&mut wanted.labels, &before.labels);
    }

    fn check(world: &World, id: Option<&str>, spec: &Self::Resolved) -> Result<()> {
        let network = world.get::<Network>(spec.network.as_str());
        if !network.is_some_and(|network| network.cidrs.iter().any(|cidr| cidr.contains(&spec.cidr))) {
            return Err(Error::invalid(format!("{} is not within the network's CIDRs", spec.cidr)));
        }
        let overlap = world.all::<Self>().find(|(other, it)| {
            Some(*other) != id
                && it.network == spec.network
                && (it.cidr.contains(&spec.cidr) || spec.cidr.contains(&it.cidr))
        });
        match overlap {
            Some((other, it)) => {
                let message = format!("{} overlaps with {} of {other}", spec.cidr, it.cidr);
                Err(Error::new(ErrorKind::AlreadyExists, message))
            }
            None => Ok(()),
        }
    }
}

impl MemoryKind for InternetGateway {
    /// The gateway of a network with public addresses in use cannot be detached.
    const DELETE_AFTER: &'static [&'static str] = &["NatGateway"];

    fn mutability(_: &str) -> Mutability {
        Mutability::Replace
    }

    fn check(world: &World, id: Option<&str>, spec: &Self::Resolved) -> Result<()> {
        match world.all::<Self>().find(|(other, it)| Some(*other) != id && it.network == spec.network) {
            Some((other, _)) => {
                let message = format!("the network {} has the gateway {other} already", spec.network);
                Err(Error::new(ErrorKind::AlreadyExists, message))
            }
            None => Ok(()),
        }
    }

    fn aliases(spec: &Self::Resolved) -> Vec<String> {
        vec![spec.network.to_string()]
    }

    fn check_delete(world: &World, id: &str, spec: &Self::Resolved) -> Result<()> {
        let behind = world.all::<NatGateway>().find(|(_, nat)| nat.network == spec.network);
        behind.map_or(Ok(()), |(nat, _)| Err(in_use(Self::KIND, id, NatGateway::KIND, nat)))
    }

    fn outputs(_: &World, number: u64, _: &Self::Resolved) -> Outputs {
        let mut outputs = Outputs::default();
        outputs.set(Self::PUBLIC_IP, public_ip(number));
        outputs
    }
}

impl MemoryKind for NatGateway {
    const IDENTITY: IdentityClass = IdentityClass::Token;

    fn mutability(_: &str) -> Mutability {
        Mutability::Replace
    }

    fn check(world: &World, id: Option<&str>, spec: &Self::Resolved) -> Result<()> {
        match world.all::<Self>().find(|(other, it)| Some(*other) != id && it.address == spec.address) {
            Some((other, _)) => Err(in_use(Address::KIND, spec.address.as_str(), Self::KIND, other)),
            None => Ok(()),
        }
    }

    fn outputs(world: &World, _: u64, spec: &Self::Resolved) -> Outputs {
        let mut outputs = Outputs::default();
        if let Some(ip) = world.output(&spec.address, Address::IP) {
            outputs.set(Self::PUBLIC_IP, ip);
        }
        outputs
    }
}

impl MemoryKind for Address {
    const HELD_BY_USERS: bool = true;

    fn outputs(_: &World, number: u64, _: &Self) -> Outputs {
        let mut outputs = Outputs::default();
        outputs.set(Self::IP, public_ip(number));
        outputs
    }
}

impl MemoryKind for Firewall {
    const REPLACEMENT: Replacement = Replacement::CreateFirst;
    const HELD_BY_USERS: bool = true;

    fn mutability(_: &str) -> Mutability {
        Mutability::Replace
    }
}

impl MemoryKind for FirewallRules {
    fn mutability(field: &str) -> Mutability {
        if field == "firewall" { Mutability::Replace } else { Mutability::InPlace }
    }
}

impl MemoryKind for LoadBalancer {
    const IDENTITY: IdentityClass = IdentityClass::Named;

    fn mutability(field: &str) -> Mutability {
        match field {
            "network" | "scheme" => Mutability::Replace,
            _ => Mutability::InPlace,
        }
    }

    /// Cross-zone forwarding is enabled by a second call.
    fn after_create(wanted: &Self::Resolved) -> Self::Resolved {
        LoadBalancer { cross_zone: false, ..wanted.clone() }
    }

    fn check(_: &World, _: Option<&str>, spec: &Self::Resolved) -> Result<()> {
        if spec.subnets.is_empty() {
            return Err(Error::invalid("a load balancer needs a subnet"));
        }
        Ok(())
    }

    fn outputs(_: &World, number: u64, _: &Self::Resolved) -> Outputs {
        let mut outputs = Outputs::default();
        outputs.set(Self::DNS_NAME, format!("lb-{number:08x}.memory.example"));
        outputs
    }
}

impl MemoryKind for InstanceGroup {
    const IDENTITY: IdentityClass = IdentityClass::Named;
    const ID_IS_NAME: bool = true;

    fn merge(wanted: &mut Self::Resolved, before: &Self::Resolved) {
        add_missing(&mut wanted.labels, &before.labels);
    }

    fn check(_: &World, _: Option<&str>, spec: &Self::Resolved) -> Result<()> {
        if spec.subnets.is_empty() {
            return Err(Error::invalid("an instance group needs a subnet"));
        }
        if spec.min > spec.max {
            let message = format!("the minimum {} is greater than the maximum {}", spec.min, spec.max);
            return Err(Error::invalid(message));
        }
        Ok(())
    }
}

impl MemoryKind for Instance {
    const IDENTITY: IdentityClass = IdentityClass::Token;
    const REPLACEMENT: Replacement = Replacement::CreateFirst;

    fn mutability(field: &str) -> Mutability {
        match field {
            "firewalls" | "labels" | "load_balancers" | "address" => Mutability::InPlace,
            _ => Mutability::Replace,
        }
    }

    fn volatile_outputs(changed: &BTreeSet<String>) -> &'static [&'static str] {
        const IP: &[&str] = &[Instance::PUBLIC_IP.name()];
        if changed.contains("address") { IP } else { &[] }
    }

    fn merge(wanted: &mut Self::Resolved, before: &Self::Resolved) {
        add_missing(&mut wanted.labels, &before.labels);
    }

    /// An address is associated by a second call, which moves it from another machine if it has one.
    fn after_create(wanted: &Self::Resolved) -> Self::Resolved {
        Instance { address: None, ..wanted.clone() }
    }

    fn outputs(world: &World, number: u64, spec: &Self::Resolved) -> Outputs {
        let mut outputs = Outputs::default();
        if let Some(ip) = private_ip(world, &spec.subnet, number) {
            outputs.set(Self::PRIVATE_IP, ip);
        }
        let is_public = spec.options.public_ip.unwrap_or_else(|| is_public(world, &spec.subnet));
        match &spec.address {
            Some(address) => {
                if let Some(ip) = world.output(address, Address::IP) {
                    outputs.set(Self::PUBLIC_IP, ip);
                }
            }
            None if is_public => outputs.set(Self::PUBLIC_IP, public_ip(number)),
            None => {}
        }
        outputs
    }
}

impl MemoryKind for Volume {
    const IDENTITY: IdentityClass = IdentityClass::Token;

    fn mutability(field: &str) -> Mutability {
        match field {
            "zone" | "encrypted" | "kms_key" => Mutability::Immutable,
            _ => Mutability::InPlace,
        }
    }

    fn merge(wanted: &mut Self, before: &Self) {
        add_missing(&mut wanted.labels, &before.labels);
    }

    fn check_update(before: &Self, after: &Self) -> Result<()> {
        if after.size_gib < before.size_gib {
            let message =
                format!("a disk of {} GiB cannot shrink to {} GiB", before.size_gib, after.size_gib);
            return Err(Error::invalid(message));
        }
        Ok(())
    }
}

impl MemoryKind for DnsZone {
    const IDENTITY: IdentityClass = IdentityClass::Named;
    const HELD_BY_USERS: bool = true;

    fn mutability(_: &str) -> Mutability {
        Mutability::Replace
    }

    fn unique_name(_: &Scope, _: &str, spec: &Document) -> Option<String> {
        let name = spec.get("name")?.as_str()?;
        match spec.get("network") {
            None | Some(Value::Null) => Some(name.to_owned()),
            Some(network) => Some(format!("{name} in {}", network.as_str()?)),
        }
    }

    fn aliases(spec: &Self::Resolved) -> Vec<String> {
        vec![Self::selector(&spec.name, spec.network.is_some())]
    }
}

impl MemoryKind for DnsRecord {
    const IDENTITY: IdentityClass = IdentityClass::Named;

    fn mutability(field: &str) -> Mutability {
        match field {
            "zone" | "name" | "record_type" => Mutability::Replace,
            _ => Mutability::InPlace,
        }
    }

    fn unique_name(_: &Scope, _: &str, spec: &Document) -> Option<String> {
        let member = |name| spec.get(name).and_then(Value::as_str);
        Some(format!("{} {} in {}", member("name")?, member("record_type")?, member("zone")?))
    }

    fn check(world: &World, _: Option<&str>, spec: &Self::Resolved) -> Result<()> {
        if let Some(zone) = world.get::<DnsZone>(spec.zone.as_str())
            && spec.name != zone.name
            && !spec.name.ends_with(&format!(".{}", zone.name))
        {
            return Err(Error::invalid(format!("{} is not in zone {}", spec.name, zone.name)));
        }
        match &spec.target {
            DnsTarget::Values(values) if values.is_empty() => Err(Error::invalid("a record needs a value")),
            DnsTarget::Values(values) if spec.record_type == RecordType::Cname && values.len() > 1 => {
                Err(Error::invalid("a CNAME record must have exactly one value"))
            }
            _ => Ok(()),
        }
    }
}

impl MemoryKind for SshKey {
    const IDENTITY: IdentityClass = IdentityClass::Named;
    const REPLACEMENT: Replacement = Replacement::CreateFirst;
    const ID_IS_NAME: bool = true;

    /// The key is part of the name, so that the old and the new one can coexist while machines are updated.
    fn unique_name(scope: &Scope, task: &str, spec: &Document) -> Option<String> {
        let digest = digest::hex(spec.get("public_key")?.as_str()?.as_bytes());
        Some(format!("{task}.{}-{}", scope.name(), &digest[..8]))
    }

    fn mutability(_: &str) -> Mutability {
        Mutability::Replace
    }
}

impl MemoryKind for Identity {
    const IDENTITY: IdentityClass = IdentityClass::Named;
    const ID_IS_NAME: bool = true;

    fn mutability(field: &str) -> Mutability {
        if field == "role" { Mutability::Replace } else { Mutability::InPlace }
    }
}

fn add_missing(wanted: &mut BTreeMap<String, String>, before: &BTreeMap<String, String>) {
    for (name, value) in before {
        wanted.entry(name.clone()).or_insert_with(|| value.clone());
    }
}

/// From the CIDR for benchmarks (RFC 2544), which is not in use.
pub(super) fn public_ip(number: u64) -> String {
    let [.., high, low] = number.to_be_bytes();
    format!("198.18.{high}.{low}")
}

/// A private address in the subnet.
pub(super) fn private_ip(world: &World, subnet: &Id<Subnet>, number: u64) -> Option<String> {
    let cidr = world.get::<Subnet>(subnet.as_str())?.cidr;
    // Clouds reserve the first few addresses of a subnet.
    let hosts = cidr.hosts().skip(3);
    hosts
        .take(200)
        .nth(usize::try_from(number % 200).ok()?)
        .or_else(|| cidr.hosts().last())
        .map(|ip| ip.to_string())
}

/// Whether machines of a subnet can have public addresses.
pub(super) fn is_public(world: &World, subnet: &Id<Subnet>) -> bool {
    world.get::<Subnet>(subnet.as_str()).is_some_and(|subnet| matches!(subnet.egress, Egress::Internet(_)))
}
