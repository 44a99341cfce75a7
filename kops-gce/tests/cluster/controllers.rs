//! What controllers in a cluster have made: left alone while it lives, shown and deleted with it.

use kops_core::ErrorKind;
use kops_core::graph::TaskGraph;
use kops_core::resource::Scheme;
use kops_gce_emulator::REGION;
use serde_json::{Value, json};

use crate::lab::{CLUSTER, Lab, ZONES};
use crate::site::{Site, listener};

fn graph() -> TaskGraph {
    let mut site = Site::of(CLUSTER);
    let balancer = site.balancer(Scheme::Internal, vec![listener(443)]);
    site.group("nodes", |group| {
        group.min = 2;
        group.load_balancers.insert(balancer.id());
    });
    site.build()
}

fn path(lab: &Lab, rest: &str) -> String {
    format!("projects/{}/{rest}", lab.google.project())
}

/// The machines with a tag.
fn machines(lab: &Lab, tag: &str) -> Vec<String> {
    let found = lab.google.snapshot();
    found
        .objects("instances")
        .filter(|(_, it)| it["tags"]["items"].as_array().is_some_and(|tags| tags.contains(&json!(tag))))
        .map(|(_, it)| it["selfLink"].as_str().unwrap().to_owned())
        .collect()
}

/// Makes what a service of type `LoadBalancer`, a volume claim and the routes to pods come to, for a cluster whose
/// machines have a tag; all names begin with a letter.
fn made_by_controllers(lab: &Lab, letter: &str, tag: &str, label: &str) {
    let call = |method: &str, parameters: Value, body: Value| lab.google.call(method, parameters, body);
    let found = lab.google.snapshot();
    let machines = machines(lab, tag);
    assert!(!machines.is_empty(), "{tag}");
    let network =
        found.objects("instances").find(|(_, it)| it["selfLink"] == machines[0].as_str()).unwrap().1;
    let network = network["networkInterfaces"][0]["network"].clone();
    let region = || json!({ "region": REGION });
    let name = format!("{letter}1b2c3");
    call(
        "compute.httpHealthChecks.insert",
        json!({}),
        json!({ "name": format!("k8s-{letter}-node"), "port": 10256 }),
    );
    let check = path(lab, &format!("global/httpHealthChecks/k8s-{letter}-node"));
    call(
        "compute.targetPools.insert",
        region(),
        json!({ "name": name, "instances": machines, "healthChecks": [check] }),
    );
    call("compute.addresses.insert", region(), json!({ "name": name }));
    let rule = json!({
        "name": name, "IPProtocol": "TCP", "portRange": "80-80",
        "description": r#"{"kubernetes.io/service-name":"default/web"}"#,
        "target": path(lab, &format!("regions/{REGION}/targetPools/{name}")),
        "IPAddress": path(lab, &format!("regions/{REGION}/addresses/{name}")),
    });
    call("compute.forwardingRules.insert", region(), rule);
    let firewall = json!({
        "name": format!("k8s-fw-{name}"), "network": network, "allowed": [{ "IPProtocol": "tcp", "ports": ["80"] }],
        "sourceRanges": ["0.0.0.0/0"], "targetTags": [tag],
    });
    call("compute.firewalls.insert", json!({}), firewall);
    let route = json!({
        "name": format!("{letter}-route"), "network": network, "destRange": "100.96.1.0/24", "priority": 1000,
        "description": "k8s-node-route", "nextHopInstance": machines[0],
    });
    call("compute.routes.insert", json!({}), route);
    let disk = json!({
        "name": format!("pvc-{letter}"), "sizeGb": "10", "labels": { "k8s-io-cluster-name": label },
        "type": path(lab, &format!("zones/{}/diskTypes/pd-balanced", ZONES[0])),
        "description": r#"{"kubernetes.io/created-for/pvc/name":"data"}"#,
    });
    call("compute.disks.insert", json!({ "zone": ZONES[0] }), disk);
}

#[tokio::test]
async fn what_controllers_have_made_is_shown_and_goes_with_the_cluster() {
    let mut lab = Lab::new().await;
    lab.apply(&graph()).await;
    lab.google.settle();
    made_by_controllers(&lab, "a", "nodes-ha-example-com", "ha-example-com");
    // Another cluster's, whose name begins alike, are others'.
    let before = lab.google.snapshot();
    made_by_controllers(&lab, "x", "nodes-ha-example-com-au", "ha-example-com-au");
    let theirs: Vec<String> = before.diff(&lab.google.snapshot());
    lab.assert_settled(&graph()).await;

    lab.google.forget_calls();
    let plan = lab.engine.plan(&TaskGraph::default()).await.unwrap();
    println!("a plan of a deletion: {} calls", lab.google.calls().total());
    let made: Vec<_> = plan
        .changes
        .iter()
        .filter(|change| change.reason.as_deref() == Some("created by a controller of the cluster"))
        .map(|change| change.task.name().to_owned())
        .collect();
    assert_eq!(
        made,
        [
            "addresses/a1b2c3",
            "disks/pvc-a",
            "firewalls/k8s-fw-a1b2c3",
            "forwardingRules/a1b2c3",
            "httpHealthChecks/k8s-a-node",
            "routes/a-route",
            "targetPools/a1b2c3",
        ],
        "{plan}"
    );
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
    lab.try_apply(&TaskGraph::default()).await.unwrap();
    lab.google.settle();
    // What is left beside what was there are the other cluster's.
    let left = lab.before.diff(&lab.google.snapshot());
    assert_eq!(left.len(), theirs.len(), "{left:?}");
    lab.before = lab.google.snapshot();
    assert!(lab.changes(&TaskGraph::default()).await.is_empty());
}

#[tokio::test]
async fn everything_stays_while_something_is_in_the_way() {
    let lab = Lab::new().await;
    lab.apply(&graph()).await;
    let network = path(&lab, "global/networks/ha-example-com");
    let theirs = json!({ "name": "theirs", "network": network, "allowed": [{ "IPProtocol": "tcp" }] });
    lab.google.call("compute.firewalls.insert", json!({}), theirs);
    let before = lab.google.snapshot();
    let error = lab.engine.plan(&TaskGraph::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DependencyViolation);
    let told = format!("{} uses GceNetwork {network}", path(&lab, "global/firewalls/theirs"));
    assert!(error.to_string().contains(&told), "{error}");
    assert!(before.diff(&lab.google.snapshot()).is_empty());
    lab.google.call("compute.firewalls.delete", json!({ "firewall": "theirs" }), json!(null));
    lab.delete().await;
}

#[tokio::test]
async fn what_controllers_have_made_is_known_when_the_machines_are_gone() {
    let lab = Lab::new().await;
    lab.apply(&graph()).await;
    lab.google.settle();
    made_by_controllers(&lab, "a", "nodes-ha-example-com", "ha-example-com");
    // A run that ended when the machines were gone, and before them the balancer whose backends they were.
    let of_balancer = json!({ "region": REGION, "forwardingRule": "api-ha-example-com" });
    lab.google.call("compute.forwardingRules.delete", of_balancer, json!(null));
    let of_balancer = json!({ "region": REGION, "backendService": "api-ha-example-com" });
    lab.google.call("compute.regionBackendServices.delete", of_balancer, json!(null));
    let last = |link: &Value| link.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let managers = lab.google.snapshot();
    let theirs = lab.before.names("instanceGroupManagers");
    for (_, manager) in managers.objects("instanceGroupManagers").filter(|(name, _)| !theirs.contains(name)) {
        let parameters = json!({ "zone": last(&manager["zone"]), "instanceGroupManager": manager["name"] });
        lab.google.call("compute.instanceGroupManagers.delete", parameters, json!(null));
    }
    lab.google.settle();
    assert_eq!(machines(&lab, "nodes-ha-example-com"), Vec::<String>::new());
    let plan = lab.engine.plan(&TaskGraph::default()).await.unwrap();
    let made = plan.changes.iter().filter(|change| change.task.kind() == "UnmanagedObject").count();
    assert_eq!(made, 7, "{plan}");
    lab.delete().await;
}

#[tokio::test]
async fn an_address_that_somebody_reserved_for_a_service_stays() {
    let mut lab = Lab::new().await;
    lab.apply(&graph()).await;
    lab.google.settle();
    let region = || json!({ "region": REGION });
    let machines = machines(&lab, "nodes-ha-example-com");
    lab.google.call("compute.addresses.insert", region(), json!({ "name": "web" }));
    lab.google.call("compute.targetPools.insert", region(), json!({ "name": "a1", "instances": machines }));
    let rule = json!({
        "name": "a1", "IPProtocol": "TCP", "portRange": "80-80",
        "target": path(&lab, &format!("regions/{REGION}/targetPools/a1")),
        "IPAddress": path(&lab, &format!("regions/{REGION}/addresses/web")),
    });
    lab.google.call("compute.forwardingRules.insert", region(), rule);
    lab.try_apply(&TaskGraph::default()).await.unwrap();
    lab.google.settle();
    let left = lab.before.diff(&lab.google.snapshot());
    assert!(matches!(&left[..], [only] if only.contains("addresses") && only.contains("web")), "{left:?}");
    lab.before = lab.google.snapshot();
}
