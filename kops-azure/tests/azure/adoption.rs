//! Resources made by others that a task adopts.

use kops_azure_emulator::REGION;
use kops_core::cloud::Scope;
use kops_core::graph::{GraphBuilder, TaskGraph};
use kops_core::resource::Address;
use kops_core::{Engine, ErrorKind};
use serde_json::json;

use crate::lab::{CLUSTER, Lab};

/// An address of the scope, and perhaps another one.
fn graph(more: impl FnOnce(&mut GraphBuilder)) -> TaskGraph {
    let mut graph = TaskGraph::builder();
    graph.add("own", Address::new());
    more(&mut graph);
    graph.build().unwrap()
}

fn by_hand(lab: &Lab, group: &str) {
    let path = format!("resourceGroups/{group}/providers/Microsoft.Network/publicIPAddresses/by-hand");
    let body = json!({
        "location": REGION,
        "sku": { "name": "Standard" },
        "tags": { "team": "a" },
        "properties": { "publicIPAllocationMethod": "Static" },
    });
    lab.emulator.request("PUT", &path, body);
    lab.emulator.settle();
}

#[tokio::test]
async fn an_address_made_by_hand_is_adopted() {
    let lab = Lab::new().await;
    lab.apply(&graph(|_| {})).await;
    let group = lab.azure.resource_group(&Scope::new(CLUSTER));
    by_hand(&lab, &group);
    let adopting = graph(|graph| drop(graph.adopt("nat", Address::new(), "by-hand")));
    assert_eq!(lab.changes(&adopting).await, ["adopt PublicIpAddress/nat"]);
    lab.apply(&adopting).await;
    let address = lab.emulator.id(&group, "Microsoft.Network/publicIPAddresses/by-hand");
    let tags = lab.emulator.request("GET", &address, json!({}))["tags"].clone();
    assert_eq!((&tags["KubernetesCluster"], &tags["team"]), (&json!(CLUSTER), &json!("a")), "{tags}");

    // Another scope, which has its objects in the same group, leaves it alone.
    let builder = crate::lab::builder(&lab.emulator).resource_group(&group);
    let azure = std::sync::Arc::new(builder.build().await.unwrap());
    let theirs = Engine::new(azure, Scope::new("theirs.example.com"));
    let mut claim = TaskGraph::builder();
    claim.adopt("nat", Address::new(), "by-hand");
    let error = theirs.plan(&claim.build().unwrap()).await.unwrap_err().to_string();
    assert!(error.contains(&format!("it belongs to scope {CLUSTER}")), "{error}");

    // It is managed from now on, under the name of its task.
    lab.apply(&graph(|graph| drop(graph.add("nat", Address::new())))).await;
    lab.delete().await;
}

#[tokio::test]
async fn what_the_scope_would_not_find_again_is_not_adopted() {
    let lab = Lab::new().await;
    lab.emulator.create_group("elsewhere");
    by_hand(&lab, "elsewhere");
    let address = lab.emulator.id("elsewhere", "Microsoft.Network/publicIPAddresses/by-hand");
    let adopting = graph(|graph| drop(graph.adopt("nat", Address::new(), address)));
    let error = lab.engine.plan(&adopting).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("it is in the resource group elsewhere"), "{error}");
}
