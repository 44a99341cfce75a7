//! What the service refuses that its types allow.

use kops_cluster::CloudProvider;
use kops_core::graph::TaskGraph;
use kops_core::{ErrorKind, Result};
use serde_json::Value;

use crate::lab::Site;

fn balancers(site: &mut Site, provider: &str, method: Option<&str>) {
    let of_cluster = &mut site.files.cluster.spec.cloud_provider;
    let mut cloud = of_cluster.as_ref().and_then(CloudProvider::openstack).unwrap().clone();
    let settings = cloud.loadbalancer.as_mut().unwrap();
    settings.provider = Some(provider.to_owned());
    settings.method = method.map(str::to_owned);
    *of_cluster = Some(CloudProvider::Openstack(cloud));
}

fn access(site: &mut Site, cidrs: &[&str]) {
    site.files.cluster.spec.api.access = cidrs.iter().map(|cidr| cidr.parse().unwrap()).collect();
}

/// The list of the API's listener.
fn allowed(site: &Site) -> Vec<String> {
    let listeners = site.lab.rest().list("octavia", "v2/lbaas/listeners", "listeners");
    let api = listeners.iter().find(|it| it["protocol_port"] == 443).unwrap();
    let cidrs = api["allowed_cidrs"].as_array().cloned().unwrap_or_default();
    cidrs.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_list_has_the_family_of_the_address_and_the_routers_address() {
    let Some(mut site) = Site::new().await else { return };
    access(&mut site, &["198.51.100.0/24", "::/0"]);
    site.apply().await;
    let cidrs = allowed(&site);
    assert!(
        cidrs.contains(&"198.51.100.0/24".to_owned()) && cidrs.iter().all(|it| !it.contains(':')),
        "{cidrs:?}"
    );
    // Private machines reach the floating address from their router's.
    let routers = site.lab.rest().list("neutron", "v2.0/routers", "routers");
    let own = |router: &&Value| router["name"].as_str().is_some_and(|name| name.starts_with("ha."));
    let router = routers.iter().find(own).unwrap();
    let address = router["external_gateway_info"]["external_fixed_ips"][0]["ip_address"].as_str().unwrap();
    assert!(cidrs.contains(&format!("{address}/32")), "{cidrs:?} {address}");
    site.delete().await;
}

#[tokio::test]
async fn connections_pass_through_balancers_of_ovn() {
    let Some(mut site) = Site::new().await else { return };
    balancers(&mut site, "ovn", None);
    access(&mut site, &["198.51.100.0/24"]);
    site.apply().await;
    assert_eq!(allowed(&site), Vec::<String>::new());
    let pools = site.lab.rest().list("octavia", "v2/lbaas/pools", "pools");
    assert!(pools.iter().all(|pool| pool["lb_algorithm"] == "SOURCE_IP_PORT"), "{pools:?}");
    let groups = site.lab.rest().list("neutron", "v2.0/security-groups", "security_groups");
    let masters =
        groups.iter().find(|it| it["name"].as_str().is_some_and(|it| it.starts_with("masters.ha."))).unwrap();
    let rules = masters["security_group_rules"].as_array().unwrap().iter();
    let sources: Vec<_> = rules
        .filter(|rule| rule["port_range_min"] == 443 && rule["direction"] == "ingress")
        .filter_map(|rule| rule["remote_ip_prefix"].as_str())
        .collect();
    assert!(sources.contains(&"198.51.100.0/24"), "{sources:?}");
    site.delete().await;
}

async fn refused(site: &Site) -> kops_core::Error {
    let outcome: Result<()> = site.try_apply(&site.graph()).await;
    let error = outcome.unwrap_err();
    site.try_apply(&TaskGraph::default()).await.unwrap();
    error
}

#[tokio::test]
async fn an_algorithm_that_a_driver_lacks_is_refused_with_what_to_set() {
    let Some(mut site) = Site::new().await else { return };
    // As if the cloud's own driver were another: amphora has all but this one.
    balancers(&mut site, "octavia", Some("SOURCE_IP_PORT"));
    let error = refused(&site).await;
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{text}");
    assert!(text.contains("does not support SOURCE_IP_PORT"), "{text}");
    assert!(text.contains("provider: ovn, and method: SOURCE_IP_PORT"), "{text}");
}
