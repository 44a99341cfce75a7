//! Lowering: pure, on graphs and nothing else.

use kops_core::graph::{GraphBuilder, Handle, Key, TaskGraph};
use kops_core::resource::{
    Address, Firewall, FirewallRule, FirewallRules, InternetGateway, NatGateway, Network, Peer, Resource,
    SshKey, Subnet, Volume,
};

use super::*;
use crate::kinds::{NetworkSecurityGroup, SecurityRule};

const CLUSTER: &str = "ha.example.com";

fn site() -> Site {
    Site { location: "eastus".into(), group: CLUSTER.into(), shared_group: false, admin_user: "kops".into() }
}

fn lowered(graph: GraphBuilder) -> Result<TaskGraph> {
    lower(&graph.build().unwrap(), &Scope::new(CLUSTER), &site(), &HashSet::new()).map(Native::into_graph)
}

fn network(graph: &mut GraphBuilder) -> Handle<Network> {
    graph.add(CLUSTER, Network::new(["10.0.0.0/16".parse().unwrap()]))
}

fn rules(ports: &[u16]) -> BTreeMap<String, SecurityRule> {
    let mut graph = TaskGraph::builder();
    let network = network(&mut graph);
    let wall = graph.add("nodes", Firewall::new(network.id(), String::new()));
    let peer = || Peer::Cidr("0.0.0.0/0".parse().unwrap());
    let rules = ports.iter().map(|port| FirewallRule::tcp(*port, peer()));
    graph.add("nodes", FirewallRules::new(wall.id(), rules));
    let graph = lowered(graph).unwrap();
    let group: NetworkSecurityGroup = graph.spec(CLUSTER).unwrap();
    group.rules.into_iter().map(|rule| (rule.name.clone(), rule)).collect()
}

use std::collections::BTreeMap;

#[test]
fn a_rule_more_does_not_move_the_others() {
    let (few, many) = (rules(&[22, 80]), rules(&[22, 80, 443, 8443, 10250]));
    for (name, rule) in &few {
        assert_eq!(many.get(name), Some(rule));
    }
    assert_eq!(many.len(), few.len() + 3);
}

#[test]
fn what_no_rule_allows_is_stopped_behind_all_that_is_allowed() {
    let rules = rules(&[22]);
    let stops: Vec<_> = rules.values().filter(|rule| !rule.allow).map(|rule| rule.inbound).collect();
    assert_eq!(stops.len(), 2, "in and out: nothing is let out");
    let last_allowed = rules.values().filter(|rule| rule.allow).map(|rule| rule.order).max();
    let first_stopped = rules.values().filter(|rule| !rule.allow).map(|rule| rule.order).min();
    assert!(last_allowed < first_stopped);
}

#[test]
fn an_internet_gateway_is_nothing() {
    let mut graph = TaskGraph::builder();
    let network = network(&mut graph);
    let door = graph.add("door", InternetGateway::new(network.id()));
    let address = graph.add("nat", Address::new());
    let nat = NatGateway::new(network.id(), address.id());
    let nat = graph.add("nat", nat);
    graph.after(&nat, &door);
    let subnet = Subnet::new(network.id(), "10.0.0.0/24".parse().unwrap()).zone("eastus-1").public(door.id());
    graph.add("open", subnet);
    let graph = lowered(graph).unwrap();
    let kinds: HashSet<_> = graph.tasks().map(|task| task.key.kind().to_owned()).collect();
    assert!(!kinds.contains("InternetGateway"), "{kinds:?}");
    let nat = graph.get(&Key::new("AzureNatGateway", "nat")).unwrap();
    assert!(nat.edges.iter().any(|edge| edge.on == Key::new(VirtualNetwork::KIND, CLUSTER)));
}

#[test]
fn what_azure_cannot_do_is_said() {
    let mut graph = TaskGraph::builder();
    graph.add("six", Network::new(["2001:db8::/48".parse().unwrap()]).ipv6(true));
    graph.add("key", SshKey::new("ecdsa-sha2-nistp256 AAAA"));
    graph.add("disk", Volume::new("westus-1", 1));
    let error = lowered(graph).unwrap_err().to_string();
    for part in ["Network/six", "SshKey/key", "Volume/disk", "westus-1 is not a zone of eastus"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn all_is_in_one_resource_group() {
    let mut graph = TaskGraph::builder();
    network(&mut graph);
    graph.add("disk", Volume::new("", 1));
    let graph = lowered(graph).unwrap();
    let groups: Vec<_> = graph.tasks().filter(|it| it.key.kind() == ResourceGroup::KIND).collect();
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].key.name(), CLUSTER);
}
