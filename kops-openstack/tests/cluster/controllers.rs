//! What controllers in a cluster have made: left alone while it lives, shown and deleted with it.

use std::time::Duration;

use kops_core::ErrorKind;
use kops_core::cloud::Cloud as _;
use kops_core::graph::TaskGraph;
use serde_json::{Value, json};

use crate::lab::Site;

#[tokio::test]
async fn what_controllers_have_made_is_shown_and_goes_with_the_cluster() {
    let Some(site) = Site::new().await else { return };
    site.apply().await;
    let cluster = site.files.cluster.name().to_owned();
    let rest = site.lab.rest();
    let subnets = rest.list("neutron", "v2.0/subnets", "subnets");
    let own = |it: &&Value| it["name"].as_str().is_some_and(|name| name.ends_with(&cluster));
    let subnet = subnets.iter().find(own).unwrap()["id"].clone();
    let service = |cluster: &str| format!("Kubernetes external service default/web from cluster {cluster}");
    let balancer = |name: &str, cluster: &str| {
        let body = json!({ "loadbalancer": {
            "name": name, "description": service(cluster), "vip_subnet_id": subnet,
        } });
        rest.call("octavia", "POST", "v2/lbaas/loadbalancers", &body)["loadbalancer"].clone()
    };
    let made = balancer("kube_service_web", &cluster);
    let group = json!({ "security_group": {
        "name": "lb-sg-web", "description": format!("Security Group for default/web Service LoadBalancer in cluster {cluster}"),
    } });
    rest.call("neutron", "POST", "v2.0/security-groups", &group);
    let volume = json!({ "volume": {
        "name": "pvc-web", "size": 1, "metadata": { "cinder.csi.openstack.org/cluster": cluster },
    } });
    rest.call("cinder", "POST", "v3/{project}/volumes", &volume);
    let path = format!("v2/lbaas/loadbalancers/{}", made["id"].as_str().unwrap());
    while rest.call("octavia", "GET", &path, &Value::Null)["loadbalancer"]["provisioning_status"] != "ACTIVE"
    {
        site.cloud.clock().sleep(Duration::from_millis(200)).await;
    }
    site.assert_settled().await;

    let plan = site.engine.plan(&TaskGraph::default()).await.unwrap();
    let reason = Some("created by a controller of the cluster");
    let made: Vec<_> = plan.changes.iter().filter(|change| change.reason.as_deref() == reason).collect();
    let names: Vec<_> = made.iter().map(|change| change.task.name()).collect();
    assert_eq!(
        names,
        ["loadbalancer/kube_service_web", "security-group/lb-sg-web", "volume/pvc-web"],
        "{plan}"
    );
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
    site.delete().await;
}

#[tokio::test]
async fn everything_stays_while_something_is_in_the_way() {
    let Some(site) = Site::new().await else { return };
    site.apply().await;
    let cluster = site.files.cluster.name().to_owned();
    let rest = site.lab.rest();
    let named = |kind: &str| {
        let found = rest.list("neutron", &format!("v2.0/{kind}"), &kind.replace('-', "_"));
        found.into_iter().find(|it| it["name"].as_str().is_some_and(|name| name.ends_with(&cluster))).unwrap()
    };
    let (network, group) = (named("networks"), named("security-groups"));
    let inside = json!({ "port": { "name": "theirs", "network_id": network["id"] } });
    let inside = rest.call("neutron", "POST", "v2.0/ports", &inside)["port"]["id"].clone();
    let elsewhere = json!({ "network": { "name": "theirs" } });
    let elsewhere = rest.call("neutron", "POST", "v2.0/networks", &elsewhere)["network"]["id"].clone();
    let guarded = json!({ "port": { "network_id": elsewhere, "security_groups": [group["id"]] } });
    let guarded = rest.call("neutron", "POST", "v2.0/ports", &guarded)["port"]["id"].clone();

    let before = site.lab.inventory();
    let error = site.engine.plan(&TaskGraph::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DependencyViolation);
    let text = |id: &Value| id.as_str().unwrap().to_owned();
    let error = error.to_string();
    assert!(
        error.contains(&format!("port/{} uses NeutronNetwork {}", text(&inside), text(&network["id"]))),
        "{error}"
    );
    assert!(
        error.contains(&format!("port/{} uses SecurityGroup {}", text(&guarded), text(&group["id"]))),
        "{error}"
    );
    assert_eq!(before.diff(&site.lab.inventory()), Vec::<String>::new());
    for path in [
        format!("ports/{}", text(&inside)),
        format!("ports/{}", text(&guarded)),
        format!("networks/{}", text(&elsewhere)),
    ] {
        rest.call("neutron", "DELETE", &format!("v2.0/{path}"), &Value::Null);
    }
    site.delete().await;
}
