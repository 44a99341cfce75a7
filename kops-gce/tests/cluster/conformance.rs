//! The contract of a cloud, kept by the kinds of a network and by those of machines.

use std::sync::Arc;

use async_trait::async_trait;
use kops_cluster::extensions::{ClusterIdentity, MachineRole};
use kops_core::Result;
use kops_core::cloud::{Cloud, Scope};
use kops_core::graph::{GraphBuilder, Handle, Key, TaskGraph};
use kops_core::plan::Action;
use kops_core::resource::{
    Address, DnsRecord, DnsTarget, DnsZone, Egress, Firewall, FirewallRule, FirewallRules, Instance,
    InstanceDisk, InternetGateway, NatGateway, Network, Peer, RecordType, Resource, Scheme, Subnet, Volume,
};
use kops_core::testing::conformance::{self, Edit, Fixture, Item, Many, Requests};
use kops_gce_emulator::IMAGE;
use serde_json::json;

use crate::lab::ZONES;
use crate::on_emulator::OnEmulator;
use crate::site::{Site, listener, user_data};

struct Networks(OnEmulator);

/// What differs between the graphs.
#[derive(Clone, Copy)]
struct Net {
    port: u16,
    second: bool,
}

const NET: Net = Net { port: 22, second: true };

fn network(scope: &Scope, wish: Net) -> GraphBuilder {
    // Names are the project's: those of two scopes must differ.
    let named = |own: &str| format!("{own}.{}", scope.name());
    let mut graph = TaskGraph::builder();
    let network = graph.add(&named("main"), Network::new([]));
    graph.add(&named("main"), InternetGateway::new(network.id()));
    graph.add(&named("spare"), Address::new());
    let address = graph.add(&named("nat"), Address::new());
    let nat = NatGateway::new(network.id(), address.id());
    let nat = graph.add(&named("nat"), nat);
    let subnet = |cidr: &str| Subnet::new(network.id(), cidr.parse().unwrap()).egress(Egress::Nat(nat.id()));
    graph.add(&named("one"), subnet("10.0.1.0/24"));
    if wish.second {
        graph.add(&named("two"), subnet("10.0.2.0/24"));
    }
    let group =
        |graph: &mut GraphBuilder, name: &str| graph.add(&named(name), Firewall::new(network.id(), name));
    let (nodes, masters) = (group(&mut graph, "nodes"), group(&mut graph, "masters"));
    let mut rules = |of: &Handle<Firewall>, rules: Vec<FirewallRule>| {
        let rules = FirewallRules::new(of.id(), rules);
        graph.add(of.key().name(), rules);
    };
    let out = FirewallRule::all_to(Peer::Cidr("0.0.0.0/0".parse().unwrap()));
    rules(&nodes, vec![FirewallRule::all_from(Peer::Group(masters.id())), out]);
    let door = Peer::Address(address.get(Address::IP));
    let both = vec![FirewallRule::tcp(443, door), FirewallRule::tcp(wish.port, Peer::Group(nodes.id()))];
    rules(&masters, both);
    graph
}

#[async_trait]
impl Fixture for Networks {
    fn cloud(&self) -> Arc<dyn Cloud> {
        self.0.cloud.clone()
    }

    fn graph(&self, scope: &Scope) -> Result<TaskGraph> {
        network(scope, NET).build()
    }

    fn edits(&self, scope: &Scope) -> Result<Vec<Edit>> {
        let edit = |name, wish| Ok::<_, kops_core::Error>(Edit::new(name, network(scope, wish).build()?));
        let of = |kind: &str, name: &str| format!("{kind}/{name}.{}", scope.name());
        Ok(vec![
            edit("another port", Net { port: 2222, ..NET })?.expect(
                &format!("GceFirewall/nodes.{0}-to-masters.{0}", scope.name()),
                Action::Update,
                &["allowed"],
            ),
            edit("one less", Net { second: false, ..NET })?
                .expect(&of("Subnetwork", "two"), Action::Delete, &[])
                .expect(
                    &of("Router", "nat"),
                    Action::Update,
                    &[&format!("nats.nat-{}.subnetworks", scope.name().replace('.', "-"))],
                ),
        ])
    }

    fn scope(&self, rule: &str) -> Scope {
        scope_of(rule)
    }

    fn stride(&self) -> usize {
        4
    }

    fn requests(&self) -> Option<Requests> {
        Some(self.0.requests())
    }

    async fn inventory(&self) -> Result<Option<Vec<Item>>> {
        Ok(Some(self.0.inventory()))
    }

    async fn plant(&self) -> Result<bool> {
        let path = format!("projects/{}/global/networks/theirs", self.0.google.project());
        let region = json!({ "region": "europe-west1" });
        let delete = "compute.networks.delete";
        let body = json!({ "name": "theirs", "autoCreateSubnetworks": false });
        self.0.plant("compute.networks.insert", json!({}), body, delete, json!({ "network": "theirs" }));
        let body = json!({ "name": "theirs", "network": path, "ipCidrRange": "10.0.1.0/24" });
        let id = json!({ "region": "europe-west1", "subnetwork": "theirs" });
        self.0.plant("compute.subnetworks.insert", region.clone(), body, "compute.subnetworks.delete", id);
        let body = json!({ "name": "theirs", "network": path, "allowed": [{ "IPProtocol": "tcp" }] });
        let id = json!({ "firewall": "theirs" });
        self.0.plant("compute.firewalls.insert", json!({}), body, "compute.firewalls.delete", id);
        let id = json!({ "region": "europe-west1", "address": "theirs" });
        let body = json!({ "name": "theirs" });
        self.0.plant("compute.addresses.insert", region.clone(), body, "compute.addresses.delete", id);
        let id = json!({ "region": "europe-west1", "router": "theirs" });
        let body = json!({ "name": "theirs", "network": path });
        self.0.plant("compute.routers.insert", region, body, "compute.routers.delete", id);
        Ok(true)
    }

    async fn take_name(&self, scope: &Scope) -> Result<Option<Key>> {
        let task = format!("main.{}", scope.name());
        let name = task.replace('.', "-");
        let body = json!({ "name": name, "autoCreateSubnetworks": false });
        let id = json!({ "network": name });
        self.0.plant("compute.networks.insert", json!({}), body, "compute.networks.delete", id);
        Ok(Some(Key::new("GceNetwork", &task)))
    }

    fn elsewhere(&self) -> Option<Arc<dyn Cloud>> {
        Some(self.0.elsewhere.clone())
    }

    async fn uproot(&self) -> Result<()> {
        self.0.uproot();
        Ok(())
    }

    fn unsupported(&self, scope: &Scope) -> Result<Option<(TaskGraph, Key)>> {
        let mut graph = network(scope, NET);
        graph.add("six", Network::new(["2001:db8::/48".parse().unwrap()]).ipv6(true));
        Ok(Some((graph.build()?, Key::new(Network::KIND, "six"))))
    }
}

/// Short, as kOps' own names are cut off at 63 characters.
fn scope_of(rule: &str) -> Scope {
    Scope::new(format!("{}.conformance", rule.replace('_', "-")))
}

struct Machines(OnEmulator);

#[derive(Clone, Copy)]
struct Wish {
    machine_type: &'static str,
    size: (u32, u32),
    ttl: u32,
    volume: bool,
    /// Whether the single machine is behind the load balancer and has an address.
    served: bool,
}

const PLAIN: Wish = Wish { machine_type: "n2-standard-2", size: (1, 2), ttl: 60, volume: true, served: true };
/// In the user data of machines.
const SECRET: &str = "correct horse battery staple";

fn machines(scope: &Scope, wish: Wish) -> TaskGraph {
    let cluster = scope.name();
    let mut site = Site::of(cluster);
    let balancer = site.balancer(Scheme::Public, vec![listener(443)]);
    site.group("nodes", |group| {
        wish.machine_type.clone_into(&mut group.machine_type);
        (group.min, group.max) = wish.size;
        group.user_data = Some(user_data(SECRET));
        group.load_balancers.insert(balancer.id());
    });
    if wish.volume {
        let volume = Volume::new(ZONES[0], 20);
        site.graph.add(&format!("a.etcd-main.{cluster}"), volume);
    }
    let address = site.graph.add(&format!("tool.{cluster}"), Address::new());
    let tool = Instance::new(site.subnet.id(), IMAGE, "e2-medium")
        .root_disk(InstanceDisk::new(32))
        .labels([("topology.kubernetes.io/zone".to_owned(), ZONES[0].to_owned())])
        .load_balancers(wish.served.then(|| balancer.id()))
        .address(wish.served.then(|| address.id()));
    site.graph.add(&format!("tool.{cluster}"), tool);
    let zone = site.graph.share::<DnsZone>("conformance", DnsZone::selector("conformance", false));
    let api = DnsRecord::new(
        zone.id(),
        format!("api.{cluster}"),
        RecordType::A,
        DnsTarget::LoadBalancer(balancer.id()),
    )
    .ttl_seconds(wish.ttl);
    site.graph.add(&format!("api.{cluster}"), api);
    site.build()
}

#[async_trait]
impl Fixture for Machines {
    fn cloud(&self) -> Arc<dyn Cloud> {
        self.0.cloud.clone()
    }

    fn graph(&self, scope: &Scope) -> Result<TaskGraph> {
        Ok(machines(scope, PLAIN))
    }

    fn edits(&self, scope: &Scope) -> Result<Vec<Edit>> {
        let edit = |name, wish| Edit::new(name, machines(scope, wish));
        let of = |kind: &str, name: &str| format!("{kind}/{name}.{}", scope.name());
        Ok(vec![
            edit("another type", Wish { machine_type: "n2-standard-4", ..PLAIN })
                .expect(&of("InstanceTemplate", "nodes"), Action::Replace, &["machine.machine_type"])
                .expect(&of("InstanceGroupManager", "b.nodes"), Action::Update, &["template"]),
            edit("more machines", Wish { size: (3, 4), ..PLAIN }).expect(
                &of("InstanceGroupManager", "b.nodes"),
                Action::Update,
                &["size.max", "size.min"],
            ),
            edit("another time to live", Wish { ttl: 300, ..PLAIN }).expect(
                &of("ResourceRecordSet", "api"),
                Action::Update,
                &["ttl"],
            ),
            edit("a machine without address and load balancer", Wish { served: false, ..PLAIN })
                .expect(&of("GceInstance", "tool"), Action::Update, &["address", "public_ip", "tags"])
                .expect(&of("BackendService", "api"), Action::Update, &["groups"])
                .expect(&of("UnmanagedInstanceGroup", "tool"), Action::Delete, &[]),
            edit("one less", Wish { volume: false, ..PLAIN }).expect(
                &of("Disk", "a.etcd-main"),
                Action::Delete,
                &[],
            ),
        ])
    }

    fn scope(&self, rule: &str) -> Scope {
        scope_of(rule)
    }

    fn stride(&self) -> usize {
        8
    }

    fn requests(&self) -> Option<Requests> {
        Some(self.0.requests())
    }

    async fn inventory(&self) -> Result<Option<Vec<Item>>> {
        Ok(Some(self.0.inventory()))
    }

    async fn plant(&self) -> Result<bool> {
        let zone = json!({ "zone": ZONES[0] });
        let region = json!({ "region": "europe-west1" });
        let project = self.0.google.project().to_owned();
        let body = json!({ "name": "theirs", "sizeGb": "20" });
        let id = json!({ "zone": ZONES[0], "disk": "theirs" });
        self.0.plant("compute.disks.insert", zone, body, "compute.disks.delete", id);
        let body = json!({ "name": "theirs", "type": "TCP", "tcpHealthCheck": { "port": 80 } });
        let id = json!({ "region": "europe-west1", "healthCheck": "theirs" });
        self.0.plant(
            "compute.regionHealthChecks.insert",
            region,
            body,
            "compute.regionHealthChecks.delete",
            id,
        );
        let account = json!({ "accountId": "theirs-too", "serviceAccount": { "displayName": "theirs" } });
        let name = json!({ "name": format!("projects/{project}") });
        let id = json!({ "name": format!("projects/{project}/serviceAccounts/theirs-too@{project}.iam.gserviceaccount.com") });
        self.0.plant(
            "iam.projects.serviceAccounts.create",
            name,
            account,
            "iam.projects.serviceAccounts.delete",
            id,
        );
        Ok(true)
    }

    async fn take_name(&self, scope: &Scope) -> Result<Option<Key>> {
        let task = format!("a.etcd-main.{}", scope.name());
        let name = task.replace('.', "-");
        let id = json!({ "zone": ZONES[0], "disk": name });
        let body = json!({ "name": name, "sizeGb": "20" });
        self.0.plant("compute.disks.insert", json!({ "zone": ZONES[0] }), body, "compute.disks.delete", id);
        Ok(Some(Key::new("Disk", &task)))
    }

    fn elsewhere(&self) -> Option<Arc<dyn Cloud>> {
        Some(self.0.elsewhere.clone())
    }

    /// What a project has in all regions, and a disk, which is listed for all zones. Zones are called otherwise there.
    fn graph_elsewhere(&self, scope: &Scope) -> Result<TaskGraph> {
        let cluster = scope.name();
        let mut graph = TaskGraph::builder();
        graph.add(&format!("nodes.{cluster}"), ClusterIdentity::of(MachineRole::Node).identity().unwrap());
        let volume = Volume::new("us-east1-b", 20);
        graph.add(&format!("a.etcd-main.{cluster}"), volume);
        let zone = graph.share::<DnsZone>("conformance", DnsZone::selector("conformance", false));
        let api = DnsRecord::new(
            zone.id(),
            format!("api.{cluster}"),
            RecordType::A,
            DnsTarget::Values(["192.0.2.1".into()].into()),
        );
        graph.add(&format!("api.{cluster}"), api);
        graph.build()
    }

    async fn uproot(&self) -> Result<()> {
        self.0.uproot();
        Ok(())
    }

    fn unsupported(&self, scope: &Scope) -> Result<Option<(TaskGraph, Key)>> {
        let mut site = Site::of(scope.name());
        let balancer = site.balancer(Scheme::Public, vec![listener(443).target_port(6443)]);
        Ok(Some((site.build(), balancer.key().clone())))
    }

    /// More templates and groups than a page holds, which is smaller here than Google's.
    fn many(&self, scope: &Scope) -> Result<Option<Many>> {
        let mut site = Site::of(scope.name());
        for number in 0..60 {
            let group = site.bare_group().min(0);
            site.graph.add(&format!("nodes-{number}.{}", scope.name()), group);
        }
        // Of templates and of group managers a second page each.
        Ok(Some(Many::new(site.build(), 2)))
    }

    fn can_share(&self, kind: &str) -> bool {
        // What is in the project's policy, what a record says, is its owner's affair alone: there is no way to
        // name one.
        !["ProjectIamBinding", "ResourceRecordSet"].contains(&kind)
    }

    fn can_retain(&self, kind: &str) -> bool {
        kind != "ProjectIamBinding"
    }

    fn secret(&self) -> Option<&str> {
        Some(SECRET)
    }
}

#[tokio::test]
async fn the_contract_is_kept_by_networks() {
    let report = conformance::run(&Networks(OnEmulator::new().await)).await;
    report.assert_held(&["pages", "budget", "secrets"]);
}

#[tokio::test]
async fn the_contract_is_kept_by_machines() {
    let fixture = Machines(OnEmulator::new().await);
    fixture.0.google.create_zone("conformance");
    fixture.0.google.set_page_size(50);
    conformance::run(&fixture).await.assert_held(&[]);
}
