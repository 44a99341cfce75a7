//! Lowering: pure, on graphs and nothing else.

use kops_core::graph::{GraphBuilder, Key, TaskGraph};
use kops_core::resource::{
    Address, Firewall, FirewallRule, FirewallRules, InternetGateway, LoadBalancer, NatGateway, Network, Peer,
    Resource, Scheme, Subnet,
};

use super::*;
use crate::kinds::{
    FloatingIp, Listener, NeutronSubnet, PoolMembers, RouterInterface, RulePeer, SecurityGroup,
    SecurityGroupRules,
};

fn lowered(graph: GraphBuilder) -> Result<TaskGraph> {
    let site = Site { external_network: "public".to_owned(), name_servers: Vec::new() };
    lower(&graph.build().unwrap(), &Scope::new("ha.example.com"), &site, &HashSet::new())
        .map(Native::into_graph)
}

/// A network with a load balancer in a firewall of its own, before machines in another.
fn balanced(source: &str) -> GraphBuilder {
    let mut graph = TaskGraph::builder();
    let network = graph.add("net", Network::new(["10.0.0.0/16".parse().unwrap()]));
    let door = graph.add("net", InternetGateway::new(network.id()));
    let subnet = Subnet::new(network.id(), "10.0.1.0/24".parse().unwrap()).zone("nova").public(door.id());
    let subnet = graph.add("front", subnet);
    let wall = |name: &str, graph: &mut GraphBuilder| graph.add(name, Firewall::new(network.id(), name));
    let (around, inside) = (wall("api-elb", &mut graph), wall("machines", &mut graph));
    let from = FirewallRule::tcp(443, Peer::Cidr(source.parse().unwrap()));
    graph.add("api-elb", FirewallRules::new(around.id(), [from]));
    let behind = FirewallRule::tcp(443, Peer::Group(around.id()));
    graph.add("machines", FirewallRules::new(inside.id(), [behind]));
    graph.add(
        "api",
        LoadBalancer::new(network.id(), [subnet.id()])
            .scheme(Scheme::Public)
            .firewalls([around.id()])
            .listen(kops_core::resource::Listener::tcp(443)),
    );
    graph
}

fn spec<R: Resource>(graph: &TaskGraph, name: &str) -> Option<R> {
    graph.get(&Key::new(R::KIND, name)).map(|task| task.spec_as().unwrap())
}

#[test]
fn a_firewall_around_a_balancer_is_what_its_listeners_allow() {
    let native = lowered(balanced("192.0.2.0/24")).unwrap();
    assert_eq!(spec::<SecurityGroup>(&native, "api-elb"), None);
    let listener: Listener = spec(&native, "api-443").unwrap();
    assert_eq!(listener.allowed_cidrs, ["192.0.2.0/24".to_owned().into()].into());
    // Where it connects from is its subnet.
    let rules: SecurityGroupRules = spec(&native, "machines").unwrap();
    let peers: Vec<_> = rules.rules.iter().map(|rule| rule.peer.clone()).collect();
    assert_eq!(peers, [RulePeer::Cidr("10.0.1.0/24".to_owned().into())]);
}

#[test]
fn a_balancer_open_to_all_has_no_list() {
    let native = lowered(balanced("0.0.0.0/0")).unwrap();
    let listener: Listener = spec(&native, "api-443").unwrap();
    assert!(listener.allowed_cidrs.is_empty());
    assert!(spec::<FloatingIp>(&native, "api").is_some());
    // Nobody is behind it.
    assert_eq!(spec::<PoolMembers>(&native, "api-443"), None);
    assert!(spec::<NeutronSubnet>(&native, "front").is_some());
}

#[test]
fn a_public_address_waits_for_the_way_there() {
    let native = lowered(balanced("0.0.0.0/0")).unwrap();
    let address = native.get(&Key::new(<FloatingIp>::KIND, "api")).unwrap();
    let way = Key::new(<RouterInterface>::KIND, "front");
    assert!(address.edges.iter().any(|edge| edge.on == way), "{:?}", address.edges);
}

#[test]
fn what_openstack_cannot_do_is_said_at_once() {
    let mut graph = TaskGraph::builder();
    let network = graph.add("net", Network::new([]).ipv6(true));
    let address = graph.add("a", Address::new());
    graph.add("nat", NatGateway::new(network.id(), address.id()));
    let error = lowered(graph).unwrap_err();
    assert_eq!(error.kind(), kops_core::ErrorKind::Unsupported);
    let text = error.to_string();
    assert!(text.contains("IPv6") && text.contains("NAT gateways"), "{text}");
}
