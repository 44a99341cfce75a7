//! Random infrastructure: a small model of it, random edits of the model, and its graph.
//!
//! The model leaves out what no cloud could do (a disk that shrinks, a load balancer that changes sides while
//! machines hang on it), so that every edit of it can be applied.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use kops_core::cloud::Scope;
use kops_core::graph::{Handle, Input, Part, Secret, TaskGraph};
use kops_core::resource::{
    Address, DnsRecord, DnsTarget, DnsZone, Extension, Firewall, FirewallRule, FirewallRules, Identity,
    Instance, InstanceDisk, InstanceGroup, InternetGateway, Listener, LoadBalancer, NatGateway, Network,
    Peer, RecordType, Scheme, SshKey, Subnet, Volume,
};
use serde::{Deserialize, Serialize};

/// What there shall be. Things are known by small numbers; what a number means to a thing is the thing's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    networks: BTreeMap<u8, Net>,
    volumes: BTreeSet<u8>,
    /// How many GiB disks have beyond the least; they only grow.
    grown: u32,
    keys: BTreeMap<u8, u8>,
    identities: BTreeMap<u8, bool>,
    /// DNS records, with their time to live; the zone is there when one is.
    records: BTreeMap<u8, u32>,
    addresses: BTreeSet<u8>,
}

#[derive(Clone, Debug, Default)]
struct Net {
    ipv6: bool,
    door: bool,
    nat: bool,
    /// Whether the way out is through the NAT gateway.
    subnets: BTreeMap<u8, bool>,
    /// The description, which no cloud lets change.
    firewalls: BTreeMap<u8, u8>,
    /// The port.
    balancers: BTreeMap<u8, u16>,
    groups: BTreeMap<u8, Machines>,
    instances: BTreeMap<u8, Machines>,
}

#[derive(Clone, Debug, Default)]
struct Machines {
    size: u8,
    count: u32,
    secret: u8,
}

impl Model {
    pub(crate) fn random(dice: &mut Rng) -> Self {
        let mut model = Self::default();
        for _ in 0..dice.usize(5..60) {
            model.edit(dice);
        }
        model
    }

    /// Adds, changes or takes away one thing.
    pub(crate) fn edit(&mut self, dice: &mut Rng) {
        let number = dice.u8(0..4);
        match dice.u8(0..16) {
            0 => flip(&mut self.volumes, number),
            1 => self.grown += 1,
            2 => toggle(&mut self.keys, number, dice.u8(0..3)),
            3 => self.keys.values_mut().for_each(|key| *key = dice.u8(0..3)),
            4 => toggle(&mut self.identities, number, dice.bool()),
            5 => toggle(&mut self.records, number, dice.u32(30..300)),
            6 => self.records.values_mut().for_each(|ttl| *ttl = dice.u32(30..300)),
            7 => flip(&mut self.addresses, number),
            8 if dice.u8(0..4) == 0 => drop(self.networks.remove(&(number % 2))),
            _ => self.networks.entry(number % 2).or_default().edit(dice),
        }
    }

    pub(crate) fn graph(&self, scope: &Scope) -> TaskGraph {
        let mut graph = TaskGraph::builder();
        for number in &self.volumes {
            let volume = Volume::new("a", 8 + self.grown);
            graph.add(&format!("v{number}"), volume);
        }
        for number in &self.addresses {
            graph.add(&format!("a{number}"), Address::new());
        }
        let keys: Vec<_> = self
            .keys
            .iter()
            .map(|(number, key)| graph.add(&format!("k{number}"), SshKey::new(format!("ssh-ed25519 {key}"))))
            .collect();
        let identities: Vec<_> = self
            .identities
            .iter()
            .map(|(number, store)| {
                let mut identity = Identity::new();
                if *store {
                    identity.extensions.set(&ReadsStore { url: "memory://store".to_owned() }).unwrap();
                }
                graph.add(&format!("i{number}"), identity)
            })
            .collect();
        let mut balancers = Vec::new();
        for (number, net) in &self.networks {
            balancers.extend(net.add_to(&mut graph, *number, keys.first(), identities.last()));
        }
        if !self.records.is_empty() {
            let domain = format!("{}.example", scope.name());
            let zone = graph.add("zone", DnsZone::new(domain.clone()));
            for (number, ttl) in &self.records {
                let target = match balancers.get(usize::from(*number)) {
                    Some(balancer) => DnsTarget::LoadBalancer(balancer.id()),
                    None => DnsTarget::Values(["192.0.2.1".into()].into()),
                };
                graph.add(
                    &format!("r{number}"),
                    DnsRecord::new(zone.id(), format!("r{number}.{domain}"), RecordType::A, target)
                        .ttl_seconds(*ttl),
                );
            }
        }
        graph.build().unwrap()
    }
}

/// Something that an identity grants.
#[derive(Serialize, Deserialize)]
struct ReadsStore {
    url: String,
}

impl Extension for ReadsStore {
    const NAME: &'static str = "stress/ReadsStore";
}

fn toggle<T>(things: &mut BTreeMap<u8, T>, number: u8, thing: T) {
    if things.remove(&number).is_none() {
        things.insert(number, thing);
    }
}

fn flip(things: &mut BTreeSet<u8>, number: u8) {
    if !things.remove(&number) {
        things.insert(number);
    }
}

impl Net {
    fn edit(&mut self, dice: &mut Rng) {
        let number = dice.u8(0..4);
        let machines = Machines { size: dice.u8(0..3), count: dice.u32(0..4), secret: dice.u8(0..2) };
        match dice.u8(0..14) {
            0 => self.ipv6 = !self.ipv6,
            1 => self.door = !self.door,
            2 => self.nat = !self.nat,
            3..=5 => toggle(&mut self.subnets, number, dice.bool()),
            6 => self.subnets.values_mut().for_each(|nat| *nat = dice.bool()),
            7 | 8 => toggle(&mut self.firewalls, number, dice.u8(0..2)),
            9 => self.firewalls.values_mut().for_each(|words| *words = dice.u8(0..2)),
            10 => toggle(&mut self.balancers, number, dice.u16(1..999)),
            11 => toggle(&mut self.groups, number, machines),
            12 => self.groups.values_mut().for_each(|group| *group = machines.clone()),
            _ => toggle(&mut self.instances, number, machines),
        }
    }

    fn add_to(
        &self,
        graph: &mut kops_core::graph::GraphBuilder,
        number: u8,
        key: Option<&Handle<SshKey>>,
        identity: Option<&Handle<Identity>>,
    ) -> Vec<Handle<LoadBalancer>> {
        let name = |what: &str, it: u8| format!("n{number}-{what}{it}");
        let cidrs = vec![format!("10.{number}.0.0/16").parse().unwrap()];
        let network = graph.add(&format!("n{number}"), Network::new(cidrs).ipv6(self.ipv6));
        let door = self.door.then(|| graph.add(&format!("n{number}"), InternetGateway::new(network.id())));
        let mut nat = None;
        let mut subnets = Vec::new();
        for (it, behind) in &self.subnets {
            let cidr = format!("10.{number}.{it}.0/24").parse().unwrap();
            let mut subnet = Subnet::new(network.id(), cidr).zone("a");
            match (&door, &nat) {
                (Some(door), None) => subnet = subnet.public(door.id()),
                (_, Some(nat)) if *behind => subnet = subnet.behind(Handle::id(nat)),
                _ => {}
            }
            let subnet = graph.add(&name("s", *it), subnet);
            // The first subnet is the public one, and the NAT gateway lives there.
            if self.nat && door.is_some() && subnets.is_empty() {
                let address = graph.add(&name("nat", *it), Address::new());
                let gateway = NatGateway::new(network.id(), address.id()).subnet(subnet.id());
                // Another public subnet means another gateway with another address: neither can be
                // moved while the one is needed.
                nat = Some(graph.add(&name("nat", *it), gateway).ready());
            }
            subnets.push(subnet);
        }
        let firewalls: Vec<_> = self
            .firewalls
            .iter()
            .map(|(it, words)| {
                let firewall = Firewall::new(network.id(), format!("{words}"));
                graph.add(&name("f", *it), firewall)
            })
            .collect();
        // Everybody lets everybody in: groups that refer to each other.
        for (it, firewall) in self.firewalls.keys().zip(&firewalls) {
            let rules = firewalls.iter().map(|peer| FirewallRule::all_from(Peer::Group(peer.id())));
            graph.add(&name("f", *it), FirewallRules::new(firewall.id(), rules));
        }
        if subnets.is_empty() {
            return Vec::new();
        }
        let mut balancers = Vec::new();
        for (it, port) in &self.balancers {
            balancers.push(
                graph.add(
                    &name("b", *it),
                    LoadBalancer::new(network.id(), subnets.iter().map(Handle::id))
                        .scheme(Scheme::Internal)
                        .firewalls(firewalls.iter().take(1).map(Handle::id))
                        .listen(Listener::tcp(*port).target_port(443))
                        .cross_zone(port % 2 == 0),
                ),
            );
        }
        for (it, machines) in &self.groups {
            graph.add(
                &name("g", *it),
                InstanceGroup::new(
                    subnets.iter().map(Handle::id),
                    "debian-12",
                    format!("size-{}", machines.size),
                )
                .min(machines.count)
                .max(machines.count + 1)
                .firewalls(firewalls.iter().map(Handle::id))
                .identity(identity.map(Handle::id))
                .ssh_key(key.map(Handle::id))
                .user_data(machines.user_data(&balancers))
                .root_disk(InstanceDisk::new(20))
                .load_balancers(balancers.iter().map(Handle::id)),
            );
        }
        for (it, machines) in &self.instances {
            graph.add(
                &name("m", *it),
                Instance::new(subnets[0].id(), "debian-12", format!("size-{}", machines.size))
                    .firewalls(firewalls.iter().map(Handle::id))
                    .identity(identity.map(Handle::id))
                    .ssh_key(key.map(Handle::id))
                    .user_data(machines.user_data(&[]))
                    .root_disk(InstanceDisk::default()),
            );
        }
        balancers
    }
}

impl Machines {
    fn user_data(&self, balancers: &[Handle<LoadBalancer>]) -> Input<Secret> {
        let mut parts = vec![Part::Secret(Secret::new(format!("token-{}", self.secret)))];
        for balancer in balancers {
            if let Input::Output(output) = balancer.get(LoadBalancer::DNS_NAME) {
                parts.push(Part::Output { output });
            }
        }
        Input::secret(parts)
    }
}
