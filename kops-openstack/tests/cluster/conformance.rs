//! The contract of a cloud, kept by the kinds of a network and by those of machines.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use kops_core::cloud::{Cloud, Scope};
use kops_core::graph::{GraphBuilder, Handle, Input, Key, Part, Secret, TaskGraph};
use kops_core::plan::Action;
use kops_core::resource::{
    Address, DnsRecord, DnsTarget, DnsZone, Firewall, FirewallRule, FirewallRules, InstanceDisk,
    InstanceGroup, InternetGateway, Listener, LoadBalancer, Network, Peer, Protocol, RecordType, Resource,
    Scheme, SshKey, Subnet, Volume,
};
use kops_core::testing::conformance::{self, Edit, Fixture, Item, Many, Requests, Verdict};
use kops_core::{Result, RetryPolicy};
use kops_openstack_lab::{Call, FLAVORS, IMAGE, Lab, ZONE};
use serde_json::{Value, json};

use crate::lab::{KEY, connect};

/// A project, with what both fixtures do there.
struct Site {
    lab: Lab,
    cloud: Arc<dyn Cloud>,
    zone: String,
    began: Duration,
    /// How to delete what belongs to nobody: service and path.
    planted: Mutex<Vec<(&'static str, String)>>,
}

impl Site {
    async fn new() -> Option<Self> {
        let lab = Lab::start()?;
        let zone = format!("{}.example.com", lab.name());
        lab.create_zone(&zone);
        let cloud = connect(&lab).await;
        let began = cloud.clock().elapsed();
        Some(Self { lab, cloud, zone, began, planted: Mutex::default() })
    }

    fn record(&self, graph: &mut GraphBuilder, scope: &Scope, ttl: u32, target: DnsTarget) {
        let zone = graph.share::<DnsZone>("zone", DnsZone::selector(&self.zone, false));
        let name = format!("api.{}.{}", scope.name(), self.zone);
        let record = DnsRecord::new(zone.id(), name, RecordType::A, target).ttl_seconds(ttl);
        graph.add(&format!("api.{}", scope.name()), record);
    }

    fn requests(&self) -> Requests {
        let calls = self.lab.calls();
        let count = |calls: usize| u64::try_from(calls).unwrap();
        let mutating = calls.iter().filter(|call| Call::mutates(call)).count();
        Requests::new(count(calls.len()), count(mutating))
    }

    fn inventory(&self) -> Vec<Item> {
        let item = |(kind, id, content): (&str, &str, &Value)| Item::new(kind, id, content.clone());
        self.lab.inventory().all().map(item).collect()
    }

    /// A line for each rule, as they end: there are minutes between.
    #[expect(clippy::print_stdout, reason = "tests show what they have found")]
    fn heard(&self, rule: &str, verdict: &Verdict) {
        println!(
            "{:4} s, {} calls: {rule}: {verdict:?}",
            self.cloud.clock().elapsed().saturating_sub(self.began).as_secs(),
            self.lab.calls().len()
        );
    }

    /// Makes something that belongs to nobody, and has it deleted when the rule is over.
    fn make(&self, service: &'static str, path: &str, item: &str, body: &Value) -> String {
        let made = self.lab.rest().call(service, "POST", path, &json!({ (item): body }));
        let made = &made[item];
        let id = made["id"].as_str().or(made["name"].as_str()).unwrap().to_owned();
        self.planted.lock().unwrap().push((service, format!("{path}/{id}")));
        id
    }

    fn take_name(&self, scope: &Scope) -> Key {
        let name = format!("key-{}", scope.name());
        let taken = name.replace('.', "-");
        self.make("nova", "v2.1/os-keypairs", "keypair", &json!({ "name": taken, "public_key": KEY }));
        Key::new("KeyPair", &name)
    }

    fn uproot(&self) {
        let planted = std::mem::take(&mut *self.planted.lock().unwrap());
        for (service, path) in planted.into_iter().rev() {
            self.lab.rest().call(service, "DELETE", &path, &Value::Null);
        }
    }
}

/// A network with a subnet that is joined to the internet.
fn network(scope: &Scope, graph: &mut GraphBuilder) -> (Handle<Network>, Handle<Subnet>) {
    let cidrs = vec!["10.0.0.0/16".parse().unwrap()];
    let network = graph.add(scope.name(), Network::new(cidrs));
    let door = graph.add(scope.name(), InternetGateway::new(network.id()));
    let subnet = Subnet::new(network.id(), "10.0.1.0/24".parse().unwrap()).zone(ZONE).public(door.id());
    let subnet = graph.add("front", subnet);
    (network, subnet)
}

fn retry() -> RetryPolicy {
    RetryPolicy::new()
        .base(Duration::from_millis(100))
        .cap(Duration::from_secs(2))
        .deadline(Duration::from_mins(2))
}

struct Networks(Site);

/// What differs between the graphs.
#[derive(Clone, Copy)]
struct Net {
    port: u16,
    ttl: u32,
    volume: bool,
}

const NET: Net = Net { port: 22, ttl: 60, volume: true };

impl Networks {
    fn whole(&self, scope: &Scope, wish: Net) -> GraphBuilder {
        let mut graph = TaskGraph::builder();
        let (network, _) = network(scope, &mut graph);
        let spare = graph.add("spare", Address::new());
        let wall = graph.add("nodes", Firewall::new(network.id(), "nodes"));
        let rules = [
            FirewallRule::tcp(wish.port, Peer::Cidr("192.0.2.0/24".parse().unwrap())),
            FirewallRule::all_from(Peer::Group(wall.id())),
            FirewallRule::all_to(Peer::Cidr("0.0.0.0/0".parse().unwrap())),
        ];
        graph.add("nodes", FirewallRules::new(wall.id(), rules));
        graph.add(&format!("key-{}", scope.name()), SshKey::new(KEY));
        if wish.volume {
            graph.add("etcd", Volume::new(ZONE, 1));
        }
        let target = DnsTarget::Values([spare.get(Address::IP)].into());
        self.0.record(&mut graph, scope, wish.ttl, target);
        graph
    }
}

#[async_trait]
impl Fixture for Networks {
    fn cloud(&self) -> Arc<dyn Cloud> {
        self.0.cloud.clone()
    }

    fn graph(&self, scope: &Scope) -> Result<TaskGraph> {
        self.whole(scope, NET).build()
    }

    fn edits(&self, scope: &Scope) -> Result<Vec<Edit>> {
        let edit = |name, wish| Ok::<_, kops_core::Error>(Edit::new(name, self.whole(scope, wish).build()?));
        let record = format!("RecordSet/api.{}", scope.name());
        Ok(vec![
            edit("another port", Net { port: 443, ..NET })?.expect(
                "SecurityGroupRules/nodes",
                Action::Update,
                &["rules"],
            ),
            edit("another time to live", Net { ttl: 300, ..NET })?.expect(&record, Action::Update, &["ttl"]),
            edit("one less", Net { volume: false, ..NET })?.expect("CinderVolume/etcd", Action::Delete, &[]),
        ])
    }

    fn stride(&self) -> usize {
        5
    }

    fn retry(&self) -> RetryPolicy {
        retry()
    }

    fn heard(&self, rule: &str, verdict: &Verdict) {
        self.0.heard(rule, verdict);
    }

    async fn quiet(&self) {
        self.0.lab.wait_until_quiet();
    }

    fn requests(&self) -> Option<Requests> {
        Some(self.0.requests())
    }

    async fn inventory(&self) -> Result<Option<Vec<Item>>> {
        Ok(Some(self.0.inventory()))
    }

    async fn plant(&self) -> Result<bool> {
        let network = self.0.make("neutron", "v2.0/networks", "network", &json!({ "name": "front" }));
        let subnet =
            json!({ "network_id": network, "ip_version": 4, "cidr": "10.0.1.0/24", "name": "front" });
        self.0.make("neutron", "v2.0/subnets", "subnet", &subnet);
        self.0.make("neutron", "v2.0/routers", "router", &json!({ "name": "front" }));
        self.0.make("neutron", "v2.0/security-groups", "security_group", &json!({ "name": "nodes" }));
        self.0.make("cinder", "v3/{project}/volumes", "volume", &json!({ "size": 1, "name": "etcd" }));
        Ok(true)
    }

    async fn take_name(&self, scope: &Scope) -> Result<Option<Key>> {
        Ok(Some(self.0.take_name(scope)))
    }

    async fn uproot(&self) -> Result<()> {
        self.0.uproot();
        Ok(())
    }

    fn unsupported(&self, scope: &Scope) -> Result<Option<(TaskGraph, Key)>> {
        let mut graph = self.whole(scope, NET);
        graph.add("six", Network::new(["2001:db8::/48".parse().unwrap()]).ipv6(true));
        Ok(Some((graph.build()?, Key::new(Network::KIND, "six"))))
    }

    fn many(&self, scope: &Scope) -> Result<Option<Many>> {
        let mut graph = TaskGraph::builder();
        for number in 0..30 {
            let network = Network::new([]);
            graph.add(&format!("{number}.{}", scope.name()), network);
        }
        Ok(Some(Many::new(graph.build()?, 0)))
    }

    fn can_share(&self, kind: &str) -> bool {
        can_share(kind)
    }

    fn can_retain(&self, kind: &str) -> bool {
        !is_part(kind)
    }
}

struct Machines(Site);

#[derive(Clone, Copy)]
struct Wish {
    flavor: &'static str,
    ttl: u32,
    balanced: bool,
}

const PLAIN: Wish = Wish { flavor: FLAVORS[0], ttl: 60, balanced: true };
/// In the user data of machines.
const SECRET: &str = "correct horse battery staple";

impl Machines {
    fn whole(&self, scope: &Scope, wish: Wish) -> GraphBuilder {
        let mut graph = TaskGraph::builder();
        let (network, subnet) = network(scope, &mut graph);
        let key = graph.add(&format!("key-{}", scope.name()), SshKey::new(KEY));
        let balancer = LoadBalancer::new(network.id(), [subnet.id()])
            .scheme(Scheme::Public)
            .listeners([Listener::new(Protocol::Tcp, 443).target_port(443)]);
        let balancer = graph.add("api", balancer);
        let user_data =
            Input::secret([Part::Text("#!/bin/sh\n".to_owned()), Part::Secret(Secret::new(SECRET))]);
        let group = InstanceGroup::new([subnet.id()], IMAGE, wish.flavor.to_owned())
            .ssh_key(key.id())
            .user_data(user_data)
            .root_disk(InstanceDisk::new(1))
            .load_balancers(wish.balanced.then(|| balancer.id()))
            .labels([("team".to_owned(), "a".to_owned())]);
        graph.add("nodes", group);
        self.0.record(&mut graph, scope, wish.ttl, DnsTarget::LoadBalancer(balancer.id()));
        graph
    }
}

#[async_trait]
impl Fixture for Machines {
    fn cloud(&self) -> Arc<dyn Cloud> {
        self.0.cloud.clone()
    }

    fn graph(&self, scope: &Scope) -> Result<TaskGraph> {
        self.whole(scope, PLAIN).build()
    }

    fn edits(&self, scope: &Scope) -> Result<Vec<Edit>> {
        let edit = |name, wish| Ok::<_, kops_core::Error>(Edit::new(name, self.whole(scope, wish).build()?));
        let record = format!("RecordSet/api.{}", scope.name());
        Ok(vec![
            edit("another type", Wish { flavor: FLAVORS[1], ..PLAIN })?.expect(
                "NovaServer/nodes-1",
                Action::Replace,
                &["flavor"],
            ),
            edit("another time to live", Wish { ttl: 300, ..PLAIN })?.expect(
                &record,
                Action::Update,
                &["ttl"],
            ),
            edit("behind no balancer", Wish { balanced: false, ..PLAIN })?.expect(
                "PoolMembers/api-443",
                Action::Delete,
                &[],
            ),
        ])
    }

    fn stride(&self) -> usize {
        12
    }

    fn retry(&self) -> RetryPolicy {
        retry()
    }

    fn heard(&self, rule: &str, verdict: &Verdict) {
        self.0.heard(rule, verdict);
    }

    async fn quiet(&self) {
        self.0.lab.wait_until_quiet();
    }

    fn requests(&self) -> Option<Requests> {
        Some(self.0.requests())
    }

    async fn inventory(&self) -> Result<Option<Vec<Item>>> {
        Ok(Some(self.0.inventory()))
    }

    async fn plant(&self) -> Result<bool> {
        let group = json!({ "name": "nodes", "policies": ["affinity"] });
        self.0.make("nova", "v2.1/os-server-groups", "server_group", &group);
        Ok(true)
    }

    async fn take_name(&self, scope: &Scope) -> Result<Option<Key>> {
        Ok(Some(self.0.take_name(scope)))
    }

    async fn uproot(&self) -> Result<()> {
        self.0.uproot();
        Ok(())
    }

    fn unsupported(&self, scope: &Scope) -> Result<Option<(TaskGraph, Key)>> {
        let mut graph = self.whole(scope, PLAIN);
        graph.add("etcd", Volume::new(ZONE, 1).iops(100));
        Ok(Some((graph.build()?, Key::new(Volume::KIND, "etcd"))))
    }

    fn can_share(&self, kind: &str) -> bool {
        can_share(kind)
    }

    fn can_retain(&self, kind: &str) -> bool {
        !is_part(kind)
    }

    fn secret(&self) -> Option<&str> {
        Some(SECRET)
    }
}

/// What a record says is its zone's owner's affair: there is no way to name one.
fn can_share(kind: &str) -> bool {
    !is_part(kind) && kind != "RecordSet"
}

/// Whether objects of a kind are inside others: they can be neither shared nor retained by themselves.
fn is_part(kind: &str) -> bool {
    ["RouterInterface", "SecurityGroupRules", "PoolMembers"].contains(&kind)
}

#[tokio::test]
async fn the_contract_is_kept_by_networks() {
    let Some(site) = Site::new().await else { return };
    let report = conformance::run_only(&Networks(site), |rule| !conformance::goes_wrong(rule)).await;
    report.assert_held(&["elsewhere", "secrets"]);
}

#[tokio::test]
async fn the_contract_is_kept_by_networks_when_things_go_wrong() {
    let Some(site) = Site::new().await else { return };
    conformance::run_only(&Networks(site), conformance::goes_wrong).await.assert_held(&[]);
}

#[tokio::test]
#[ignore = "takes some ten minutes: run it with `-- --ignored`"]
async fn the_contract_is_kept_by_machines() {
    let Some(site) = Site::new().await else { return };
    let report = conformance::run_only(&Machines(site), |rule| !conformance::goes_wrong(rule)).await;
    report.assert_held(&["elsewhere", "pages", "budget"]);
}

#[tokio::test]
#[ignore = "takes some ten minutes: run it with `-- --ignored`"]
async fn the_contract_is_kept_by_machines_when_things_go_wrong() {
    let Some(site) = Site::new().await else { return };
    conformance::run_only(&Machines(site), conformance::goes_wrong).await.assert_held(&[]);
}
