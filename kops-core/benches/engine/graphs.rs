//! The graphs that are measured.

use std::collections::{BTreeMap, BTreeSet};

use kops_core::graph::{GraphBuilder, Handle, Input, Part, Secret, TaskGraph};
use kops_core::resource::{
    Access, Address, DnsRecord, DnsTarget, DnsZone, Egress, Extensions, Firewall, FirewallRule,
    FirewallRules, HealthCheck, Identity, InstanceGroup, InternetGateway, Listener, LoadBalancer,
    MachineOptions, NatGateway, Network, Peer, Protocol, RecordType, RootVolume, Scheme, SshKey, Subnet,
    Volume,
};

const ZONES: [&str; 3] = ["a", "b", "c"];

/// The infrastructure of a highly available cluster: three zones, private machines, three control planes, three
/// node groups, a bastion, a public load balancer, three DNS records. 51 agnostic tasks.
pub(crate) fn cluster(name: &str) -> TaskGraph {
    let mut graph = TaskGraph::builder();
    add_cluster(&mut graph, name);
    graph.build().unwrap()
}

/// Clusters side by side until there are at least so many tasks.
pub(crate) fn of_size(tasks: usize) -> TaskGraph {
    let one = cluster("c").len();
    let mut graph = TaskGraph::builder();
    for number in 0..tasks.div_ceil(one) {
        add_cluster(&mut graph, &format!("c{number}.example.com"));
    }
    graph.build().unwrap()
}

fn add_cluster(graph: &mut GraphBuilder, name: &str) {
    let named = |part: &str| format!("{part}.{name}");
    let cidr = |third: usize| format!("10.0.{third}.0/24").parse().unwrap();
    let network = graph.add(name, Network { cidrs: vec!["10.0.0.0/16".parse().unwrap()], ipv6: false });
    let internet = graph.add(name, InternetGateway { network: network.id() });
    let key = graph.add(name, SshKey::new("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBenchmark bench"));

    let mut public = Vec::new();
    let mut private = Vec::new();
    for (number, zone) in ZONES.iter().enumerate() {
        let mut utility = Subnet::new(network.id(), cidr(number), *zone).public(internet.id());
        utility.access = Access::Utility;
        let utility = graph.add(&named(&format!("utility-{zone}")), utility);
        let address = graph.add(&named(zone), Address {});
        let nat = NatGateway { network: network.id(), subnet: Some(utility.id()), address: address.id() };
        let nat = graph.add(&named(zone), nat);
        // Machines boot into a network that reaches the world: the gateway has to forward.
        let mut inner = Subnet::new(network.id(), cidr(100 + number), *zone);
        inner.egress = Egress::Nat(nat.ready().id());
        private.push(graph.add(&named(zone), inner));
        public.push(utility);
        for etcd in ["main", "events"] {
            let volume = Volume {
                zone: (*zone).to_owned(),
                size: 20,
                encrypted: true,
                labels: BTreeMap::from([(format!("k8s.io/etcd/{etcd}"), format!("{zone}/a,b,c"))]),
                ..Volume::default()
            };
            graph.add(&named(&format!("{zone}.etcd-{etcd}")), volume);
        }
    }

    let firewalls = ["masters", "nodes", "bastion", "api"].map(|group| {
        let firewall = Firewall { network: network.id(), description: format!("{group} of {name}") };
        graph.add(&named(group), firewall)
    });
    for (number, firewall) in firewalls.iter().enumerate() {
        let everywhere = || Peer::Cidr("0.0.0.0/0".parse().unwrap());
        let mut rules = BTreeSet::from([
            FirewallRule::all_to(everywhere()),
            FirewallRule::tcp(443, everywhere()),
            FirewallRule::tcp(22, Peer::Group(firewalls[2].id())),
        ]);
        rules.extend(firewalls.iter().map(|peer| FirewallRule::all_from(Peer::Group(peer.id()))));
        let group = ["masters", "nodes", "bastion", "api"][number];
        graph.add(&named(group), FirewallRules { firewall: firewall.id(), rules });
    }
    let identities = ["masters", "nodes", "bastions"].map(|group| graph.add(&named(group), Identity::new()));

    let balancer = |graph: &mut GraphBuilder, part: &str, port| {
        let balancer = LoadBalancer {
            network: network.id(),
            subnets: public.iter().map(Handle::id).collect(),
            scheme: Scheme::Public,
            firewalls: BTreeSet::from([firewalls[3].id()]),
            listeners: vec![Listener {
                port,
                protocol: Protocol::Tcp,
                target_port: port,
                health_check: HealthCheck::default(),
                certificate: None,
            }],
            cross_zone: false,
            extensions: Extensions::default(),
        };
        graph.add(&named(part), balancer)
    };
    let api = balancer(graph, "api", 443);
    let door = balancer(graph, "bastion", 22);
    let zone = graph.share::<DnsZone>(&format!("zone-{name}"), DnsZone::selector("example.com", false));
    for (record, target) in [("api", &api), ("api.internal", &api), ("bastion", &door)] {
        let record = DnsRecord {
            zone: zone.id(),
            name: named(record),
            record_type: RecordType::A,
            ttl: 60,
            target: DnsTarget::LoadBalancer(target.id()),
        };
        let record_name = record.name.clone();
        graph.add(&record_name, record);
    }

    let user_data = || {
        let parts = ["#cloud-config\nserver: ".into(), Part::from(name), Part::Secret(Secret::new("token"))];
        Some(Input::secret(parts))
    };
    let machines = |role: usize, subnet: &Handle<Subnet>, behind: &[&Handle<LoadBalancer>]| InstanceGroup {
        subnets: BTreeSet::from([subnet.id()]),
        zones: BTreeSet::new(),
        image: "debian-12".into(),
        machine_type: "m6i.large".into(),
        min: 1,
        max: 1,
        firewalls: BTreeSet::from([firewalls[role].id()]),
        identity: Some(identities[role].id()),
        ssh_key: Some(key.id()),
        user_data: user_data(),
        root_volume: RootVolume { size: 64, ..RootVolume::default() },
        volumes: BTreeMap::new(),
        load_balancers: behind.iter().map(|balancer| balancer.id()).collect(),
        options: MachineOptions::default(),
        spot: None,
        labels: BTreeMap::new(),
        extensions: Extensions::default(),
    };
    for (zone, subnet) in ZONES.iter().zip(&private) {
        graph.add(&named(&format!("control-plane-{zone}")), machines(0, subnet, &[&api]));
        graph.add(&named(&format!("nodes-{zone}")), machines(1, subnet, &[]));
    }
    graph.add(&named("bastions"), machines(2, &public[0], &[&door]));
}
