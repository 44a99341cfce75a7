//! Shared objects: which of several is meant, and whether it is what the graph relies on.

use std::sync::Arc;

use kops_core::cloud::Scope;
use kops_core::graph::{Expectation, Id, Output, TaskGraph};
use kops_core::resource::{DnsZone, Network, Subnet};
use kops_core::testing::MemoryCloud;
use kops_core::{Engine, Plan, Result};

struct Site {
    cloud: MemoryCloud,
    network: Id<Network>,
}

impl Site {
    /// A network of somebody else's, with a subnet in zone a.
    fn new() -> Self {
        let cloud = MemoryCloud::new();
        let network = cloud.plant::<Network>("net", &Network::new(["10.0.0.0/16".parse().unwrap()])).unwrap();
        let subnet = Subnet::new(network.clone(), "10.0.1.0/24".parse().unwrap()).zone("a");
        cloud.plant::<Subnet>("sub", &subnet).unwrap();
        Self { cloud, network }
    }

    async fn plan(&self, expectation: Expectation) -> Result<Plan> {
        let mut graph = TaskGraph::builder();
        graph.share::<Network>("net", self.network.as_str());
        let subnet = graph.share::<Subnet>("sub", "sub");
        graph.expect(&subnet, expectation);
        let engine = Engine::new(Arc::new(self.cloud.clone()), Scope::new("shop"));
        engine.plan(&graph.build()?).await
    }
}

#[tokio::test]
async fn a_shared_object_is_what_the_graph_relies_on() {
    let site = Site::new();
    let network = kops_core::graph::Handle::<Network>::named("net").id();
    for met in [
        Expectation::is("zone", &"a", "spec.zone").unwrap(),
        Expectation::is("network", &network, "spec.network").unwrap(),
        Expectation::is_in("zone", &["b", "a"], "spec.zones").unwrap(),
        Expectation::covers("cidr", "10.0.1.0/28".parse().unwrap(), "spec.cidr"),
        // A fact that the cloud does not know.
        Expectation::is("altitude", &8848, "spec.altitude").unwrap(),
    ] {
        site.plan(met).await.unwrap();
    }
}

#[tokio::test]
async fn a_difference_is_told_with_the_field_and_both_values() {
    let site = Site::new();
    for (unmet, told) in [
        (Expectation::is("zone", &"b", "spec.zone").unwrap(), "is a, but spec.zone is b"),
        (Expectation::is_in("zone", &["b", "c"], "spec.zones").unwrap(), "is a, but spec.zones is b, c"),
        (
            Expectation::covers("cidr", "10.0.2.0/28".parse().unwrap(), "spec.cidr"),
            "is 10.0.1.0/24, but spec.cidr is 10.0.2.0/28",
        ),
    ] {
        let error = site.plan(unmet).await.unwrap_err().to_string();
        assert!(error.contains("Subnet/sub") && error.contains(told), "{error}");
    }
}

#[tokio::test]
async fn nothing_shared_is_in_what_does_not_exist_yet() {
    let site = Site::new();
    let mut graph = TaskGraph::builder();
    let network = graph.add("new", Network::new(["10.9.0.0/16".parse().unwrap()]));
    let subnet = graph.share::<Subnet>("sub", "sub");
    graph.expect(&subnet, Expectation::is("network", &network.id(), "the network").unwrap());
    let engine = Engine::new(Arc::new(site.cloud.clone()), Scope::new("shop"));
    let error = engine.plan(&graph.build().unwrap()).await.unwrap_err().to_string();
    assert!(error.contains("but the network is ${Network/new.id}"), "{error}");
}

#[tokio::test]
async fn the_first_of_several_that_exists_is_meant() {
    let cloud = MemoryCloud::new();
    let selector = |name: &str| DnsZone::selector(name, false);
    let plant = |name: &str| cloud.plant::<DnsZone>(&selector(name), &DnsZone::new(name)).unwrap();
    let plan = async || {
        let mut graph = TaskGraph::builder();
        let names = ["k8s.example.com", "example.com"];
        let zone = graph.share_first::<DnsZone>("zone", names.map(selector));
        graph.expect(&zone, Expectation::domain_of("name", "api.k8s.example.com", "the record"));
        let engine = Engine::new(Arc::new(cloud.clone()), Scope::new("k8s.example.com"));
        let plan = engine.plan(&graph.build().unwrap()).await?;
        Ok::<_, kops_core::Error>(plan.outputs().get(&zone, Output::ID)?.unwrap())
    };
    let error = plan().await.unwrap_err().to_string();
    assert!(error.contains("public:k8s.example.com") && error.contains("public:example.com"), "{error}");
    let parent = plant("example.com");
    assert_eq!(plan().await.unwrap(), parent);
    let delegated = plant("k8s.example.com");
    assert_eq!(plan().await.unwrap(), delegated);
}
