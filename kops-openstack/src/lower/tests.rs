//! Lowering: pure, on graphs and nothing else.

use kops_core::graph::{GraphBuilder, Handle, Id, Input, Key, TaskGraph};
use kops_core::resource::{
    Address, DnsRecord, DnsTarget, DnsZone, Firewall, FirewallRule, FirewallRules, Instance, InternetGateway,
    LoadBalancer, NatGateway, Network, Peer, RecordType, Resource, Scheme, Subnet,
};

use super::*;
use crate::clients::{Endpoint, Service};
use crate::extensions::OpenstackLoadBalancer;
use crate::kinds::{
    FloatingIp, Listener, NeutronPort, NeutronSubnet, PoolMembers, RecordSet, RouterInterface, RulePeer,
    SecurityGroup, SecurityGroupRules,
};

/// The services that machines use.
fn services() -> Vec<Endpoint> {
    let at = |service: Service, kind, url: &str| Endpoint { service, kind, url: url.parse().unwrap() };
    vec![
        at(Service::Compute, "compute", "https://nova.example.com/v2.1"),
        at(Service::ObjectStore, "object-store", "https://swift.example.com/v1/AUTH_0123"),
    ]
}

fn lowered(graph: GraphBuilder) -> Result<TaskGraph> {
    let site = Site {
        external_network: "public".to_owned(),
        name_servers: Vec::new(),
        region: String::new(),
        services: services(),
    };
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
fn a_machine_is_behind_a_balancer_and_has_an_address_by_its_port() {
    let mut graph = balanced("0.0.0.0/0");
    let address = graph.add("door", Address::new());
    let tool = Instance::new(Handle::<Subnet>::named("front").id(), "debian-13", "m1.small")
        .load_balancers([Handle::<LoadBalancer>::named("api").id()])
        .address(address.id());
    let tool = graph.add("tool", tool);
    let zone = graph.add("zone", DnsZone::new("example.com"));
    let ip = DnsTarget::Values([tool.get(Instance::PUBLIC_IP)].into());
    graph.add("tool", DnsRecord::new(zone.id(), "tool.example.com", RecordType::A, ip));
    let native = lowered(graph).unwrap();

    let port = Handle::<NeutronPort>::named("tool");
    let door: FloatingIp = spec(&native, "door").unwrap();
    assert_eq!(door.port, Some(port.id().into_text()));
    assert_eq!(spec::<FloatingIp>(&native, "tool"), None);
    let members: PoolMembers = spec(&native, "api-443").unwrap();
    let members: Vec<_> = members.members.into_iter().map(|member| member.address).collect();
    assert_eq!(members, [port.get(NeutronPort::IP)]);
    // What is to be reached is the fixed address, whatever becomes of the machine.
    let record: RecordSet = spec(&native, "tool").unwrap();
    assert_eq!(record.values, [Handle::<FloatingIp>::named("door").get(FloatingIp::IP)].into());
}

#[test]
fn what_is_shared_gets_no_machines() {
    let mut graph = balanced("0.0.0.0/0");
    let theirs = graph.share::<LoadBalancer>("theirs", "theirs");
    let tool = |balancer: Input<Id<LoadBalancer>>| {
        Instance::new(Handle::<Subnet>::named("front").id(), "debian-13", "m1.small")
            .load_balancers([balancer])
    };
    graph.add("behind", tool(theirs.id()));
    let address = graph.share::<Address>("address", "192.0.2.7");
    let subnet = Handle::<Subnet>::named("front").id();
    graph.add("at", Instance::new(subnet, "debian-13", "m1.small").address(address.id()));
    let text = lowered(graph).unwrap_err().to_string();
    assert!(text.contains("machines cannot be added to a shared load balancer"), "{text}");
    assert!(text.contains("a shared address cannot be associated"), "{text}");
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

/// What `balanced` becomes with a driver whose connections pass through.
fn of_ovn(source: &str) -> TaskGraph {
    let graph = balanced(source).build().unwrap();
    let mut changed = TaskGraph::builder();
    for task in graph.tasks() {
        let mut task = task.clone();
        if task.key.kind() == LoadBalancer::KIND {
            let mut balancer: LoadBalancer = task.spec_as().unwrap();
            let ovn = OpenstackLoadBalancer {
                provider: Some("ovn".to_owned()),
                ..OpenstackLoadBalancer::default()
            };
            balancer.extensions.set(&ovn).unwrap();
            task.spec = kops_core::graph::Document::of(&balancer).unwrap();
        }
        changed.insert(task);
    }
    lowered(changed).unwrap()
}

#[test]
fn a_list_of_a_balancer_has_ipv4_only() {
    let native = lowered(balanced("2001:db8::/32")).unwrap();
    let listener: Listener = spec(&native, "api-443").unwrap();
    // Nobody: an empty list would be everybody.
    assert_eq!(listener.allowed_cidrs, ["255.255.255.255/32".to_owned().into()].into());
}

#[test]
fn machines_behind_ovn_let_in_whom_the_balancer_admits() {
    for (source, expected) in [("192.0.2.0/24", "192.0.2.0/24"), ("0.0.0.0/0", "0.0.0.0/0")] {
        let native = of_ovn(source);
        let listener: Listener = spec(&native, "api-443").unwrap();
        assert!(listener.allowed_cidrs.is_empty());
        let pool: crate::kinds::Pool = spec(&native, "api-443").unwrap();
        assert_eq!(pool.algorithm, "SOURCE_IP_PORT");
        let rules: SecurityGroupRules = spec(&native, "machines").unwrap();
        let peers: Vec<_> = rules.rules.iter().map(|rule| rule.peer.clone()).collect();
        assert!(peers.contains(&RulePeer::Cidr(expected.to_owned().into())), "{peers:?}");
    }
}
