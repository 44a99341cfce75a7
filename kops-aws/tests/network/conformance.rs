//! The contract of a cloud, kept by the kinds of a network.

use std::sync::Arc;

use async_trait::async_trait;
use kops_core::Result;
use kops_core::cloud::{Cloud, Scope};
use kops_core::graph::{GraphBuilder, Handle, Key, TaskGraph};
use kops_core::plan::Action;
use kops_core::resource::{
    Access, Address, Firewall, FirewallRule, FirewallRules, InternetGateway, NatGateway, Network, Peer,
    Resource, Subnet,
};
use kops_core::testing::conformance::{self, Edit, Fixture, Item, Requests};
use serde_json::{Value, json};

use crate::on_moto::{OnMoto, is_part};

struct Networks(OnMoto);

/// What differs between the graphs.
#[derive(Clone, Copy)]
struct Wish {
    ipv6: bool,
    range: &'static str,
    port: u16,
    public: bool,
    second: bool,
}

const PLAIN: Wish = Wish { ipv6: true, range: "10.1.0.0/16", port: 22, public: false, second: true };

fn network(wish: Wish) -> GraphBuilder {
    let mut graph = TaskGraph::builder();
    let cidrs = vec!["10.0.0.0/16".parse().unwrap(), wish.range.parse().unwrap()];
    let network = graph.add("main", Network::new(cidrs).ipv6(wish.ipv6));
    let door = graph.add("main", InternetGateway::new(network.id()));
    let cidr = |third: u8| format!("10.0.{third}.0/24").parse().unwrap();
    let utility = Subnet::new(network.id(), cidr(0)).zone("us-east-1a").public(door.id());
    let access = if wish.public { Access::Public } else { Access::Utility };
    let utility = graph.add("utility", utility.access(access));
    graph.add("spare", Address::new());
    let address = graph.add("nat", Address::new());
    let nat = NatGateway::new(network.id(), address.id()).subnet(utility.id());
    let nat = graph.add("nat", nat);
    graph.add("one", Subnet::new(network.id(), cidr(1)).zone("us-east-1a").behind(nat.id()));
    if wish.second {
        graph.add("two", Subnet::new(network.id(), cidr(2)).zone("us-east-1b").behind(nat.id()));
    }
    let group = |graph: &mut GraphBuilder, name: &str| graph.add(name, Firewall::new(network.id(), name));
    let (nodes, masters) = (group(&mut graph, "nodes"), group(&mut graph, "masters"));
    let mut rules = |of: &Handle<Firewall>, rules: Vec<FirewallRule>| {
        let rules = FirewallRules::new(of.id(), rules);
        graph.add(of.key().name(), rules);
    };
    let out = FirewallRule::all_to(Peer::Cidr("0.0.0.0/0".parse().unwrap()));
    let address = Peer::Address(nat.get(NatGateway::PUBLIC_IP));
    rules(&nodes, vec![FirewallRule::all_from(Peer::Group(masters.id())), out.clone()]);
    rules(
        &masters,
        vec![FirewallRule::tcp(wish.port, address), FirewallRule::all_from(Peer::Group(nodes.id()))],
    );
    graph
}

impl Networks {
    fn make(&self, call: &str, arguments: Value, id: &[&str], delete: &'static str, by: &str) -> Value {
        let id = self.0.make("ec2", call, arguments, id);
        self.0.delete_later("ec2", delete, json!({ by: id }));
        id
    }
}

#[async_trait]
impl Fixture for Networks {
    fn cloud(&self) -> Arc<dyn Cloud> {
        self.0.cloud.clone()
    }

    fn graph(&self, _: &Scope) -> Result<TaskGraph> {
        network(PLAIN).build()
    }

    fn edits(&self, _: &Scope) -> Result<Vec<Edit>> {
        let edit = |name, wish| Ok::<_, kops_core::Error>(Edit::new(name, network(wish).build()?));
        Ok(vec![
            edit("another port", Wish { port: 443, ..PLAIN })?.expect(
                "SecurityGroupRules/masters",
                Action::Update,
                &["rules"],
            ),
            edit("another range", Wish { range: "10.2.0.0/16", ..PLAIN })?
                .expect("VpcCidrBlock/main:10.2.0.0/16", Action::Create, &[])
                .expect("VpcCidrBlock/main:10.1.0.0/16", Action::Delete, &[]),
            edit("open to machines", Wish { public: true, ..PLAIN })?.expect(
                "Ec2Subnet/utility",
                Action::Update,
                &["map_public_ip"],
            ),
            edit("one less", Wish { second: false, ..PLAIN })?
                .expect("Ec2Subnet/two", Action::Delete, &[])
                .expect("RouteTableAssociation/two", Action::Delete, &[]),
        ])
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
        let vpc = json!({ "CidrBlock": "10.0.0.0/16" });
        let vpc = self.make("create_vpc", vpc, &["Vpc", "VpcId"], "delete_vpc", "VpcId");
        let subnet = json!({ "VpcId": vpc, "CidrBlock": "10.0.0.0/24" });
        self.make("create_subnet", subnet, &["Subnet", "SubnetId"], "delete_subnet", "SubnetId");
        let group = json!({ "VpcId": vpc, "GroupName": "nodes", "Description": "theirs" });
        self.make("create_security_group", group, &["GroupId"], "delete_security_group", "GroupId");
        let table = json!({ "VpcId": vpc });
        let id = ["RouteTable", "RouteTableId"];
        self.make("create_route_table", table, &id, "delete_route_table", "RouteTableId");
        let id = ["InternetGateway", "InternetGatewayId"];
        let delete = "delete_internet_gateway";
        self.make("create_internet_gateway", json!({}), &id, delete, "InternetGatewayId");
        self.make("allocate_address", json!({}), &["AllocationId"], "release_address", "AllocationId");
        Ok(true)
    }

    fn elsewhere(&self) -> Option<Arc<dyn Cloud>> {
        Some(self.0.elsewhere.clone())
    }

    /// Zones are called otherwise there.
    fn graph_elsewhere(&self, _: &Scope) -> Result<TaskGraph> {
        let mut graph = TaskGraph::builder();
        let cidrs = vec!["10.0.0.0/16".parse().unwrap()];
        let network = graph.add("main", Network::new(cidrs));
        graph.add("main", InternetGateway::new(network.id()));
        graph.add("spare", Address::new());
        graph.add("nodes", Firewall::new(network.id(), "nodes"));
        graph.build()
    }

    async fn uproot(&self) -> Result<()> {
        self.0.uproot();
        Ok(())
    }

    fn unsupported(&self, _: &Scope) -> Result<Option<(TaskGraph, Key)>> {
        let mut graph = network(PLAIN);
        graph.add("six", Network::new(["2001:db8::/48".parse().unwrap()]).ipv6(true));
        Ok(Some((graph.build()?, Key::new(Network::KIND, "six"))))
    }

    fn can_share(&self, kind: &str) -> bool {
        // What is in another object cannot be somebody else's alone.
        !is_part(kind)
    }

    fn can_retain(&self, kind: &str) -> bool {
        !is_part(kind)
    }
}

#[tokio::test]
async fn the_contract_is_kept() {
    let networks = Networks(OnMoto::new().await);
    let report = conformance::run_only(&networks, |rule| !conformance::goes_wrong(rule)).await;
    // Names are no identities here, a page of a listing holds a thousand, and no kind takes secrets.
    report.assert_held(&["taken_name", "pages", "budget", "secrets"]);
}

#[tokio::test]
async fn the_contract_is_kept_when_things_go_wrong() {
    let networks = Networks(OnMoto::new().await);
    conformance::run_only(&networks, conformance::goes_wrong).await.assert_held(&[]);
}
