use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::*;
use crate::bundle::Azure;
use crate::clock::Clock;
use crate::cloud::Cloud as _;
use crate::testing::{TestClock, http, ok, serve};

fn metadata() -> (Metadata, Arc<dyn Clock>) {
    let url = serve(|seen| {
        if seen.header("metadata") != "true" {
            return (400, vec![], vec![]);
        }
        if seen.path.starts_with("/metadata/instance?") {
            return ok(json!({
                "compute": {"vmId": "v-1", "zone": "1", "osProfile": {"computerName": "Nodes000001"},
                    "resourceId": "/subscriptions/s/resourceGroups/g/providers/x/virtualMachines/1"},
                "network": {"interface": [{"ipv4": {"ipAddress": [{"privateIpAddress": "10.0.0.9"}]}}]},
            })
            .to_string());
        }
        let whom = if seen.path.contains("resource=https%3A%2F%2Fstorage.azure.com%2F") {
            "storage"
        } else {
            "management"
        };
        assert!(seen.path.ends_with("&client_id=me"));
        ok(json!({"access_token": whom, "expires_in": "3599"}).to_string())
    });
    let clock: Arc<dyn Clock> = Arc::new(TestClock::real());
    (Metadata::new(http(), Some(&url), Some("me".to_owned()), &clock), clock)
}

#[test]
fn a_machine_is_named_by_its_computers_name() {
    let me = metadata().0.identity().unwrap();
    assert_eq!((me.node_name.as_str(), me.address.as_str()), ("nodes000001", "10.0.0.9"));
    let provider = me.provider_id.unwrap();
    assert!(provider.starts_with("azure:///subscriptions/s/"), "{provider}");
}

/// Blob Storage as its documentation has it: ETags, 409 for what is there, XML listings in pages.
fn storage() -> String {
    type Blobs = BTreeMap<String, (String, Vec<u8>)>;
    let state: Mutex<(u64, Blobs)> = Mutex::default();
    serve(move |seen| {
        if seen.header("authorization") != "Bearer storage" || seen.header("x-ms-version").is_empty() {
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
        if field("comp") == "list" {
            let (prefix, marker) = (field("prefix"), field("marker"));
            let mut found = state.1.keys().filter(|it| it.starts_with(&prefix) && **it > marker);
            let name = found.next().cloned().unwrap_or_default();
            let next = if found.next().is_some() { name.clone() } else { String::new() };
            let blob = if name.is_empty() { name } else { format!("<Blob><Name>{name}</Name></Blob>") };
            return ok(format!(
                "<EnumerationResults><Blobs>{blob}</Blobs><NextMarker>{next}</NextMarker></EnumerationResults>"
            ));
        }
        let name = plain(path.trim_start_matches("/state/"));
        let current = state.1.get(&name).cloned();
        match seen.method.as_str() {
            "PUT" => {
                let wanted = seen.header("if-match");
                if seen.header("x-ms-blob-type") != "BlockBlob" {
                    return (400, vec![], vec![]);
                }
                if seen.header("if-none-match") == "*" && current.is_some() {
                    return (409, vec![], b"<Error><Code>BlobAlreadyExists</Code></Error>".to_vec());
                }
                if !wanted.is_empty() && current.is_none_or(|it| it.0 != wanted) {
                    return (412, vec![], vec![]);
                }
                state.0 += 1;
                let etag = format!("\"0x{}\"", state.0);
                state.1.insert(name, (etag, seen.body.clone()));
                (201, vec![], vec![])
            }
            "DELETE" => (if state.1.remove(&name).is_some() { 202 } else { 404 }, vec![], vec![]),
            _ => match current {
                Some((etag, bytes)) => (200, vec![("etag".into(), etag)], bytes),
                None => (404, vec![], vec![]),
            },
        }
    })
}

#[test]
fn blobs_are_a_store() {
    let place = ("account", "state", "ha.example.com");
    let store = Blob::new(http(), metadata().0, place, Some(&storage()));
    crate::store::tests::conformance(&store, true);
}

#[test]
fn machines_are_those_of_the_clusters_scale_sets() {
    let url = serve(|seen| {
        assert_eq!(seen.header("authorization"), "Bearer management");
        let path = seen.path.split('?').next().unwrap();
        let sets = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets";
        let tags = |cluster| json!({"KubernetesCluster": cluster, "kops.k8s.io_instancegroup": "nodes"});
        ok(match path.strip_prefix(sets) {
            Some("") => json!({"value": [
                {"name": "nodes", "tags": tags("ha.example.com")}, {"name": "others", "tags": tags("other.example.com")},
            ]}),
            Some("/nodes/networkInterfaces") => json!({"value": [{"properties": {
                "virtualMachine": {"id": "/X/1"}, "ipConfigurations": [{"properties": {"privateIPAddress": "10.0.0.9"}}],
            }}]}),
            Some("/nodes/virtualMachines") => json!({"value": [
                {"id": "/x/1", "properties": {"osProfile": {"computerName": "nodes000001"}, "provisioningState": "Succeeded",
                    "timeCreated": jiff::Timestamp::now().to_string()}},
                {"id": "/x/2", "properties": {"osProfile": {"computerName": "nodes000002"}, "provisioningState": "Deleting"}},
            ]}),
            other => panic!("{other:?}"),
        }.to_string())
    });
    let settings = Azure {
        subscription: "s".to_owned(),
        resource_group: "g".to_owned(),
        management_endpoint: Some(url),
        ..Azure::default()
    };
    let (metadata, clock) = metadata();
    let machines = ScaleSets::new(http(), metadata, clock, &settings).machines("ha.example.com").unwrap();
    assert_eq!(machines.len(), 1);
    assert_eq!((machines[0].node_name.as_str(), machines[0].group.as_str()), ("nodes000001", "nodes"));
    assert!(machines[0].addresses.contains("10.0.0.9") && machines[0].age.unwrap() < crate::joining::NEW);
}
