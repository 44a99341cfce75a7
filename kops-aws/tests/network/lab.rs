//! A cluster's name, an account, and what is done to them again and again.

use std::sync::Arc;

use kops_aws::Aws;
use kops_core::cloud::Scope;
use kops_core::graph::{GraphBuilder, Handle, TaskGraph};
use kops_core::plan::Plan;
use kops_core::resource::{
    Access, Address, Egress, Firewall, FirewallRule, FirewallRules, InternetGateway, NatGateway, Network,
    Peer, Subnet,
};
use kops_core::testing::FastClock;
use kops_core::{Engine, Result};
use kops_moto::{Moto, Snapshot};

pub(crate) const CLUSTER: &str = "ha.example.com";
pub(crate) const ZONES: [&str; 3] = ["us-east-1a", "us-east-1b", "us-east-1c"];

/// The labels of subnets for Kubernetes' load balancers, which a cluster's model sets.
pub(crate) const PUBLIC: &str = "kubernetes.io/role/elb";
pub(crate) const INTERNAL: &str = "kubernetes.io/role/internal-elb";

pub(crate) struct Lab {
    pub(crate) moto: Moto,
    pub(crate) engine: Engine,
    /// The account before anything was done.
    pub(crate) before: Snapshot,
}

impl Lab {
    /// An account in which others have something of every kind.
    pub(crate) async fn new() -> Self {
        let moto = Moto::start();
        moto.seed_foreign(CLUSTER);
        Self::on(moto).await
    }

    /// An account as AWS gives it.
    pub(crate) async fn bare() -> Self {
        Self::on(Moto::start()).await
    }

    async fn on(moto: Moto) -> Self {
        let engine = Engine::new(connect(&moto).await, Scope::new(CLUSTER));
        let before = moto.snapshot();
        Self { moto, engine, before }
    }

    /// The changes that a graph needs, as `action Kind/name: fields`.
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

    /// A plan finds nothing to do, and changes nothing.
    pub(crate) async fn assert_settled(&self, graph: &TaskGraph) {
        self.moto.forget_calls();
        assert_eq!(self.changes(graph).await, Vec::<String>::new());
        assert!(self.moto.calls().mutations(&[]).is_empty());
        assert_eq!(self.before.lost_in(&self.moto.snapshot()), Vec::<String>::new(), "others lost something");
    }

    /// Deletes everything and makes sure that the account is as it was.
    pub(crate) async fn delete(&self) {
        self.try_apply(&TaskGraph::default()).await.unwrap();
        assert_eq!(self.before.diff(&self.moto.snapshot()), Vec::<String>::new());
    }

    /// The identifier of the object made for a task.
    pub(crate) async fn id(&self, graph: &TaskGraph, kind: &str, name: &str) -> String {
        let snapshot = self.engine.observe(graph).await.unwrap();
        let objects = snapshot.of(kind).iter().map(|it| &it.object);
        let found: Vec<_> =
            objects.filter(|it| it.state.is_live() && it.name.as_deref() == Some(name)).collect();
        assert_eq!(found.len(), 1, "{kind}/{name}: {found:?}");
        found[0].id.clone()
    }
}

/// Pauses and rate limits are the cloud's, the emulator is faster.
const FASTER: u32 = 20;

pub(crate) async fn connect(moto: &Moto) -> Arc<Aws> {
    connect_to(moto, kops_moto::REGION).await
}

pub(crate) async fn connect_to(moto: &Moto, region: &str) -> Arc<Aws> {
    let builder = Aws::builder().region(region).endpoint(moto.endpoint());
    let builder = builder.clock(Arc::new(FastClock::new(FASTER)));
    Arc::new(builder.static_credentials(moto.access_key(), "secret", None).build().await.unwrap())
}

/// The changes of a plan, a line each.
pub(crate) fn changes(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(ToString::to_string).collect()
}

/// The network of a highly available cluster with private machines: in each of three zones a private subnet
/// with a NAT gateway in a utility subnet; groups for control plane, nodes and bastions.
pub(crate) fn ha() -> GraphBuilder {
    cluster(&ZONES)
}

/// The same in these zones.
pub(crate) fn cluster(zones: &[&str]) -> GraphBuilder {
    let mut graph = TaskGraph::builder();
    let network = graph.add(CLUSTER, Network::new(["172.20.0.0/16".parse().unwrap()]));
    let door = graph.add(CLUSTER, InternetGateway::new(network.id()));
    for (&zone, number) in zones.iter().zip(0..) {
        let cidr = format!("172.20.{number}.0/24").parse().unwrap();
        let mut utility = Subnet::new(network.id(), cidr).zone(zone).public(door.id()).label(PUBLIC, "1");
        utility.access = Access::Utility;
        let utility = graph.add(&format!("utility-{zone}.{CLUSTER}"), utility);
        let name = format!("{zone}.{CLUSTER}");
        let address = graph.add(&name, Address::new());
        let gateway = NatGateway::new(network.id(), address.id()).subnet(utility.id());
        let gateway = graph.add(&name, gateway);
        let cidr = format!("172.20.{}.0/19", 32 * (number + 1)).parse().unwrap();
        let private = Subnet::new(network.id(), cidr).zone(zone).behind(gateway.id()).label(INTERNAL, "1");
        graph.add(&name, private);
    }
    let group = |graph: &mut GraphBuilder, role: &str| {
        let firewall = Firewall::new(network.id(), format!("Security group for {role}"));
        graph.add(&format!("{role}.{CLUSTER}"), firewall)
    };
    let masters = group(&mut graph, "masters");
    let nodes = group(&mut graph, "nodes");
    let bastion = group(&mut graph, "bastion");
    let anywhere = || Peer::Cidr("0.0.0.0/0".parse().unwrap());
    let out = FirewallRule::all_to(anywhere());
    let out6 = FirewallRule::all_to(Peer::Cidr("::/0".parse().unwrap()));
    let all = |from: &Handle<Firewall>| FirewallRule::all_from(Peer::Group(from.id()));
    let ssh = FirewallRule::tcp(22, Peer::Group(bastion.id()));
    let mut rules = |of: &Handle<Firewall>, rules: Vec<FirewallRule>| {
        let rules = FirewallRules::new(of.id(), rules);
        graph.add(of.key().name(), rules);
    };
    rules(&masters, vec![all(&masters), all(&nodes), ssh.clone(), out.clone(), out6.clone()]);
    let api = FirewallRule::tcp_range(1, 2379, Peer::Group(masters.id()));
    rules(&nodes, vec![all(&nodes), all(&masters), api, ssh, out.clone(), out6.clone()]);
    rules(&bastion, vec![FirewallRule::tcp(22, anywhere()), out, out6]);
    graph
}

/// A network with a subnet that is open to the internet, and nothing else.
pub(crate) fn small() -> GraphBuilder {
    let mut graph = TaskGraph::builder();
    let network = graph.add(CLUSTER, Network::new(["172.20.0.0/16".parse().unwrap()]));
    let door = graph.add(CLUSTER, InternetGateway::new(network.id()));
    let subnet = Subnet::new(network.id(), "172.20.0.0/24".parse().unwrap())
        .zone(ZONES[0])
        .egress(Egress::Internet(door.id()))
        .access(Access::Public);
    graph.add(&format!("{}.{CLUSTER}", ZONES[0]), subnet);
    graph
}
