//! Existing objects: compared with what is specified, looked up as resolvers would, and joined for as long as the cluster
//! lives.

use kops_azure_emulator::REGION;
use kops_cluster::{ClusterCloud as _, ClusterFiles, DnsType, LoadBalancerType};
use kops_core::{Error, ErrorKind};
use serde_json::json;

use crate::cluster::{files, graph, lab};
use crate::lab::{CLUSTER, Lab, Site};

/// Why a cluster cannot be planned; nothing has been changed.
async fn refusal(lab: &Lab, files: &ClusterFiles) -> Error {
    let before = lab.emulator.snapshot();
    let error = lab.engine.plan(&graph(files, lab)).await.unwrap_err();
    assert!(before.diff(&lab.emulator.snapshot()).is_empty());
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subnet_of_another_range_or_network_is_refused() {
    let mut files = files(DnsType::None, LoadBalancerType::Internal);
    let mut lab = lab(&files).await;
    lab.emulator.create_group("corp");
    let network = |name: &str| lab.emulator.id("corp", &format!("Microsoft.Network/virtualNetworks/{name}"));
    let (corp, other) = (network("corp"), network("other"));
    for id in [&corp, &other] {
        let body = json!({ "location": REGION, "properties": {
            "addressSpace": { "addressPrefixes": ["10.0.0.0/16"] },
            "subnets": [{ "name": "a", "properties": { "addressPrefix": "10.0.0.0/20" } }],
        }});
        lab.emulator.request("PUT", id, body);
    }
    lab.emulator.settle();
    lab.before = lab.emulator.snapshot();
    let mut named = |network: &str, cidr: &str| {
        let networking = &mut files.cluster.spec.networking;
        networking.network_id = Some(network.to_owned());
        networking.subnets.truncate(1);
        let subnet = &mut networking.subnets[0];
        (subnet.id, subnet.cidr) = (Some(format!("{corp}/subnets/a")), cidr.parse().ok());
        let name = subnet.name.clone();
        files.instance_groups.retain(|group| !group.name().starts_with("bastion"));
        for group in &mut files.instance_groups {
            group.spec.subnets = vec![name.clone()];
        }
        if let Some(topology) = &mut files.cluster.spec.networking.topology {
            topology.bastion = None;
        }
        files.clone()
    };
    let error = refusal(&lab, &named(&corp, "10.0.16.0/20")).await.to_string();
    assert!(error.contains("10.0.0.0/20") && error.contains("10.0.16.0/20"), "{error}");
    assert!(error.contains("spec.subnets[0].cidr"), "{error}");
    let error = refusal(&lab, &named(&other, "10.0.0.0/20")).await.to_string();
    assert!(error.contains("virtualNetworks/corp") && error.contains("virtualNetworks/other"), "{error}");
    assert!(lab.engine.plan(&graph(&named(&corp, "10.0.0.0/20"), &lab)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_found_by_its_identifier_and_by_a_subnets() {
    let lab = Lab::new().await;
    lab.emulator.create_group("corp");
    let corp = lab.emulator.id("corp", "Microsoft.Network/virtualNetworks/corp");
    let body = json!({ "location": REGION, "properties": {
        "addressSpace": { "addressPrefixes": ["10.9.0.0/16", "10.19.0.0/16"] },
        "subnets": [{ "name": "a", "properties": { "addressPrefix": "10.9.0.0/20" } }],
    }});
    lab.emulator.request("PUT", &corp, body);
    lab.emulator.settle();
    for id in [corp.clone(), format!("{corp}/subnets/a")] {
        let found = lab.azure.existing_network(&id).await.unwrap().unwrap();
        let cidrs: Vec<_> = found.cidrs.iter().map(ToString::to_string).collect();
        let subnets: Vec<_> = found.subnets.iter().map(|subnet| subnet.cidr.to_string()).collect();
        assert_eq!(found.id, corp);
        assert_eq!(
            (cidrs, subnets),
            (vec!["10.9.0.0/16".to_owned(), "10.19.0.0/16".to_owned()], vec!["10.9.0.0/20".to_owned()])
        );
    }
    let error = lab.azure.existing_network(&format!("{corp}-2")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_and_images_have_the_same_architecture() {
    let lab = Lab::new().await;
    let graph = |size: &str, image: &str| {
        let mut site = Site::of(CLUSTER);
        let mut group = site.group(&[1]);
        size.clone_into(&mut group.machine_type);
        image.clone_into(&mut group.image);
        site.graph.add("nodes", group);
        site.build()
    };
    for version in ["latest", "24.04.202410170"] {
        let arm = format!("Canonical:ubuntu-24_04-lts:server-arm64:{version}");
        let told = lab.engine.plan(&graph("Standard_D2s_v5", &arm)).await.unwrap_err().to_string();
        assert!(told.contains(&arm) && told.contains("Standard_D2s_v5"), "{told}");
        assert!(told.contains("Arm64") && told.contains("x64"), "{told}");
        assert!(lab.engine.plan(&graph("Standard_D2ps_v5", &arm)).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clusters_network_is_linked_with_its_private_zone() {
    let mut files = files(DnsType::Private, LoadBalancerType::Internal);
    files.cluster.spec.dns_zone = Some("example.com".to_owned());
    let mut lab = lab(&files).await;
    lab.emulator.create_group("corp");
    let zone = lab.emulator.id("corp", "Microsoft.Network/privateDnsZones/example.com");
    lab.emulator.request("PUT", &zone, json!({ "location": "global" }));
    lab.emulator.settle();
    lab.before = lab.emulator.snapshot();
    let graph = graph(&files, &lab);
    // Machines find the API by its names.
    let plan = lab.engine.plan(&graph).await.unwrap();
    let groups: Vec<_> =
        plan.changes.iter().filter(|change| change.task.kind() == "VirtualMachineScaleSet").collect();
    assert!(!groups.is_empty());
    for group in groups {
        let waits = group.waits_for.iter().any(|it| it.task.kind() == "VirtualNetworkLink");
        assert!(waits, "{}: {:?}", group.task, group.waits_for);
    }
    lab.apply(&graph).await;
    let links = lab.emulator.request("GET", &format!("{zone}/virtualNetworkLinks"), json!(null)).to_string();
    assert!(links.contains(&format!("virtualNetworks/{CLUSTER}")), "{links}");
    lab.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_in_the_longest_zone_that_contains_them() {
    let mut files = files(DnsType::Public, LoadBalancerType::Public);
    files.cluster.spec.dns_zone = None;
    let mut lab = lab(&files).await;
    let zone = lab.emulator.create_zone("dns", CLUSTER);
    lab.emulator.settle();
    lab.before = lab.emulator.snapshot();
    lab.apply(&graph(&files, &lab)).await;
    let records = lab.emulator.request("GET", &format!("{zone}/recordsets"), json!(null)).to_string();
    assert!(records.contains(r#""name":"api""#), "{records}");
    lab.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_of_somebody_else_at_a_name_is_told() {
    let files = files(DnsType::Public, LoadBalancerType::Public);
    let lab = lab(&files).await;
    let zone = lab.emulator.id("dns", "Microsoft.Network/dnsZones/example.com");
    let name = CLUSTER.strip_suffix(".example.com").unwrap();
    let record = json!({ "properties": { "TTL": 300, "CNAMERecord": { "cname": "elsewhere.example.com" } } });
    lab.emulator.request("PUT", &format!("{zone}/CNAME/api.{name}"), record);
    let error = refusal(&lab, &files).await;
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert!(error.to_string().contains(&format!("CNAME/api.{name}")), "{error}");
}
