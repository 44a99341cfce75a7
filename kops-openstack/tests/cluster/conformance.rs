//! The contract of a cloud, kept by all kinds.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use kops_core::cloud::{Cloud, Scope};
use kops_core::graph::{Document, GraphBuilder, Key, Part, Secret, TaskGraph};
use kops_core::plan::Action;
use kops_core::resource::{
    Address, DnsRecord, DnsTarget, DnsZone, Extensions, Firewall, FirewallRule, FirewallRules, HealthCheck,
    InstanceGroup, InternetGateway, Listener, LoadBalancer, MachineOptions, Network, Peer, Protocol,
    RecordType, Resource, RootVolume, Scheme, SshKey, Subnet, Volume,
};
use kops_core::testing::conformance::{self, Edit, Fixture, Item, Many, Requests};
use kops_core::{Result, graph::Input};
use kops_openstack_lab::{Call, FLAVORS, IMAGE, Lab, ZONE};
use serde_json::{Value, json};

use crate::lab::{KEY, connect};

/// In the user data of machines.
const SECRET: &str = "correct horse battery staple";

struct All {
    lab: Lab,
    cloud: Arc<dyn Cloud>,
    zone: String,
    /// How to delete what belongs to nobody: service and path.
    planted: Mutex<Vec<(&'static str, String)>>,
}

/// What differs between the graphs.
#[derive(Clone, Copy)]
struct Wish {
    flavor: &'static str,
    port: u16,
    ttl: u32,
    volume: bool,
    size: u32,
}

const PLAIN: Wish = Wish { flavor: FLAVORS[0], port: 22, ttl: 60, volume: true, size: 1 };

fn user_data() -> Input<Secret> {
    Input::secret([Part::Text("#!/bin/sh\n".to_owned()), Part::Secret(Secret::new(SECRET))])
}

impl All {
    fn whole(&self, scope: &Scope, wish: Wish) -> GraphBuilder {
        let mut graph = TaskGraph::builder();
        let name = scope.name();
        let network = graph.add(name, Network { cidrs: vec!["10.0.0.0/16".parse().unwrap()], ipv6: false });
        let door = graph.add(name, InternetGateway { network: network.id() });
        let cidr = |third: u8| format!("10.0.{third}.0/24").parse().unwrap();
        let subnet = graph.add("front", Subnet::new(network.id(), cidr(1), ZONE).public(door.id()));
        graph.add("spare", Address {});
        let wall = graph.add("nodes", Firewall { network: network.id(), description: "nodes".to_owned() });
        let rules = [
            FirewallRule::tcp(wish.port, Peer::Cidr("192.0.2.0/24".parse().unwrap())),
            FirewallRule::all_from(Peer::Group(wall.id())),
            FirewallRule::all_to(Peer::Cidr("0.0.0.0/0".parse().unwrap())),
        ];
        graph.add("nodes", FirewallRules { firewall: wall.id(), rules: rules.into() });
        let key = graph.add(&format!("key-{name}"), SshKey::new(KEY));
        let balancer = LoadBalancer {
            network: network.id(),
            subnets: [subnet.id()].into(),
            scheme: Scheme::Public,
            firewalls: [].into(),
            listeners: vec![Listener {
                port: 443,
                protocol: Protocol::Tcp,
                target_port: 443,
                health_check: HealthCheck::default(),
                certificate: None,
            }],
            cross_zone: false,
            extensions: Extensions::default(),
        };
        let balancer = graph.add("api", balancer);
        let group = InstanceGroup {
            subnets: [subnet.id()].into(),
            zones: [].into(),
            image: IMAGE.to_owned(),
            machine_type: wish.flavor.to_owned(),
            min: wish.size,
            max: wish.size,
            firewalls: [wall.id()].into(),
            identity: None,
            ssh_key: Some(key.id()),
            user_data: Some(user_data()),
            root_volume: RootVolume { size: 1, ..RootVolume::default() },
            volumes: [].into(),
            load_balancers: [balancer.id()].into(),
            options: MachineOptions::default(),
            spot: None,
            labels: [("team".to_owned(), "a".to_owned())].into(),
            node_labels: [].into(),
            taints: [].into(),
            extensions: Extensions::default(),
        };
        graph.add("nodes", group);
        if wish.volume {
            graph.add("etcd", Volume { zone: ZONE.to_owned(), size: 1, ..Volume::default() });
        }
        let zone = graph.share::<DnsZone>("zone", DnsZone::selector(&self.zone, false));
        let record = DnsRecord {
            zone: zone.id(),
            name: format!("api.{name}.{}", self.zone),
            record_type: RecordType::A,
            ttl: wish.ttl,
            target: DnsTarget::LoadBalancer(balancer.id()),
        };
        graph.add(&format!("api.{name}"), record);
        graph
    }

    /// Makes something that belongs to nobody, and has it deleted when the rule is over.
    fn make(&self, service: &'static str, path: &str, item: &str, body: &Value) -> String {
        let made = self.lab.rest().call(service, "POST", path, &json!({ (item): body }));
        let made = &made[item];
        let id = made["id"].as_str().or(made["name"].as_str()).unwrap().to_owned();
        self.planted.lock().unwrap().push((service, format!("{path}/{id}")));
        id
    }
}

#[async_trait]
impl Fixture for All {
    fn cloud(&self) -> Arc<dyn Cloud> {
        self.cloud.clone()
    }

    fn graph(&self, scope: &Scope) -> Result<TaskGraph> {
        self.whole(scope, PLAIN).build()
    }

    fn edits(&self, scope: &Scope) -> Result<Vec<Edit>> {
        let edit = |name, wish| Ok::<_, kops_core::Error>(Edit::new(name, self.whole(scope, wish).build()?));
        Ok(vec![
            edit("another type", Wish { flavor: FLAVORS[1], ..PLAIN })?.expect(
                "NovaServer/nodes-1",
                Action::Replace,
                &["flavor"],
            ),
            edit("another port", Wish { port: 443, ..PLAIN })?.expect(
                "SecurityGroupRules/nodes",
                Action::Update,
                &["rules"],
            ),
            edit("another time to live", Wish { ttl: 300, ..PLAIN })?.expect(
                &format!("RecordSet/api.{}", scope.name()),
                Action::Update,
                &["ttl"],
            ),
            edit("one less", Wish { volume: false, ..PLAIN })?.expect(
                "CinderVolume/etcd",
                Action::Delete,
                &[],
            ),
        ])
    }

    fn stride(&self) -> usize {
        16
    }

    fn retry(&self) -> kops_core::RetryPolicy {
        kops_core::RetryPolicy {
            base: std::time::Duration::from_millis(100),
            cap: std::time::Duration::from_secs(2),
            deadline: std::time::Duration::from_mins(2),
        }
    }

    fn requests(&self) -> Option<Requests> {
        let calls = self.lab.calls();
        let count = |calls: usize| u64::try_from(calls).unwrap();
        Some(Requests {
            total: count(calls.len()),
            mutating: count(calls.iter().filter(|call| Call::mutates(call)).count()),
        })
    }

    async fn inventory(&self) -> Result<Option<Vec<Item>>> {
        let inventory = self.lab.inventory();
        let item = |(kind, id, content): (&str, &str, &Value)| Item {
            kind: kind.to_owned(),
            id: id.to_owned(),
            content: Document::from(content.clone()),
        };
        Ok(Some(inventory.all().map(item).collect()))
    }

    async fn plant(&self) -> Result<bool> {
        let network = self.make("neutron", "v2.0/networks", "network", &json!({ "name": "front" }));
        let subnet =
            json!({ "network_id": network, "ip_version": 4, "cidr": "10.0.1.0/24", "name": "front" });
        self.make("neutron", "v2.0/subnets", "subnet", &subnet);
        self.make("neutron", "v2.0/routers", "router", &json!({ "name": "front" }));
        self.make("neutron", "v2.0/security-groups", "security_group", &json!({ "name": "nodes" }));
        let group = json!({ "name": "nodes", "policies": ["affinity"] });
        self.make("nova", "v2.1/os-server-groups", "server_group", &group);
        self.make("cinder", "v3/{project}/volumes", "volume", &json!({ "size": 1, "name": "etcd" }));
        Ok(true)
    }

    async fn take_name(&self, scope: &Scope) -> Result<Option<Key>> {
        let name = format!("key-{}", scope.name());
        let taken = name.replace('.', "-");
        self.make("nova", "v2.1/os-keypairs", "keypair", &json!({ "name": taken, "public_key": KEY }));
        Ok(Some(Key::new("KeyPair", &name)))
    }

    async fn uproot(&self) -> Result<()> {
        let planted = std::mem::take(&mut *self.planted.lock().unwrap());
        for (service, path) in planted.into_iter().rev() {
            self.lab.rest().call(service, "DELETE", &path, &Value::Null);
        }
        Ok(())
    }

    fn unsupported(&self, scope: &Scope) -> Result<Option<(TaskGraph, Key)>> {
        let mut graph = self.whole(scope, PLAIN);
        graph.add("six", Network { cidrs: vec!["2001:db8::/48".parse().unwrap()], ipv6: true });
        Ok(Some((graph.build()?, Key::new(Network::KIND, "six"))))
    }

    fn many(&self, scope: &Scope) -> Result<Option<Many>> {
        let mut graph = TaskGraph::builder();
        for number in 0..30 {
            let network = Network { cidrs: Vec::new(), ipv6: false };
            graph.add(&format!("{number}.{}", scope.name()), network);
        }
        Ok(Some(Many { graph: graph.build()?, further_requests: 0 }))
    }

    fn can_share(&self, kind: &str) -> bool {
        !is_part(kind) && kind != "RecordSet"
    }

    fn can_retain(&self, kind: &str) -> bool {
        !is_part(kind)
    }

    fn secret(&self) -> Option<&str> {
        Some(SECRET)
    }
}

/// Whether objects of a kind are inside others: they can be neither shared nor retained by themselves.
fn is_part(kind: &str) -> bool {
    ["RouterInterface", "SecurityGroupRules", "PoolMembers"].contains(&kind)
}

#[tokio::test]
#[ignore = "takes some twenty minutes: run it with `-- --ignored`"]
async fn the_contract_is_kept() {
    let Some(lab) = Lab::start() else { return };
    let zone = format!("{}.example.com", lab.name());
    lab.create_zone(&zone);
    let cloud = connect(&lab).await;
    let report = conformance::run(&All { lab, cloud, zone, planted: Mutex::default() }).await;
    assert!(report.is_clean(), "{report}");
    assert!(report.skipped().is_empty(), "{report}");
}
