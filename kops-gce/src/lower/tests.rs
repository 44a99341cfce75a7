//! Lowering: pure, on graphs and nothing else.

use kops_core::graph::{GraphBuilder, Handle, Key, TaskGraph};
use kops_core::resource::{Address, Egress, Identity, InstanceGroup, NatGateway, Network, Resource, Subnet};

use super::*;
use crate::kinds::{InstanceGroupManager, InstanceTemplate, Router, ServiceAccount, Size, Subnetwork};

fn lowered(graph: GraphBuilder) -> Result<TaskGraph> {
    let site = Site { project: "app-1".to_owned(), region: "europe-west1".to_owned() };
    lower(&graph.build().unwrap(), &Scope::new("ha.example.com"), &site, &HashSet::new())
        .map(Native::into_graph)
}

fn spec<R: Resource>(graph: &TaskGraph, name: &str) -> R {
    graph.get(&Key::new(R::KIND, name)).unwrap().spec_as().unwrap()
}

fn subnet(network: &Handle<Network>, egress: Egress) -> Subnet {
    let plain = Subnet::new(network.id(), "10.0.1.0/24".parse().unwrap());
    plain.egress(egress)
}

fn group(subnet: &Handle<Subnet>, zones: &[&str], min: u32, max: u32) -> InstanceGroup {
    InstanceGroup::new([subnet.id()], "debian-cloud/debian-12", "n2-standard-2")
        .zones(zones.iter().map(|zone| (*zone).to_owned()))
        .min(min)
        .max(max)
}

fn network(graph: &mut GraphBuilder) -> Handle<Network> {
    graph.add("net", Network::new(["10.0.0.0/16".parse().unwrap()]))
}

#[test]
fn a_group_is_divided_among_its_zones() {
    let mut graph = TaskGraph::builder();
    let network = network(&mut graph);
    let subnet = graph.add("front", subnet(&network, Egress::None));
    graph.add("nodes", group(&subnet, &["europe-west1-b", "europe-west1-c"], 3, 4));
    let native = lowered(graph).unwrap();
    let size = |name: &str| spec::<InstanceGroupManager>(&native, name).size;
    assert_eq!(size("b.nodes"), Size { min: 2, max: 2 });
    assert_eq!(size("c.nodes"), Size { min: 1, max: 2 });
}

#[test]
fn machines_run_under_an_account_that_is_somebody_elses() {
    let mut graph = TaskGraph::builder();
    let network = network(&mut graph);
    let subnet = graph.add("front", subnet(&network, Egress::None));
    let email = "machines@project.iam.gserviceaccount.com";
    let account = graph.share::<Identity>(email, email);
    let nodes = group(&subnet, &["europe-west1-b"], 1, 1).identity(account.id());
    graph.add("nodes", nodes);
    let native = lowered(graph).unwrap();
    let of = |kind: &str| native.tasks().filter(|task| task.key.kind() == kind).collect::<Vec<_>>();
    assert_eq!(of(ServiceAccount::KIND)[0].key.name(), email);
    let [template] = of(<InstanceTemplate>::KIND)[..] else { panic!("one template") };
    let template: InstanceTemplate = template.spec_as().unwrap();
    let account = Handle::<ServiceAccount>::named(email).ready().id();
    assert_eq!(template.machine.service_account, Some(account));
}

#[test]
fn a_nat_gateway_serves_the_subnets_that_name_it() {
    let mut graph = TaskGraph::builder();
    let network = network(&mut graph);
    let address = graph.add("out", Address::new());
    let nat = NatGateway::new(network.id(), address.id());
    let nat = graph.add("out", nat);
    graph.add("inner", subnet(&network, Egress::Nat(nat.id())));
    graph.add("front", subnet(&network, Egress::None));
    let router: Router = spec(&lowered(graph).unwrap(), "out");
    let served: Vec<_> = router.nats.values().flat_map(|nat| &nat.subnetworks).collect();
    let inner = Key::new(Subnetwork::KIND, "inner");
    assert!(matches!(served[..], [Input::Output(output)] if output.task == inner), "{served:?}");
}

#[test]
fn what_google_cloud_cannot_do_is_said_at_once() {
    let mut graph = TaskGraph::builder();
    let network = graph.add("net", Network::new([]).ipv6(true));
    let address = graph.add("out", Address::new());
    graph.add("out", NatGateway::new(network.id(), address.id()));
    let front = subnet(&network, Egress::None);
    let front = graph.add("front", front.zone("europe-west1-b"));
    graph.add("nodes", group(&front, &["us-central1-a"], 1, 1));
    let error = lowered(graph).unwrap_err().to_string();
    for part in ["IPv6", "no subnet uses this", "spans the zones", "not in the region europe-west1"] {
        assert!(error.contains(part), "{part} in {error}");
    }
}
