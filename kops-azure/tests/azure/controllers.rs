//! What controllers in a cluster have made: left alone while it lives, shown and deleted with it.

use kops_azure_emulator::REGION;
use kops_core::ErrorKind;
use kops_core::graph::TaskGraph;
use kops_core::resource::Scheme;
use serde_json::{Value, json};

use crate::lab::{CLUSTER, Lab, Site};

fn graph() -> TaskGraph {
    let mut site = Site::of(CLUSTER);
    let api = site.balancer(Scheme::Internal);
    let group = site.group(&[1]).load_balancers([api.id()]);
    site.graph.add(&format!("nodes.{CLUSTER}"), group);
    site.build()
}

/// Makes what services of type `LoadBalancer` and a volume claim come to.
fn made_by_controllers(lab: &Lab) {
    let put = |kind: &str, body: Value| {
        lab.emulator.request("PUT", &format!("resourceGroups/{CLUSTER}/providers/{kind}"), body);
    };
    let address = json!({
        "location": REGION, "sku": { "name": "Standard" }, "properties": { "publicIPAllocationMethod": "Static" },
        "tags": { "k8s-azure-service": "default/web", "k8s-azure-cluster-name": "kubernetes" },
    });
    put("Microsoft.Network/publicIPAddresses/kubernetes-a1b2", address);
    let public = lab.emulator.id(CLUSTER, "Microsoft.Network/publicIPAddresses/kubernetes-a1b2");
    let front = |properties: Value| {
        json!({ "location": REGION, "sku": { "name": "Standard" }, "properties": {
            "frontendIPConfigurations": [{ "name": "a1b2", "properties": properties }],
        } })
    };
    put("Microsoft.Network/loadBalancers/kubernetes", front(json!({ "publicIPAddress": { "id": public } })));
    let subnet = lab
        .emulator
        .id(CLUSTER, &format!("Microsoft.Network/virtualNetworks/{CLUSTER}/subnets/{REGION}.{CLUSTER}"));
    let internal = json!({ "subnet": { "id": subnet }, "privateIPAllocationMethod": "Dynamic" });
    put("Microsoft.Network/loadBalancers/kubernetes-internal", front(internal));
    let disk = json!({
        "location": REGION, "sku": { "name": "StandardSSD_LRS" },
        "properties": { "creationData": { "createOption": "Empty" }, "diskSizeGB": 10 },
        "tags": { "k8s-azure-created-by": "kubernetes-azure-dd" },
    });
    put("Microsoft.Compute/disks/pvc-a1b2", disk);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_controllers_have_made_is_shown_and_goes_with_the_cluster() {
    let lab = Lab::new().await;
    lab.apply(&graph()).await;
    let calls = lab.assert_settled(&graph()).await;
    made_by_controllers(&lab);
    assert_eq!(lab.assert_settled(&graph()).await, calls, "no call more");
    let plan = lab.engine.plan(&TaskGraph::default()).await.unwrap();
    let made: Vec<_> = plan
        .changes
        .iter()
        .filter(|change| change.reason.as_deref() == Some("created by a controller of the cluster"))
        .map(|change| change.task.name().to_owned())
        .collect();
    assert_eq!(made, ["kubernetes", "kubernetes-a1b2", "kubernetes-internal", "pvc-a1b2"], "{plan}");
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
    lab.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_stays_while_something_is_in_the_way() {
    let lab = Lab::new().await;
    lab.apply(&graph()).await;
    let subnet = lab
        .emulator
        .id(CLUSTER, &format!("Microsoft.Network/virtualNetworks/{CLUSTER}/subnets/{REGION}.{CLUSTER}"));
    lab.emulator.create_group("theirs");
    let elsewhere = "resourceGroups/theirs/providers/Microsoft.Network/loadBalancers/theirs";
    let body = json!({ "location": REGION, "sku": { "name": "Standard" }, "properties": {
        "frontendIPConfigurations": [{ "name": "in", "properties": {
            "subnet": { "id": subnet }, "privateIPAllocationMethod": "Dynamic",
        } }],
    } });
    lab.emulator.request("PUT", elsewhere, body);
    let inside = format!("resourceGroups/{CLUSTER}/providers/Microsoft.Network/publicIPAddresses/mine");
    let body = json!({ "location": REGION, "sku": { "name": "Standard" },
        "properties": { "publicIPAllocationMethod": "Static" } });
    lab.emulator.request("PUT", &inside, body);
    lab.emulator.settle();
    let before = lab.emulator.snapshot();
    let error = lab.engine.plan(&TaskGraph::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DependencyViolation);
    let error = error.to_string();
    assert!(error.contains("loadBalancers/theirs") && error.contains("uses AzureSubnet"), "{error}");
    assert!(error.contains("publicIPAddresses/mine uses ResourceGroup"), "{error}");
    assert!(before.diff(&lab.emulator.snapshot()).is_empty());
    for path in [elsewhere, &inside, "resourceGroups/theirs"] {
        lab.emulator.request("DELETE", path, json!({}));
    }
    lab.emulator.settle();
    lab.delete().await;
}
