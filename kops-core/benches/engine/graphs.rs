//! The graphs that are measured.

use std::collections::BTreeSet;

use kops_core::graph::{GraphBuilder, Handle, Input, Part, Secret, TaskGraph};
use kops_core::resource::{
    Access, Address, DnsRecord, DnsTarget, DnsZone, Egress, Firewall, FirewallRule, FirewallRules, Identity,
    InstanceDisk, InstanceGroup, InternetGateway, Listener, LoadBalancer, NatGateway, Network, Peer,
    RecordType, Scheme, SshKey, Subnet, Volume,
};

const ZONES: [&str; 3] = ["a", "b", "c"];

/// The infrastructure of a highly available cluster: three zones, private machines, three control planes,
/// three instance groups of nodes, a bastion, a public load balancer, three DNS records. 51 agnostic tasks.
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
    let network = graph.add(name, Network::new(["10.0.0.0/16".parse().unwrap()]));
    let internet = graph.add(name, InternetGateway::new(network.id()));
    let key = graph.add(name, SshKey::new("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBenchmark bench"));

    let mut public = Vec::new();
    let mut private = Vec::new();
    for (number, zone) in ZONES.iter().enumerate() {
        let mut utility = Subnet::new(network.id(), cidr(number)).zone(*zone).public(internet.id());
        utility.access = Access::Utility;
        let utility = graph.add(&named(&format!("utility-{zone}")), utility);
        let address = graph.add(&named(zone), Address::new());
        let nat = NatGateway::new(network.id(), address.id()).subnet(utility.id());
        let nat = graph.add(&named(zone), nat);
        // Machines boot into a network that reaches the world: the gateway has to forward.
        let mut inner = Subnet::new(network.id(), cidr(100 + number)).zone(*zone);
        inner.egress = Egress::Nat(nat.ready().id());
        private.push(graph.add(&named(zone), inner));
        public.push(utility);
        for etcd in ["main", "events"] {
            let volume = Volume::new(*zone, 20)
                .encrypted(true)
                .labels([(format!("k8s.io/etcd/{etcd}"), format!("{zone}/a,b,c"))]);
            graph.add(&named(&format!("{zone}.etcd-{etcd}")), volume);
        }
    }

    let firewalls = ["masters", "nodes", "bastion", "api"].map(|group| {
        let firewall = Firewall::new(network.id(), format!("{group} of {name}"));
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
        graph.add(&named(group), FirewallRules::new(firewall.id(), rules));
    }
    let identities = ["masters", "nodes", "bastions"].map(|group| graph.add(&named(group), Identity::new()));

    let balancer = |graph: &mut GraphBuilder, part: &str, port| {
        let balancer = LoadBalancer::new(network.id(), public.iter().map(Handle::id))
            .scheme(Scheme::Public)
            .firewalls([firewalls[3].id()])
            .listen(Listener::tcp(port));
        graph.add(&named(part), balancer)
    };
    let api = balancer(graph, "api", 443);
    let door = balancer(graph, "bastion", 22);
    let zone = graph.share::<DnsZone>(&format!("zone-{name}"), DnsZone::selector("example.com", false));
    for (record, target) in [("api", &api), ("api.internal", &api), ("bastion", &door)] {
        let record =
            DnsRecord::new(zone.id(), named(record), RecordType::A, DnsTarget::LoadBalancer(target.id()))
                .ttl_seconds(60);
        let record_name = record.name.clone();
        graph.add(&record_name, record);
    }

    let user_data = || {
        let parts = ["#cloud-config\nserver: ".into(), Part::from(name), Part::Secret(Secret::new("token"))];
        Some(Input::secret(parts))
    };
    let machines = |role: usize, subnet: &Handle<Subnet>, behind: &[&Handle<LoadBalancer>]| {
        InstanceGroup::new([subnet.id()], "debian-12", "m6i.large")
            .firewalls([firewalls[role].id()])
            .identity(identities[role].id())
            .ssh_key(key.id())
            .user_data(user_data())
            .root_disk(InstanceDisk::new(64))
            .load_balancers(behind.iter().map(|balancer| balancer.id()))
    };
    for (zone, subnet) in ZONES.iter().zip(&private) {
        graph.add(&named(&format!("control-plane-{zone}")), machines(0, subnet, &[&api]));
        graph.add(&named(&format!("nodes-{zone}")), machines(1, subnet, &[]));
    }
    graph.add(&named("bastions"), machines(2, &public[0], &[&door]));
}
