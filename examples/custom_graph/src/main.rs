//! A provisioning program without Kubernetes: a network, a subnet with internet access, a firewall that
//! allows HTTPS, an address. It can be run any number of times: objects that exist already are left alone.

#![expect(clippy::print_stdout, reason = "a program shows what it does")]

use std::error::Error;
use std::sync::Arc;

use kops_core::Engine;
use kops_core::cloud::Scope;
use kops_core::graph::TaskGraph;
use kops_core::resource::{
    Address, Firewall, FirewallRule, FirewallRules, InternetGateway, Network, Peer, Subnet,
};
use kops_core::store::Journal;
use kops_core::testing::MemoryCloud;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut graph = TaskGraph::builder();
    let network = graph.add("shop", Network::new(["10.0.0.0/16".parse()?]));
    let gateway = graph.add("shop", InternetGateway::new(network.id()));
    graph.add("front", Subnet::new(network.id(), "10.0.1.0/24".parse()?).zone("zone-a").public(gateway.id()));
    let firewall = Firewall::new(network.id(), "the shop's front");
    let firewall = graph.add("front", firewall);
    let https = FirewallRule::tcp(443, Peer::Cidr("0.0.0.0/0".parse()?));
    graph.add("front", FirewallRules::new(firewall.id(), [https]));
    graph.add("front", Address::new());
    let graph = graph.build()?;

    let cloud = Arc::new(MemoryCloud::new());
    let engine = Engine::new(cloud, Scope::new("shop")).journal(Arc::new(Journal::in_memory()));
    for _ in 0..2 {
        let plan = engine.plan(&graph).await?;
        println!("{plan}");
        println!("{}\n", engine.apply(&plan).await?.into_result()?);
    }
    Ok(())
}
