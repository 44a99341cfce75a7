//! Single kinds of networks and what is shared.

use kops_core::graph::TaskGraph;
use kops_core::resource::{Egress, Network, Subnet};
use kops_gce::kinds::{GceNetwork, Subnetwork};
use serde_json::json;

use crate::lab::{CLUSTER, Lab};

#[tokio::test]
async fn networks_of_others_are_used_however_they_are_named() {
    let lab = Lab::bare().await;
    let network = json!({ "name": "theirs", "autoCreateSubnetworks": false });
    lab.google.call("compute.networks.insert", json!({}), network);
    let before = lab.google.snapshot();
    let project = lab.google.project().to_owned();
    for selector in [
        "theirs".to_owned(),
        format!("{project}/theirs"),
        format!("projects/{project}/global/networks/theirs"),
    ] {
        let mut graph = TaskGraph::builder();
        let network = graph.share::<Network>(CLUSTER, &selector);
        let subnet = Subnet::new(network.id(), "10.0.0.0/20".parse().unwrap());
        graph.add(&format!("own.{CLUSTER}"), subnet.egress(Egress::None));
        lab.apply(&graph.build().unwrap()).await;
        lab.try_apply(&TaskGraph::default()).await.unwrap();
        assert_eq!(before.diff(&lab.google.snapshot()), Vec::<String>::new(), "{selector}");
    }
}

#[tokio::test]
async fn a_network_that_does_not_exist_is_told_when_planning() {
    let lab = Lab::bare().await;
    let mut graph = TaskGraph::builder();
    graph.share::<Network>(CLUSTER, "nobodys");
    let error = lab.engine.plan(&graph.build().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("there is no GceNetwork \"nobodys\""), "{error}");
}

#[tokio::test]
async fn ranges_for_pods_are_added_in_place_and_those_of_others_stay() {
    let lab = Lab::bare().await;
    let graph = |pods: Option<&str>, access: bool| {
        let mut graph = TaskGraph::builder();
        let network = graph.add(CLUSTER, GceNetwork::default());
        let subnetwork = Subnetwork {
            network: network.id(),
            cidr: "10.0.0.0/20".parse().unwrap(),
            secondary_ranges: pods.iter().map(|range| ("pods".to_owned(), range.parse().unwrap())).collect(),
            private_google_access: access,
        };
        graph.add(&format!("own.{CLUSTER}"), subnetwork);
        graph.build().unwrap()
    };
    lab.apply(&graph(None, true)).await;
    let wanted = graph(Some("10.64.0.0/14"), false);
    let changes = lab.changes(&wanted).await;
    assert_eq!(
        changes,
        [format!("update Subnetwork/own.{CLUSTER}: private_google_access, secondary_ranges.pods")]
    );
    lab.apply(&wanted).await;
    lab.delete().await;
}
