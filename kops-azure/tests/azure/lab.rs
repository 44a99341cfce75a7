//! A cluster's name, a subscription, and what is done to them again and again.

use std::sync::Arc;

use kops_azure::{Azure, AzureBuilder};
use kops_azure_emulator::{Emulator, REGION, Snapshot, TOKEN};
use kops_cluster::extensions::{ClusterIdentity, MachineRole};
use kops_core::cloud::Scope;
use kops_core::graph::{GraphBuilder, Handle, Input, Secret, TaskGraph};
use kops_core::plan::Plan;
use kops_core::resource::{
    Access, Address, DnsRecord, DnsTarget, DnsZone, Firewall, FirewallRule, FirewallRules, Identity,
    InstanceDisk, InstanceGroup, InternetGateway, Listener, LoadBalancer, MachineOptions, NatGateway,
    Network, Peer, RecordType, Scheme, SshKey, Subnet, Volume,
};
use kops_core::testing::FastClock;
use kops_core::{Engine, Result};

pub(crate) const CLUSTER: &str = "ha.example.com";
/// The number of calls of a plan without changes, as stated in README. If it has to grow, explain the added call here.
pub(crate) const CALLS: usize = 18;
pub(crate) const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFoQeZ0kY5V0mKkNf0cL8pXb2l3u9mT1Jc2bq7sN0abc admin";
pub(crate) const IMAGE: &str = "Canonical:ubuntu-24_04-lts:server:latest";
pub(crate) const SIZE: &str = "Standard_D2s_v5";

/// Pauses and rate limits are the cloud's, the emulator is faster.
const FASTER: u32 = 20;

pub(crate) fn builder(emulator: &Emulator) -> AzureBuilder {
    let builder = Azure::builder().subscription(emulator.subscription()).location(REGION);
    let builder = builder.endpoint(emulator.endpoint()).token(TOKEN);
    builder.clock(Arc::new(FastClock::new(FASTER)))
}

pub(crate) async fn connect(emulator: &Emulator) -> Arc<Azure> {
    Arc::new(builder(emulator).build().await.unwrap())
}

pub(crate) struct Lab {
    pub(crate) emulator: Emulator,
    pub(crate) azure: Arc<Azure>,
    pub(crate) engine: Engine,
    pub(crate) before: Snapshot,
}

impl Lab {
    /// A subscription in which others have something of every kind.
    pub(crate) async fn new() -> Self {
        let emulator = Emulator::start();
        emulator.seed_foreign(CLUSTER);
        emulator.create_zone("dns", "example.com");
        // What others made is complete before anything is compared.
        emulator.settle();
        let azure = connect(&emulator).await;
        let engine = Engine::new(azure.clone(), Scope::new(CLUSTER));
        let before = emulator.snapshot();
        Self { emulator, azure, engine, before }
    }

    pub(crate) async fn changes(&self, graph: &TaskGraph) -> Vec<String> {
        changes(&self.engine.plan(graph).await.unwrap())
    }

    pub(crate) async fn try_apply(&self, graph: &TaskGraph) -> Result<()> {
        let plan = self.engine.plan(graph).await?;
        self.engine.apply_now(&plan).await?.into_result().map(drop)
    }

    /// Applies a graph and makes sure that it is settled then.
    pub(crate) async fn apply(&self, graph: &TaskGraph) {
        self.try_apply(graph).await.unwrap();
        self.assert_settled(graph).await;
    }

    /// A plan finds nothing to do and changes nothing; how many calls it takes.
    pub(crate) async fn assert_settled(&self, graph: &TaskGraph) -> usize {
        self.emulator.forget_calls();
        assert_eq!(self.changes(graph).await, Vec::<String>::new());
        let calls = self.emulator.calls();
        assert!(calls.mutations(&[]).is_empty());
        let lost = self.before.lost_in(&self.emulator.snapshot());
        let lost: Vec<_> = lost
            .iter()
            .filter(|line| !line.contains("dnszones example.com") && !line.contains("dnsZones/example.com:"))
            .collect();
        assert!(lost.is_empty(), "others lost something: {lost:?}");
        calls.total()
    }

    /// Deletes everything and makes sure that the subscription is as it was.
    pub(crate) async fn delete(&self) {
        self.try_apply(&TaskGraph::default()).await.unwrap();
        assert_eq!(self.before.diff(&self.emulator.snapshot()), Vec::<String>::new());
    }
}

/// The changes of a plan, a line each.
pub(crate) fn changes(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(ToString::to_string).collect()
}

/// A graph that grows.
pub(crate) struct Site {
    pub(crate) graph: GraphBuilder,
    pub(crate) cluster: String,
    pub(crate) network: Handle<Network>,
    pub(crate) subnet: Handle<Subnet>,
    pub(crate) nodes: Handle<Firewall>,
    pub(crate) masters: Handle<Firewall>,
    pub(crate) key: Handle<SshKey>,
}

fn anywhere() -> Peer {
    Peer::Cidr("0.0.0.0/0".parse().unwrap())
}

pub(crate) fn rules(graph: &mut GraphBuilder, of: &Handle<Firewall>, rules: Vec<FirewallRule>) {
    let rules = FirewallRules::new(of.id(), rules);
    graph.add(of.key().name(), rules);
}

impl Site {
    /// A network with a subnet behind a NAT gateway, firewalls and a key.
    pub(crate) fn of(cluster: &str) -> Self {
        Self::in_ranges(cluster, &["10.0.0.0/16"])
    }

    /// The same in a network of these ranges.
    pub(crate) fn in_ranges(cluster: &str, ranges: &[&str]) -> Self {
        let mut graph = TaskGraph::builder();
        let cidrs = ranges.iter().map(|range| range.parse().unwrap());
        let network = graph.add(cluster, Network::new(cidrs));
        let door = graph.add(cluster, InternetGateway::new(network.id()));
        let address = graph.add(cluster, Address::new());
        let nat = NatGateway::new(network.id(), address.id());
        let nat = graph.add(cluster, nat);
        graph.after(&nat, &door);
        let subnet = Subnet::new(network.id(), "10.0.0.0/20".parse().unwrap()).behind(nat.id());
        let subnet = graph.add(&format!("{REGION}.{cluster}"), subnet);
        let wall = |graph: &mut GraphBuilder, role: &str| {
            graph.add(&format!("{role}.{cluster}"), Firewall::new(network.id(), role))
        };
        let (nodes, masters) = (wall(&mut graph, "nodes"), wall(&mut graph, "masters"));
        let group = |wall: &Handle<Firewall>| Peer::Group(wall.id());
        let out = FirewallRule::all_to(anywhere());
        rules(
            &mut graph,
            &nodes,
            vec![FirewallRule::all_from(group(&nodes)), FirewallRule::all_from(group(&masters)), out.clone()],
        );
        rules(
            &mut graph,
            &masters,
            vec![
                FirewallRule::all_from(group(&masters)),
                FirewallRule::tcp_range(1, 2379, group(&nodes)),
                FirewallRule::tcp(443, anywhere()),
                out,
            ],
        );
        let key = graph.add(&format!("kubernetes.{cluster}"), SshKey::new(KEY));
        Self { graph, cluster: cluster.to_owned(), network, subnet, nodes, masters, key }
    }

    pub(crate) fn identity(&mut self, name: &str, role: MachineRole) -> Handle<Identity> {
        self.graph.add(&format!("{name}.{}", self.cluster), ClusterIdentity::of(role).identity().unwrap())
    }

    pub(crate) fn balancer(&mut self, scheme: Scheme) -> Handle<LoadBalancer> {
        let balancer = LoadBalancer::new(self.network.id(), [self.subnet.id()])
            .scheme(scheme)
            .listeners([listener(443)]);
        self.graph.add(&format!("api.{}", self.cluster), balancer)
    }

    pub(crate) fn group(&self, zones: &[u8]) -> InstanceGroup {
        InstanceGroup::new([self.subnet.id()], IMAGE, SIZE)
            .zones(zones.iter().map(|zone| format!("{REGION}-{zone}")))
            .min(1)
            .max(2)
            .firewalls([self.nodes.id()])
            .ssh_key(self.key.id())
            .user_data(Input::Known(Secret::new("#cloud-config\n")))
            .root_disk(InstanceDisk::new(64))
            .options(MachineOptions::new().public_ip(false))
            .labels([("k8s.io/role/node".to_owned(), "1".to_owned())])
    }

    pub(crate) fn build(self) -> TaskGraph {
        self.graph.build().unwrap()
    }
}

pub(crate) fn listener(port: u16) -> Listener {
    Listener::tcp(port).target_port(443)
}

/// A highly available cluster: three groups of the control plane, etcd's six disks, a load balancer before the API
/// with its names, and so many groups of nodes.
pub(crate) fn ha(groups: usize) -> TaskGraph {
    let mut site = Site::of(CLUSTER);
    let masters = site.identity("masters", MachineRole::ControlPlane);
    let nodes = site.identity("nodes", MachineRole::Node);
    let api = site.balancer(Scheme::Public);
    for zone in 1_u8..=3 {
        let group = site
            .group(&[zone])
            .firewalls([site.masters.id()])
            .identity(masters.id())
            .load_balancers([api.id()]);
        site.graph.add(&format!("control-plane-{zone}.masters.{CLUSTER}"), group);
        for etcd in ["main", "events"] {
            let labels = [(format!("k8s.io/etcd/{etcd}"), format!("{zone}/1,2,3"))];
            let volume = Volume::new(format!("{REGION}-{zone}"), 20).labels(labels);
            site.graph.add(&format!("{zone}.etcd-{etcd}.{CLUSTER}"), volume);
        }
    }
    for number in 0..groups {
        let group = site.group(&[1, 2, 3]).identity(nodes.id());
        site.graph.add(&format!("nodes-{number}.{CLUSTER}"), group);
    }
    let zone = site.graph.share::<DnsZone>("example.com", DnsZone::selector("example.com", false));
    for name in ["api", "api.internal"] {
        let name = format!("{name}.{CLUSTER}");
        let record =
            DnsRecord::new(zone.id(), name.clone(), RecordType::A, DnsTarget::LoadBalancer(api.id()))
                .ttl_seconds(60);
        site.graph.add(&name, record);
    }
    site.build()
}

/// Somebody's open subnet beside.
pub(crate) fn open_subnet(site: &mut Site, number: u8) -> Handle<Subnet> {
    let cidr = format!("10.0.{number}.0/24").parse().unwrap();
    let subnet = Subnet::new(site.network.id(), cidr).access(Access::Private);
    site.graph.add(&format!("more-{number}.{}", site.cluster), subnet)
}
