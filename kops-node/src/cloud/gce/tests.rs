use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::*;
use crate::bundle::Gce;
use crate::cloud::Cloud as _;
use crate::testing::{TestClock, http, ok, serve};

fn metadata() -> (Metadata, Arc<TestClock>) {
    let url = serve(|seen| match seen.path.strip_prefix("/computeMetadata/v1/instance/") {
        _ if seen.header("metadata-flavor") != "Google" => (403, vec![], vec![]),
        Some("hostname") => ok("nodes-x1.europe-west3-a.c.demo.internal"),
        Some("name") => ok("nodes-x1"),
        Some("zone") => ok("projects/1/zones/europe-west3-a"),
        Some("network-interfaces/0/ip") => ok("10.0.0.8"),
        Some("service-accounts/default/token") => {
            ok(json!({"access_token": "t", "expires_in": 3599}).to_string())
        }
        _ => (404, vec![], vec![]),
    });
    let clock = Arc::new(TestClock::real());
    (Metadata::new(http(), Some(&url), clock.clone()), clock)
}

#[test]
fn a_machine_is_named_as_the_clouds_controller_expects() {
    let me = metadata().0.identity().unwrap();
    assert_eq!(
        (me.node_name.as_str(), me.provider_id, me.zone.as_deref()),
        ("nodes-x1", None, Some("europe-west3-a"))
    );
}

/// Cloud Storage as its documentation has it: generations, `ifGenerationMatch`, names as one escaped part of the path.
fn storage() -> String {
    type Objects = BTreeMap<String, (u64, Vec<u8>)>;
    let state: Mutex<(u64, Objects)> = Mutex::default();
    serve(move |seen| {
        if seen.header("authorization") != "Bearer t" {
            return (401, vec![], vec![]);
        }
        let mut state = state.lock().unwrap();
        let plain =
            |it: &str| it.replace("%2F", "/").replace("%20", " ").replace("%3A", ":").replace("%2B", "+");
        let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
        let field = |name: &str| {
            query
                .split('&')
                .find_map(|it| it.strip_prefix(&format!("{name}=")))
                .map(plain)
                .unwrap_or_default()
        };
        if path == "/upload/storage/v1/b/state/o" {
            let name = field("name");
            let current = state.1.get(&name).map_or(0, |it| it.0).to_string();
            if query.contains("ifGenerationMatch") && field("ifGenerationMatch") != current {
                return (412, vec![], vec![]);
            }
            state.0 += 1;
            let generation = state.0;
            state.1.insert(name, (generation, seen.body.clone()));
            return ok("{}");
        }
        let Some(name) = path.strip_prefix("/storage/v1/b/state/o/").map(plain) else {
            let prefix = field("prefix");
            // Pages of one.
            let mut found = state.1.keys().filter(|it| it.starts_with(&prefix) && **it > field("pageToken"));
            let name = found.next();
            let next = found.next().and(name);
            let items: Vec<_> = name.iter().map(|it| json!({"name": it})).collect();
            return ok(json!({"items": items, "nextPageToken": next}).to_string());
        };
        if seen.method == "DELETE" {
            return (if state.1.remove(&name).is_some() { 204 } else { 404 }, vec![], vec![]);
        }
        match state.1.get(&name) {
            Some((generation, bytes)) => {
                (200, vec![("x-goog-generation".into(), generation.to_string())], bytes.clone())
            }
            None => (404, vec![], vec![]),
        }
    })
}

#[test]
fn cloud_storage_is_a_store() {
    let store = CloudStorage::new(http(), metadata().0, ("state", "ha.example.com"), Some(&storage()));
    crate::store::tests::conformance(&store, true);
}

#[test]
fn machines_are_those_of_the_cluster_that_are_alive() {
    let machine = |name: &str, cluster: &str, status: &str| {
        json!({
            "name": name, "status": status, "creationTimestamp": "2026-01-01T00:00:00.000-07:00",
            "lastStartTimestamp": jiff::Timestamp::now().to_string(), "networkInterfaces": [{"networkIP": "10.0.0.8"}],
            "metadata": {"items": [
                {"key": "cluster-name", "value": cluster}, {"key": "kops-k8s-io-instance-group-name", "value": "nodes"},
            ]},
        })
    };
    let all = json!([
        machine("a", "ha.example.com", "RUNNING"),
        machine("b", "ha.example.com", "STOPPING"),
        machine("c", "other.example.com", "RUNNING"),
    ]);
    let url = serve(move |seen| {
        assert!(seen.path.starts_with("/compute/v1/projects/demo/aggregated/instances"));
        ok(json!({"items": {"zones/z": {"instances": all}, "zones/empty": {"warning": {}}}}).to_string())
    });
    let settings = Gce { project: "demo".to_owned(), compute_endpoint: Some(url), metadata: None };
    let (metadata, clock) = metadata();
    let machines = Compute::new(http(), metadata, clock, &settings).machines("ha.example.com").unwrap();
    assert_eq!(machines.len(), 1);
    assert_eq!((machines[0].node_name.as_str(), machines[0].group.as_str()), ("a", "nodes"));
    assert!(machines[0].age.unwrap() < joining_new() && machines[0].addresses.contains("10.0.0.8"));
}

fn joining_new() -> std::time::Duration {
    crate::joining::NEW
}
