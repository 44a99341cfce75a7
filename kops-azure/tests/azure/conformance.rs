//! The contract of a cloud, kept by all kinds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use kops_azure::Azure;
use kops_azure_emulator::{Emulator, REGION};
use kops_cluster::extensions::MachineRole;
use kops_core::Result;
use kops_core::cloud::{Cloud, Scope};
use kops_core::graph::{Input, Key, Secret, TaskGraph};
use kops_core::plan::Action;
use kops_core::resource::{
    Address, DnsRecord, DnsTarget, DnsZone, Network, RecordType, Resource, Scheme, Volume,
};
use kops_core::testing::conformance::{self, Edit, Fixture, Item, Many, Requests};
use serde_json::json;

use crate::lab::{Site, builder, connect, listener, open_subnet};

/// In the user data of machines.
const SECRET: &str = "correct horse battery staple";
/// Zones have two labels at least.
const ZONE: &str = "conformance.test";
const FOREIGN: &str = "resourceGroups/theirs-of-nobody";

struct OnAzure {
    emulator: Emulator,
    azure: Arc<Azure>,
    /// The same subscription in another region.
    elsewhere: Arc<Azure>,
    machines: bool,
    planted: AtomicBool,
    taken: std::sync::Mutex<Vec<String>>,
}

impl OnAzure {
    async fn new(machines: bool) -> Self {
        let emulator = Emulator::start();
        emulator.create_zone("dns", ZONE);
        let azure = connect(&emulator).await;
        let elsewhere = Arc::new(builder(&emulator).location("northeurope").build().await.unwrap());
        Self {
            emulator,
            azure,
            elsewhere,
            machines,
            planted: AtomicBool::new(false),
            taken: std::sync::Mutex::default(),
        }
    }

    fn of(&self, scope: &Scope, wish: Wish) -> TaskGraph {
        if self.machines { machines(scope, wish) } else { network(scope, wish) }
    }
}

/// What differs between the graphs.
#[derive(Clone, Copy)]
struct Wish {
    range: bool,
    port: u16,
    second: bool,
    size: &'static str,
    most: u32,
    ttl: u32,
    volume: u32,
}

const PLAIN: Wish =
    Wish { range: false, port: 443, second: true, size: "Standard_D2s_v5", most: 2, ttl: 60, volume: 20 };

fn network(scope: &Scope, wish: Wish) -> TaskGraph {
    let ranges: &[&str] = if wish.range { &["10.0.0.0/16", "10.1.0.0/16"] } else { &["10.0.0.0/16"] };
    let mut site = Site::in_ranges(scope.name(), ranges);
    let mut balancer_port = listener(wish.port);
    balancer_port.target_port = 443;
    let api = kops_core::resource::LoadBalancer::new(site.network.id(), [site.subnet.id()])
        .scheme(Scheme::Public)
        .listeners([balancer_port])
        .extensions(kops_core::resource::Extensions::default());
    site.graph.add(&format!("api.{}", scope.name()), api);
    let zone = DnsZone::new(format!("in.{}", scope.name())).network(site.network.id());
    site.graph.add(&format!("in.{}", scope.name()), zone);
    if wish.second {
        open_subnet(&mut site, 32);
    }
    site.graph.add(&format!("spare.{}", scope.name()), Address::new());
    site.build()
}

fn machines(scope: &Scope, wish: Wish) -> TaskGraph {
    let cluster = scope.name();
    let mut site = Site::of(cluster);
    let identity = site.identity("masters", MachineRole::ControlPlane);
    let api = site.balancer(Scheme::Internal);
    let mut group = site
        .group(&[1])
        .max(wish.most)
        .identity(identity.id())
        .load_balancers([api.id()])
        .user_data(Input::Known(Secret::new(SECRET)));
    wish.size.clone_into(&mut group.machine_type);
    site.graph.add(&format!("nodes.{cluster}"), group);
    if wish.second {
        let volume = Volume::new(format!("{REGION}-1"), wish.volume);
        site.graph.add(&format!("a.etcd-main.{cluster}"), volume);
    }
    let zone = site.graph.share::<DnsZone>(ZONE, DnsZone::selector(ZONE, false));
    let record = DnsRecord::new(
        zone.id(),
        format!("api.{cluster}"),
        RecordType::A,
        DnsTarget::Values(["192.0.2.1".into()].into()),
    )
    .ttl_seconds(wish.ttl);
    site.graph.add(&format!("api.{cluster}"), record);
    site.build()
}

#[async_trait]
impl Fixture for OnAzure {
    fn cloud(&self) -> Arc<dyn Cloud> {
        self.azure.clone()
    }

    fn scope(&self, rule: &str) -> Scope {
        Scope::new(format!("{}.{ZONE}", rule.replace('_', "-")))
    }

    fn graph(&self, scope: &Scope) -> Result<TaskGraph> {
        Ok(self.of(scope, PLAIN))
    }

    fn edits(&self, scope: &Scope) -> Result<Vec<Edit>> {
        let cluster = scope.name();
        let edit = |name, wish| Edit::new(name, self.of(scope, wish));
        let of = |kind: &str, name: &str| format!("{kind}/{name}.{cluster}");
        if !self.machines {
            return Ok(vec![
                edit("another port", Wish { port: 8443, ..PLAIN }).expect(
                    &of("AzureLoadBalancer", "api"),
                    Action::Update,
                    &["rules"],
                ),
                edit("another range", Wish { range: true, ..PLAIN }).expect(
                    &format!("VirtualNetwork/{cluster}"),
                    Action::Update,
                    &["cidrs"],
                ),
                edit("one less", Wish { second: false, ..PLAIN }).expect(
                    &of("AzureSubnet", "more-32"),
                    Action::Delete,
                    &[],
                ),
            ]);
        }
        Ok(vec![
            edit("another type", Wish { size: "Standard_D4s_v5", ..PLAIN }).expect(
                &of("VirtualMachineScaleSet", "nodes"),
                Action::Update,
                &["machine_type"],
            ),
            edit("more machines", Wish { most: 3, ..PLAIN }).expect(
                &of("VirtualMachineScaleSet", "nodes"),
                Action::Update,
                &["max_size"],
            ),
            edit("another time to live", Wish { ttl: 300, ..PLAIN }).expect(
                &of("AzureRecordSet", "api"),
                Action::Update,
                &["ttl"],
            ),
            edit("one less", Wish { second: false, ..PLAIN }).expect(
                &of("ManagedDisk", "a.etcd-main"),
                Action::Delete,
                &[],
            ),
        ])
    }

    fn stride(&self) -> usize {
        8
    }

    fn requests(&self) -> Option<Requests> {
        let calls = self.emulator.calls();
        let count = |count: usize| u64::try_from(count).unwrap();
        Some(Requests::new(count(calls.total()), count(calls.mutations(&[]).len())))
    }

    async fn inventory(&self) -> Result<Option<Vec<Item>>> {
        let snapshot = self.emulator.snapshot();
        let kinds = [
            "resourceGroups",
            "virtualNetworks",
            "networkSecurityGroups",
            "applicationSecurityGroups",
            "routeTables",
            "natGateways",
            "publicIPAddresses",
            "loadBalancers",
            "virtualMachineScaleSets",
            "disks",
            "sshPublicKeys",
            "userAssignedIdentities",
            "roleAssignments",
            "dnszones",
            "privateDnsZones",
        ];
        let items = kinds.iter().flat_map(|kind| {
            snapshot.objects(kind).map(move |(id, content)| {
                // How many records a zone has follows from them.
                let content = if kind.contains("nsZones") || kind.contains("dnszones") {
                    json!(null)
                } else {
                    content.clone()
                };
                Item::new(*kind, id, content)
            })
        });
        Ok(Some(items.collect()))
    }

    async fn plant(&self) -> Result<bool> {
        self.emulator.seed_foreign_into("nobody.example.com", "theirs-of-nobody");
        self.planted.store(true, Ordering::Relaxed);
        Ok(true)
    }

    async fn take_name(&self, scope: &Scope) -> Result<Option<Key>> {
        let group = self.azure.resource_group(scope);
        self.emulator.create_group(&group);
        self.taken.lock().unwrap().push(format!("resourceGroups/{group}"));
        Ok(Some(Key::new("ResourceGroup", &group)))
    }

    fn elsewhere(&self) -> Option<Arc<dyn Cloud>> {
        Some(self.elsewhere.clone())
    }

    /// Zones are called otherwise there.
    fn graph_elsewhere(&self, scope: &Scope) -> Result<TaskGraph> {
        Ok(network(scope, PLAIN))
    }

    async fn uproot(&self) -> Result<()> {
        if self.planted.swap(false, Ordering::Relaxed) {
            self.emulator.request("DELETE", FOREIGN, json!({}));
        }
        for path in std::mem::take(&mut *self.taken.lock().unwrap()) {
            self.emulator.request("DELETE", &path, json!({}));
        }
        Ok(())
    }

    fn unsupported(&self, scope: &Scope) -> Result<Option<(TaskGraph, Key)>> {
        let mut site = Site::of(scope.name());
        site.graph.add("six", Network::new(["2001:db8::/48".parse().unwrap()]).ipv6(true));
        Ok(Some((site.build(), Key::new(Network::KIND, "six"))))
    }

    fn many(&self, scope: &Scope) -> Result<Option<Many>> {
        let mut site = Site::of(scope.name());
        for number in 0..60 {
            site.graph.add(&format!("spare-{number}.{}", scope.name()), Address::new());
        }
        // A page of the emulator holds fifty.
        Ok(Some(Many::new(site.build(), 1)))
    }

    fn can_share(&self, kind: &str) -> bool {
        // What is in another object is its owner's alone.
        !["VirtualNetworkLink", "AzureRecordSet"].contains(&kind)
    }

    fn can_retain(&self, kind: &str) -> bool {
        !["AzureSubnet", "ResourceGroup"].contains(&kind)
    }

    fn secret(&self) -> Option<&str> {
        self.machines.then_some(SECRET)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_keep_the_contract() {
    conformance::run(&OnAzure::new(false).await).await.assert_held(&["secrets"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_keep_the_contract() {
    let machines = OnAzure::new(true).await;
    conformance::run_only(&machines, |rule| !conformance::goes_wrong(rule)).await.assert_held(&[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_keep_the_contract_when_things_go_wrong() {
    let machines = OnAzure::new(true).await;
    conformance::run_only(&machines, conformance::goes_wrong).await.assert_held(&[]);
}
