//! Existing objects: compared with what is specified, looked up as resolvers would, and joined for as long as the cluster
//! lives.

use kops_cluster::{ClusterCloud as _, ClusterFiles, DnsType, LoadBalancerType, TopologyKind};
use kops_core::graph::TaskGraph;
use kops_core::{Error, ErrorKind};
use kops_gce_emulator::REGION;
use serde_json::{Value, json};

use crate::lab::{CLUSTER, Lab};
use crate::site::Site;
use crate::whole::{graph_of, ha_in, usual};

/// Why a cluster cannot be planned; nothing has been changed.
async fn refusal(lab: &mut Lab, files: &ClusterFiles) -> Error {
    let graph = graph_of(lab, files);
    let before = lab.google.snapshot();
    let error = lab.engine.plan(&graph).await.unwrap_err();
    assert!(before.diff(&lab.google.snapshot()).is_empty());
    error
}

#[tokio::test]
async fn a_subnet_of_another_range_or_network_is_refused() {
    let mut lab = Lab::new().await;
    for network in ["corp", "other"] {
        let body = json!({ "name": network, "autoCreateSubnetworks": false });
        lab.google.call("compute.networks.insert", json!({}), body);
    }
    let network = format!("projects/{}/global/networks/corp", lab.google.project());
    let subnetwork = json!({ "name": "corp-a", "network": network, "ipCidrRange": "10.20.0.0/16" });
    lab.google.call("compute.subnetworks.insert", json!({ "region": REGION }), subnetwork);

    let mut files = ha_in(LoadBalancerType::Internal, TopologyKind::Public, DnsType::None);
    let mut named = |network: &str, cidr: &str| {
        let networking = &mut files.cluster.spec.networking;
        networking.network_id = Some(network.to_owned());
        for subnet in &mut networking.subnets {
            (subnet.id, subnet.cidr) = (Some("corp-a".to_owned()), cidr.parse().ok());
        }
        files.clone()
    };
    let error = refusal(&mut lab, &named("corp", "10.30.0.0/16")).await.to_string();
    assert!(error.contains("10.20.0.0/16") && error.contains("10.30.0.0/16"), "{error}");
    assert!(error.contains("spec.subnets[0].cidr"), "{error}");
    let error = refusal(&mut lab, &named("other", "10.20.0.0/16")).await.to_string();
    assert!(error.contains("networks/corp") && error.contains("networks/other"), "{error}");
    let graph = graph_of(&mut lab, &named("corp", "10.20.0.0/16"));
    lab.before = lab.google.snapshot();
    lab.apply(&graph).await;
    lab.delete().await;
}

#[tokio::test]
async fn a_network_is_found_by_its_name_and_by_a_subnetworks() {
    let lab = Lab::new().await;
    let network = json!({ "name": "corp", "autoCreateSubnetworks": false });
    lab.google.call("compute.networks.insert", json!({}), network);
    let network = format!("projects/{}/global/networks/corp", lab.google.project());
    let subnetwork = json!({
        "name": "corp-a", "network": network, "ipCidrRange": "10.20.0.0/20",
        "secondaryIpRanges": [{ "rangeName": "pods", "ipCidrRange": "10.24.0.0/14" }],
    });
    lab.google.call("compute.subnetworks.insert", json!({ "region": REGION }), subnetwork);
    for id in ["corp", "corp-a", &network] {
        let found = lab.gce.existing_network(id).await.unwrap().unwrap();
        let ranges: Vec<_> = found.subnets.iter().map(|subnet| subnet.cidr.to_string()).collect();
        assert_eq!(
            (found.id.as_str(), ranges),
            ("corp", vec!["10.20.0.0/20".to_owned(), "10.24.0.0/14".to_owned()])
        );
    }
    let error = lab.gce.existing_network("nowhere").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("no network or subnetwork nowhere"), "{error}");
}

#[tokio::test]
async fn machines_and_images_have_the_same_architecture() {
    let lab = Lab::new().await;
    let graph = |machine_type: &str, image: &str| {
        let mut site = Site::of(CLUSTER);
        site.group("nodes", |group| {
            machine_type.clone_into(&mut group.machine_type);
            image.clone_into(&mut group.image);
        });
        site.build()
    };
    let arm = "ubuntu-os-cloud/family/ubuntu-2404-lts-arm64";
    let error = lab.engine.plan(&graph("n2-standard-2", arm)).await.unwrap_err();
    let told = error.to_string();
    assert!(told.contains("arm64") && told.contains("n2-standard-2"), "{told}");
    assert!(told.contains("ARM64") && told.contains("X86_64"), "{told}");
    assert!(lab.engine.plan(&graph("c4a-standard-2", arm)).await.is_ok());
}

/// A zone that is visible in a network of its owner.
fn private_zone(lab: &Lab, name: &str, domain: &str) {
    let office = json!({ "name": "office", "autoCreateSubnetworks": false });
    lab.google.call("compute.networks.insert", json!({}), office);
    let url = "https://www.googleapis.com/compute/v1/projects";
    let network = json!({ "networkUrl": format!("{url}/{}/global/networks/office", lab.google.project()) });
    let zone = json!({
        "name": name, "dnsName": domain, "description": "", "visibility": "private",
        "privateVisibilityConfig": { "networks": [network] },
    });
    lab.google.call("dns.managedZones.create", json!({}), zone);
}

fn networks_of(lab: &Lab, zone: &str) -> Vec<String> {
    let zone = lab.google.call("dns.managedZones.get", json!({ "managedZone": zone }), json!(null));
    let networks = zone["privateVisibilityConfig"]["networks"].as_array().cloned().unwrap_or_default();
    let last = |it: &Value| it["networkUrl"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let mut networks: Vec<_> = networks.iter().map(last).collect();
    networks.sort();
    networks
}

#[tokio::test]
async fn the_clusters_network_sees_its_private_zone() {
    let mut lab = Lab::new().await;
    private_zone(&lab, "inside", "example.com.");
    lab.before = lab.google.snapshot();
    let graph =
        graph_of(&mut lab, &ha_in(LoadBalancerType::Internal, TopologyKind::Public, DnsType::Private));
    // Machines find the API by its names; their managers wait for the templates.
    let plan = lab.engine.plan(&graph).await.unwrap();
    let templates: Vec<_> =
        plan.changes.iter().filter(|change| change.task.kind() == "InstanceTemplate").collect();
    assert!(!templates.is_empty());
    for template in templates {
        let waits = template.waits_for.iter().any(|it| it.task.kind() == "ManagedZoneNetwork");
        assert!(waits, "{}: {:?}", template.task, template.waits_for);
    }
    lab.try_apply(&graph).await.unwrap();
    assert_eq!(networks_of(&lab, "inside"), ["ha-example-com", "office"]);
    lab.before = lab.google.snapshot();
    lab.assert_settled(&graph).await;
    // What somebody has undone is done again.
    let config = json!({ "privateVisibilityConfig": { "networks": [] } });
    lab.google.call("dns.managedZones.patch", json!({ "managedZone": "inside" }), config);
    let changes = lab.changes(&graph).await;
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert!(changes[0].starts_with("create ManagedZoneNetwork/"), "{changes:?}");
    lab.try_apply(&graph).await.unwrap();
    assert_eq!(networks_of(&lab, "inside"), ["ha-example-com"]);
    lab.try_apply(&TaskGraph::default()).await.unwrap();
    assert_eq!(networks_of(&lab, "inside"), Vec::<String>::new());
}

#[tokio::test]
async fn names_are_in_the_longest_zone_that_contains_them() {
    let mut lab = Lab::new().await;
    lab.google.create_zone(CLUSTER);
    lab.google.create_zone("com");
    lab.before = lab.google.snapshot();
    let mut files = usual();
    files.cluster.spec.dns_zone = None;
    let graph = graph_of(&mut lab, &files);
    lab.apply(&graph).await;
    let parameters = json!({ "managedZone": "ha-example-com" });
    let records = lab.google.call("dns.resourceRecordSets.list", parameters, json!(null)).to_string();
    assert!(records.contains(&format!("api.{CLUSTER}.")), "{records}");
    lab.delete().await;
}

#[tokio::test]
async fn an_alias_of_somebody_else_at_a_name_is_told() {
    let mut lab = Lab::new().await;
    let record = json!({ "additions": [{
        "name": format!("api.{CLUSTER}."), "type": "CNAME", "ttl": 300, "rrdatas": ["elsewhere.example.com."],
    }] });
    lab.google.call("dns.changes.create", json!({ "managedZone": "example-com" }), record);
    let error = refusal(&mut lab, &usual()).await;
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert!(error.to_string().contains(&format!("api.{CLUSTER}/CNAME")), "{error}");
}
