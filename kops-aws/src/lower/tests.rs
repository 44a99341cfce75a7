//! Lowering of networks: pure, on graphs and nothing else.

use kops_core::graph::{GraphBuilder, Key, Lifecycle, TaskGraph, Wait};
use kops_core::resource::{
    Access, Address, Egress, Firewall, FirewallRule, FirewallRules, InternetGateway, LoadBalancer,
    NatGateway, Network, Peer, Resource, Route as Way, Subnet,
};

use super::*;
use crate::extensions::{AwsLoadBalancer, PinnedAddress};
use crate::kinds::{
    Ec2NatGateway, Ec2Subnet, NetworkLoadBalancer, Route, RouteTable, RouteTableAssociation, RouteTarget,
    RulePeer, SecurityGroupRules, Vpc,
};

const CLUSTER: &str = "ha.example.com";

fn lowered(graph: GraphBuilder) -> Result<TaskGraph> {
    let native = HashSet::from([Vpc::KIND, RouteTable::KIND]);
    let scope = Scope::new(CLUSTER).labels([("team".to_owned(), "a".to_owned())].into());
    lower(&graph.build().unwrap(), &scope, "eu-central-1", &native).map(Native::into_graph)
}

struct Net {
    graph: GraphBuilder,
    network: Handle<Network>,
    door: Handle<InternetGateway>,
}

fn network() -> Net {
    let mut graph = TaskGraph::builder();
    let network = graph.add(CLUSTER, Network::new(["10.0.0.0/16".parse().unwrap()]));
    let door = graph.add(CLUSTER, InternetGateway::new(network.id()));
    Net { graph, network, door }
}

impl Net {
    fn subnet(&self, number: u8, zone: &str) -> Subnet {
        Subnet::new(self.network.id(), format!("10.0.{number}.0/24").parse().unwrap()).zone(zone)
    }

    /// A subnet that is open, with a NAT gateway of the name.
    fn gateway(&mut self, name: &str, number: u8, zone: &str) -> Handle<NatGateway> {
        let utility = self.subnet(number, zone).public(self.door.id()).access(Access::Utility);
        let utility = self.graph.add(&format!("utility-{name}"), utility);
        let address = self.graph.add(name, Address::new());
        let gateway = NatGateway::new(self.network.id(), address.id()).subnet(utility.id());
        self.graph.add(name, gateway)
    }
}

fn names(graph: &TaskGraph, kind: &str) -> Vec<String> {
    graph.tasks().filter(|task| task.key.kind() == kind).map(|task| task.key.name().to_owned()).collect()
}

fn edges(graph: &TaskGraph, kind: &str, name: &str) -> Vec<(String, Wait)> {
    let task = graph.get(&Key::new(kind, name)).unwrap();
    task.edges.iter().map(|edge| (edge.on.to_string(), edge.wait)).collect()
}

#[test]
fn a_network_brings_what_kops_brings() {
    let graph = lowered(network().graph).unwrap();
    let keys: Vec<_> = graph.tasks().map(|task| task.key.to_string()).collect();
    assert_eq!(
        keys,
        [
            "Vpc/ha.example.com",
            "DhcpOptions/ha.example.com",
            "DhcpOptionsAssociation/ha.example.com",
            "Ec2InternetGateway/ha.example.com"
        ]
    );
    let options: crate::kinds::DhcpOptions = graph.spec(CLUSTER).unwrap();
    assert_eq!(options.domain_name.as_deref(), Some("eu-central-1.compute.internal"));
    let vpc: Vpc = graph.spec(CLUSTER).unwrap();
    assert_eq!(vpc.tags, [("team".to_owned(), "a".to_owned())].into(), "the labels of the scope");
}

#[test]
fn subnets_share_tables_by_their_way_out() {
    let mut net = network();
    let gateway = net.gateway("a.ha.example.com", 0, "a");
    for (number, name) in [(1, "one"), (2, "two")] {
        let subnet = net.subnet(number, "a").behind(gateway.id());
        net.graph.add(name, subnet);
    }
    let subnet = net.subnet(3, "b");
    net.graph.add("lonely", subnet);
    let subnet = net.subnet(4, "b").egress(Egress::Existing("tgw-1".to_owned()));
    net.graph.add("transit", subnet);
    let graph = lowered(net.graph).unwrap();
    let mut tables = names(&graph, RouteTable::KIND);
    tables.sort();
    assert_eq!(tables, ["ha.example.com", "private-a.ha.example.com", "private-b.ha.example.com"]);
    let association: RouteTableAssociation = graph.spec("two").unwrap();
    assert_eq!(association.table, Handle::<RouteTable>::named("private-a.ha.example.com").id());
    assert!(graph.get(&Key::new(RouteTableAssociation::KIND, "lonely")).is_none());
    let route: Route = graph.spec("private-b.ha.example.com:0.0.0.0/0").unwrap();
    assert_eq!(route.target, RouteTarget::Existing("tgw-1".to_owned()));
    let table: RouteTable = graph.spec("private-b.ha.example.com").unwrap();
    assert_eq!(table.tags["kubernetes.io/kops/role"], "private-b");
}

#[test]
fn a_route_waits_until_the_gateway_works_and_the_gateway_for_the_door() {
    let mut net = network();
    let gateway = net.gateway("a.ha.example.com", 0, "a");
    let subnet = net.subnet(1, "a").behind(gateway.id());
    net.graph.add("one", subnet);
    let graph = lowered(net.graph).unwrap();
    let route = edges(&graph, Route::KIND, "private-a.ha.example.com:0.0.0.0/0");
    assert!(route.contains(&("Ec2NatGateway/a.ha.example.com".to_owned(), Wait::Ready)), "{route:?}");
    let gateway = edges(&graph, Ec2NatGateway::KIND, "a.ha.example.com");
    assert!(
        gateway.contains(&("Ec2InternetGateway/ha.example.com".to_owned(), Wait::Created)),
        "{gateway:?}"
    );
    // The subnet itself waits for none of this.
    let subnet = edges(&graph, Ec2Subnet::KIND, "one");
    let on: Vec<_> = subnet.iter().map(|(on, _)| on.as_str()).collect();
    assert_eq!(on, ["Vpc/ha.example.com", "AvailabilityZone/a"]);
}

#[test]
fn a_subnet_has_the_tags_of_its_labels_and_no_others() {
    let mut net = network();
    let mut subnet = net.subnet(1, "a");
    subnet.labels.insert("kubernetes.io/role/internal-elb".to_owned(), "1".to_owned());
    net.graph.add("labelled", subnet);
    let subnet = net.subnet(0, "a").public(net.door.id());
    net.graph.add("plain", subnet);
    let graph = lowered(net.graph).unwrap();
    let labelled: Ec2Subnet = graph.spec("labelled").unwrap();
    let keys: Vec<_> = labelled.tags.keys().map(String::as_str).collect();
    assert_eq!(keys, ["kubernetes.io/role/internal-elb", "team"]);
    // What Kubernetes' load balancers look for is the cluster's affair.
    let plain: Ec2Subnet = graph.spec("plain").unwrap();
    assert_eq!(plain.tags, [("team".to_owned(), "a".to_owned())].into());
}

#[test]
fn a_network_with_ipv6_has_ways_out_for_it() {
    let mut net = network();
    net.graph = TaskGraph::builder();
    let cidrs = vec!["10.0.0.0/16".parse().unwrap()];
    net.graph.add(CLUSTER, Network::new(cidrs).ipv6(true));
    net.graph.add(CLUSTER, InternetGateway::new(net.network.id()));
    let gateway = net.gateway("a.ha.example.com", 0, "a");
    let subnet = net.subnet(1, "a").behind(gateway.id());
    net.graph.add("one", subnet);
    let graph = lowered(net.graph).unwrap();
    let open: Route = graph.spec("ha.example.com:::/0").unwrap();
    assert!(matches!(open.target, RouteTarget::InternetGateway(_)));
    let closed: Route = graph.spec("private-a.ha.example.com:::/0").unwrap();
    assert!(matches!(closed.target, RouteTarget::EgressOnlyInternetGateway(_)));
}

#[test]
fn further_routes_are_marked_on_their_table() {
    let mut net = network();
    let way = Way::new("10.9.0.0/16".parse().unwrap(), "pcx-1");
    let subnet = net.subnet(0, "a").routes([way]);
    net.graph.add("one", subnet);
    let graph = lowered(net.graph).unwrap();
    let table: RouteTable = graph.spec("private-one").unwrap();
    assert_eq!(table.tags["kops.k8s.io/route/10.9.0.0/16"], "owned");
    assert_eq!(names(&graph, Route::KIND), ["private-one:10.9.0.0/16"]);
}

#[test]
fn what_waits_for_what_survives() {
    let mut net = network();
    let subnet = net.subnet(0, "a");
    let one = net.graph.add("one", subnet);
    let group = Firewall::new(net.network.id(), "x");
    let group = net.graph.add("g", group);
    net.graph.after(&one, &group.ready());
    let graph = lowered(net.graph).unwrap();
    let subnet = edges(&graph, Ec2Subnet::KIND, "one");
    assert!(subnet.contains(&("SecurityGroup/g".to_owned(), Wait::Ready)), "{subnet:?}");
}

#[test]
fn shared_tasks_stay_shared_and_native_ones_pass() {
    let mut graph = TaskGraph::builder();
    let network = graph.share::<Network>(CLUSTER, "vpc-1");
    graph.add("one", Subnet::new(network.id(), "10.0.0.0/24".parse().unwrap()).zone("a"));
    let vpc = graph.add("own", Vpc::new("10.1.0.0/16".parse().unwrap()));
    graph.add("own", RouteTable { vpc: vpc.id(), tags: [].into() });
    let graph = lowered(graph).unwrap();
    let shared = graph.get(&Key::new(Vpc::KIND, CLUSTER)).unwrap();
    assert_eq!(shared.lifecycle, Lifecycle::shared("vpc-1"));
    let table: RouteTable = graph.spec("own").unwrap();
    assert_eq!(table.vpc, vpc.id());
}

#[test]
fn outputs_are_called_as_they_are_there() {
    let mut net = network();
    let gateway = net.gateway("a.ha.example.com", 0, "a");
    let group = Firewall::new(net.network.id(), "x");
    let group = net.graph.add("g", group);
    let peer = Peer::Address(gateway.get(NatGateway::PUBLIC_IP));
    let rules = FirewallRules::new(group.id(), [FirewallRule::tcp(443, peer)]);
    net.graph.add("g", rules);
    let graph = lowered(net.graph).unwrap();
    let rules: SecurityGroupRules = graph.spec("g").unwrap();
    let address = Handle::<Ec2NatGateway>::named("a.ha.example.com").get(Ec2NatGateway::PUBLIC_IP);
    let expected = RulePeer::Cidr(Input::concat([address, "/32".into()]));
    assert_eq!(rules.rules.first().unwrap().peer, expected);
}

#[test]
fn all_that_cannot_be_done_is_told_at_once() {
    let mut net = network();
    net.graph.add("empty", Network::default());
    net.graph.add("six", Network::new(["2001:db8::/48".parse().unwrap()]));
    let mut subnet = net.subnet(0, "a");
    subnet.zone = None;
    net.graph.add("zoneless", subnet);
    let subnet = net.subnet(1, "a").egress(Egress::Existing("foo-1".to_owned()));
    net.graph.add("odd", subnet);
    for (number, id) in [(2, "tgw-1"), (3, "tgw-2")] {
        let subnet = net.subnet(number, "b").egress(Egress::Existing(id.to_owned()));
        net.graph.add(id, subnet);
    }
    let address = net.graph.add("a", Address::new());
    let gateway = NatGateway::new(net.network.id(), address.id());
    net.graph.add("nowhere", gateway);
    let error = lowered(net.graph).unwrap_err().to_string();
    for task in [
        "Network/empty",
        "Network/six",
        "Subnet/zoneless",
        "Subnet/odd",
        "Subnet/tgw-2",
        "NatGateway/nowhere",
    ] {
        assert!(error.contains(task), "{task}: {error}");
    }
    assert!(
        !error.contains("Subnet/tgw-1:"),
        "the first of two that disagree is told by the second: {error}"
    );
}

#[test]
fn load_balancers_are_at_the_addresses_they_are_pinned_to() {
    let mut net = network();
    let (first, second) =
        (net.subnet(0, "a").public(net.door.id()), net.subnet(1, "b").public(net.door.id()));
    let subnets = [net.graph.add("one", first).id(), net.graph.add("two", second).id()];
    let pinned = PinnedAddress { allocation: Some("eipalloc-1".to_owned()), private_ip: None };
    let extension =
        AwsLoadBalancer { addresses: [("one".to_owned(), pinned)].into(), ..AwsLoadBalancer::default() };
    let mut balancer = LoadBalancer::new(net.network.id(), subnets);
    balancer.extensions.set(&extension).unwrap();
    net.graph.add("api", balancer);
    let graph = lowered(net.graph).unwrap();
    let balancer: NetworkLoadBalancer = graph.spec("api").unwrap();
    let allocations: Vec<_> = balancer.subnets.iter().map(|leg| leg.allocation.as_deref()).collect();
    assert_eq!(allocations, [Some("eipalloc-1"), None]);
}
