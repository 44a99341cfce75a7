//! Objects made by others that a task adopts.

use std::sync::Arc;

use kops_core::cloud::Scope;
use kops_core::graph::{GraphBuilder, TaskGraph};
use kops_core::resource::Volume;
use kops_core::{Engine, ErrorKind};
use kops_gce::kinds::{RegionHealthCheck, ServiceAccount};
use serde_json::json;

use crate::lab::{CLUSTER, Lab, ZONES};

fn graph(build: impl FnOnce(&mut GraphBuilder)) -> TaskGraph {
    let mut graph = TaskGraph::builder();
    build(&mut graph);
    graph.build().unwrap()
}

/// A health check and a service account, adopted under the names of tasks.
fn adopting(interval: u32) -> TaskGraph {
    graph(|graph| {
        let check = RegionHealthCheck { port: 80, https_path: None, interval, healthy: 2, unhealthy: 2 };
        graph.adopt("check", check, "by-hand");
        let account = ServiceAccount { display_name: "by hand".to_owned() };
        graph.adopt("machines", account, "by-hand");
    })
}

#[tokio::test]
async fn what_has_a_description_that_can_be_changed_is_adopted() {
    let lab = Lab::bare().await;
    let region = json!({ "region": "europe-west1" });
    let check = json!({
        "name": "by-hand", "type": "TCP", "tcpHealthCheck": { "port": 80 }, "checkIntervalSec": 10,
        "timeoutSec": 10, "description": "made by hand",
    });
    lab.google.call("compute.regionHealthChecks.insert", region, check);
    let project = json!({ "name": format!("projects/{}", lab.google.project()) });
    let account = json!({ "accountId": "by-hand", "serviceAccount": { "displayName": "by hand" } });
    lab.google.call("iam.projects.serviceAccounts.create", project, account);

    // What differs is changed along the way.
    let adopted = ["adopt RegionHealthCheck/check: interval", "adopt ServiceAccount/machines"];
    assert_eq!(lab.changes(&adopting(20)).await, adopted);
    lab.apply(&adopting(20)).await;
    let found = lab.google.snapshot();
    let (_, check) = found.objects("healthChecks").find(|(name, _)| name.contains("by-hand")).unwrap();
    assert_eq!(check["description"], format!("kops cluster={CLUSTER} task=check"));
    assert_eq!(check["checkIntervalSec"], 20);

    let theirs = Engine::new(lab.gce.clone(), Scope::new("theirs.example.com"));
    let error = theirs.plan(&adopting(20)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().matches(&format!("it belongs to scope {CLUSTER}")).count() == 2, "{error}");
    lab.delete().await;
}

#[tokio::test]
async fn what_has_none_is_told_when_planning() {
    let lab = Lab::bare().await;
    let disk = json!({ "name": "by-hand", "sizeGb": "20" });
    lab.google.call("compute.disks.insert", json!({ "zone": ZONES[0] }), disk);
    let adopting = graph(|graph| drop(graph.adopt("data", Volume::new(ZONES[0], 20), "by-hand")));
    let engine = Engine::new(Arc::clone(&lab.gce) as _, Scope::new(CLUSTER));
    let error = engine.plan(&adopting).await.unwrap_err();
    assert!(error.to_string().contains("Disk/data"), "{error}");
    assert!([ErrorKind::Unsupported, ErrorKind::Invalid].contains(&error.kind()), "{error}");
}
