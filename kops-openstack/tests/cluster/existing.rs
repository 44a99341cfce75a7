//! Existing objects: looked up, and compared with what is specified.

use kops_cluster::ClusterCloud as _;
use kops_core::ErrorKind;
use serde_json::json;

use crate::lab::Site;

#[tokio::test]
async fn a_network_is_found_by_its_identifier_and_by_a_subnets() {
    let Some(site) = Site::new().await else { return };
    let rest = site.lab.rest();
    let network = rest.call("neutron", "POST", "v2.0/networks", &json!({ "network": { "name": "corp" } }));
    let network = network["network"]["id"].as_str().unwrap().to_owned();
    let subnet = json!({ "subnet": { "network_id": network, "ip_version": 4, "cidr": "10.20.0.0/20" } });
    let subnet = rest.call("neutron", "POST", "v2.0/subnets", &subnet);
    let subnet = subnet["subnet"]["id"].as_str().unwrap().to_owned();
    for id in [&network, &subnet] {
        let found = site.cloud.existing_network(id).await.unwrap().unwrap();
        let subnets: Vec<_> = found.subnets.iter().map(|it| (it.id.clone(), it.cidr.to_string())).collect();
        assert_eq!((found.id, subnets), (network.clone(), vec![(subnet.clone(), "10.20.0.0/20".to_owned())]));
    }
    let error = site.cloud.existing_network("00000000-0000-4000-8000-000000000000").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[tokio::test]
async fn a_subnet_of_another_range_is_refused() {
    let Some(mut site) = Site::new().await else { return };
    let rest = site.lab.rest();
    let network = rest.call("neutron", "POST", "v2.0/networks", &json!({ "network": { "name": "corp" } }));
    let network = network["network"]["id"].as_str().unwrap().to_owned();
    let subnet = json!({ "subnet": { "network_id": network, "ip_version": 4, "cidr": "10.0.192.0/20" } });
    let subnet = rest.call("neutron", "POST", "v2.0/subnets", &subnet);
    let networking = &mut site.files.cluster.spec.networking;
    networking.network_id = Some(network);
    let first = &mut networking.subnets[0];
    first.id = Some(subnet["subnet"]["id"].as_str().unwrap().to_owned());
    first.cidr = "10.0.208.0/20".parse().ok();
    let error = site.engine.plan(&site.graph()).await.unwrap_err().to_string();
    assert!(error.contains("10.0.192.0/20") && error.contains("10.0.208.0/20"), "{error}");
    assert!(error.contains("spec.subnets[0].cidr"), "{error}");
}

#[tokio::test]
async fn an_alias_of_somebody_else_at_a_name_is_told() {
    let Some(site) = Site::new().await else { return };
    let rest = site.lab.rest();
    let zones = rest.list("designate", "v2/zones", "zones");
    let domain = format!("{}.example.com.", site.lab.name());
    let zone = zones.iter().find(|zone| zone["name"] == domain.as_str()).unwrap()["id"].as_str().unwrap();
    let record = json!({
        "name": format!("api.{}.", site.files.cluster.name()), "type": "CNAME", "records": ["elsewhere.example.com."],
    });
    rest.call("designate", "POST", &format!("v2/zones/{zone}/recordsets"), &record);
    let error = site.engine.plan(&site.graph()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert!(error.to_string().contains("is not owned by this scope"), "{error}");
}
