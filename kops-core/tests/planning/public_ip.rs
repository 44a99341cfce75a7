//! The public addresses of machines.

use kops_core::cloud::Scope;
use kops_core::graph::{GraphBuilder, Handle, TaskGraph};
use kops_core::resource::{
    Address, DnsRecord, DnsTarget, DnsZone, Instance, InternetGateway, MachineOptions, RecordType, Subnet,
};

use crate::site;

/// A machine, and a record with its public address.
fn machine(describe: impl FnOnce(&mut GraphBuilder, Instance) -> Instance) -> TaskGraph {
    let mut graph = TaskGraph::builder();
    let network = graph.add("shop", site::network());
    let door = graph.add("shop", InternetGateway::new(network.id()));
    let subnet = Subnet::new(network.id(), "10.0.0.0/24".parse().unwrap()).zone("a").public(door.id());
    let subnet = graph.add("shop", subnet);
    let instance = describe(&mut graph, Instance::new(subnet.id(), "debian-13", "m6i.large"));
    let web = graph.add("web", instance);
    let zone = graph.add("shop", DnsZone::new("shop.example"));
    let ip = DnsTarget::Values([web.get(Instance::PUBLIC_IP)].into());
    graph.add("web", DnsRecord::new(zone.id(), "web.shop.example", RecordType::A, ip));
    graph.build().unwrap()
}

#[tokio::test]
async fn the_address_of_a_machine_outlives_it() {
    let engine = site::engine(&site::cloud(), Scope::new("shop"));
    let of_type = |machine_type: &str| {
        machine(|graph, instance| {
            let address = graph.add("web", Address::new());
            let mut instance = instance.address(address.id());
            machine_type.clone_into(&mut instance.machine_type);
            instance
        })
    };
    let small = of_type("small");
    site::apply(&engine, &small).await;
    let outputs = engine.outputs(&small).await.unwrap();
    let ip = outputs.get(&Handle::<Instance>::named("web"), Instance::PUBLIC_IP).unwrap();
    assert!(ip.is_some());
    assert_eq!(ip, outputs.get(&Handle::<Address>::named("web"), Address::IP).unwrap());

    let large = engine.plan(&of_type("large")).await.unwrap();
    let changes: Vec<_> = large.changes.iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["replace Instance/web: machine_type"]);
    site::apply(&engine, &of_type("large")).await;
    let outputs = engine.outputs(&of_type("large")).await.unwrap();
    assert_eq!(outputs.get(&Handle::<Instance>::named("web"), Instance::PUBLIC_IP).unwrap(), ip);
}

#[tokio::test]
async fn an_address_that_lasts_as_long_as_the_machine_is_an_output_too() {
    let engine = site::engine(&site::cloud(), Scope::new("shop"));
    let open = machine(|_, instance| instance.options(MachineOptions::new().public_ip(true)));
    site::apply(&engine, &open).await;
    let outputs = engine.outputs(&open).await.unwrap();
    assert!(outputs.get(&Handle::<Instance>::named("web"), Instance::PUBLIC_IP).unwrap().is_some());
}

#[tokio::test]
async fn an_address_that_a_machine_does_not_have_is_told_when_planning() {
    let engine = site::engine(&site::cloud(), Scope::new("shop"));
    let error = engine.plan(&machine(|_, instance| instance)).await.unwrap_err().to_string();
    assert!(error.contains("DnsRecord/web"), "{error}");
    assert!(error.contains("Instance/web has no public address"), "{error}");
    assert!(error.contains("set Instance::address, or MachineOptions::public_ip"), "{error}");

    let both = machine(|graph, instance| {
        let address = graph.add("web", Address::new());
        graph.add("other", instance.clone().address(address.id()));
        instance.address(address.id())
    });
    let error = engine.plan(&both).await.unwrap_err().to_string();
    assert!(error.contains("its address is that of Instance/other, too"), "{error}");
}
