use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::*;
use crate::bundle::Role;
use crate::clock::Clock;
use crate::cloud::Cloud as _;
use crate::error::ErrorKind;
use crate::machine::testing::TestHost;
use crate::store::{Precondition, Store as _};
use crate::testing::{TestClock, http, ok, serve};

fn clock() -> Arc<dyn Clock> {
    Arc::new(TestClock::real())
}

fn volumes() -> Volumes {
    Volumes::read(&TestHost::quiet()).unwrap()
}

/// Keystone, whose catalogue leads to this Swift and this Nova.
fn keystone(swift: &str, nova: &str) -> Keystone {
    let endpoint = |kind: &str, url: &str| {
        let at = |interface: &str, url: &str| json!({"interface": interface, "region_id": "r1", "url": url});
        json!({"type": kind, "endpoints": [at("internal", "http://wrong"), at("public", url)]})
    };
    let catalog = json!([endpoint("object-store", swift), endpoint("compute", nova)]);
    let url = serve(move |seen| {
        let text = String::from_utf8_lossy(&seen.body);
        if seen.path != "/v3/auth/tokens"
            || !text.contains(r#""id":"c""#)
            || !text.contains(r#""secret":"s""#)
        {
            return (401, vec![], vec![]);
        }
        let body = json!({"token": {"expires_at": "2999-01-01T00:00:00.000000Z", "catalog": catalog}});
        (201, vec![("X-Subject-Token".to_owned(), "t".to_owned())], body.to_string().into_bytes())
    });
    let credential = Credential { id: "c".to_owned(), secret: "s".to_owned() };
    Keystone::new(http(), &format!("{url}/v3"), "r1", credential, clock())
}

#[test]
fn only_a_deleted_credential_requires_another_machine() {
    let error = |body: &'static str| {
        let url = serve(move |_| (404, vec![], body.into()));
        let credential = Credential { id: "c".to_owned(), secret: "s".to_owned() };
        Keystone::new(http(), &url, "r1", credential, clock()).endpoint("compute").unwrap_err()
    };
    let gone = r#"{"error": {"code": 404, "message": "Could not find Application Credential: c.", "title": "Not Found"}}"#;
    assert_eq!(error(gone).kind(), ErrorKind::Denied);
    assert!(error(gone).to_string().ends_with("credential c no longer exists: replace the machine"));
    let elsewhere = error("<html>404 page not found</html>").to_string();
    assert!(elsewhere.contains("HTTP 404: <html>") && !elsewhere.contains("replace"), "{elsewhere}");
}

/// Swift as its documentation has it: ETags, `If-None-Match: *`, no `If-Match`, listings by marker.
fn swift(allowed: impl Fn(&crate::testing::Seen) -> bool + Send + Sync + 'static) -> String {
    type Objects = BTreeMap<String, Vec<u8>>;
    let state: Mutex<Objects> = Mutex::default();
    serve(move |seen| {
        if !allowed(seen) {
            return (401, vec![], vec![]);
        }
        let mut state = state.lock().unwrap();
        let plain =
            |it: &str| it.replace("%2F", "/").replace("%20", " ").replace("%3A", ":").replace("%2B", "+");
        let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
        let Some(name) = path.strip_prefix("/state/").map(plain) else {
            let field = |name: &str| {
                query
                    .split('&')
                    .find_map(|it| it.strip_prefix(&format!("{name}=")))
                    .map(plain)
                    .unwrap_or_default()
            };
            let found = state.keys().filter(|it| it.starts_with(&field("prefix")) && **it > field("marker"));
            return ok(json!(found.take(1).map(|it| json!({"name": it})).collect::<Vec<_>>()).to_string());
        };
        match seen.method.as_str() {
            "PUT" if seen.header("if-none-match") == "*" && state.contains_key(&name) => {
                (412, vec![], vec![])
            }
            "PUT" => {
                state.insert(name, seen.body.clone());
                (201, vec![], vec![])
            }
            "DELETE" => (if state.remove(&name).is_some() { 204 } else { 404 }, vec![], vec![]),
            _ => match state.get(&name) {
                Some(bytes) => (200, vec![("Etag".to_owned(), crate::hash::sha256(bytes))], bytes.clone()),
                None => (404, vec![], vec![]),
            },
        }
    })
}

#[test]
fn swift_is_a_store() {
    let url = swift(|seen| seen.header("x-auth-token") == "t");
    let keystone = keystone(&url, "http://127.0.0.1:1");
    let store = Swift::new(http(), keystone, ("state", "ha.example.com"), None);
    crate::store::tests::conformance(&store, true);
}

#[test]
fn a_node_may_do_what_its_urls_allow() {
    let url = swift(|seen| seen.path.ends_with("?temp_url_sig=ab&temp_url_expires=1&temp_url_prefix=p"));
    let temp = |method: &str, prefix: &str| TempUrl {
        prefix: prefix.to_owned(),
        method: method.to_owned(),
        base: format!("{url}/state/ha.example.com"),
        query: "temp_url_sig=ab&temp_url_expires=1&temp_url_prefix=p".to_owned(),
    };
    let store = TempUrls::new(http(), vec![temp("GET", "join/"), temp("PUT", "machines/nodes/")]);
    assert_eq!(store.read("join/nodes").unwrap(), None);
    assert!(store.write("machines/nodes/i/status", b"x", Precondition::None).unwrap());
    let denied = |e: crate::error::Error| e.kind() == ErrorKind::Denied;
    assert!(denied(store.read("pki/private/kubernetes-ca/keyset.yaml").unwrap_err()));
    assert!(denied(store.write("join/nodes", b"x", Precondition::None).unwrap_err()));
    assert!(denied(store.list("").unwrap_err()) && denied(store.delete("join/nodes").unwrap_err()));
}

#[test]
fn machines_are_those_of_the_cluster_that_are_alive() {
    let server = |id: &str, cluster: &str, status: &str| {
        json!({
            "id": id, "name": "Nodes-1", "status": status, "created": jiff::Timestamp::now().to_string(),
            "metadata": {"KubernetesCluster": cluster, "kops.k8s.io_instancegroup": "nodes"},
            "addresses": {"net": [{"addr": "10.0.0.5"}]},
        })
    };
    let all = [
        server("1", "ha.example.com", "ACTIVE"),
        server("2", "ha.example.com", "DELETED"),
        server("3", "other.example.com", "ACTIVE"),
    ];
    let nova = serve(move |seen| {
        assert_eq!(seen.header("x-auth-token"), "t");
        let rest = if seen.path.contains("&marker=3") { &[][..] } else { &all[..] };
        ok(json!({"servers": rest}).to_string())
    });
    let metadata = Metadata::new(http(), None);
    let cloud =
        Nova::new(http(), metadata.clone(), Some(keystone("http://127.0.0.1:1", &nova)), volumes(), clock());
    let machines = cloud.machines("ha.example.com").unwrap();
    assert_eq!(machines.len(), 1);
    assert_eq!((machines[0].node_name.as_str(), machines[0].group.as_str()), ("nodes-1", "nodes"));
    assert!(machines[0].addresses.contains("10.0.0.5") && machines[0].age.unwrap() < crate::joining::NEW);
    let node = Nova::new(http(), metadata, None, volumes(), clock());
    assert_eq!(node.machines("ha.example.com").unwrap_err().kind(), ErrorKind::Denied);
}

#[test]
fn a_machine_is_named_by_its_server() {
    let url = serve(|seen| match seen.path.as_str() {
        "/openstack/latest/meta_data.json" => {
            ok(json!({"uuid": "u-1", "name": "Nodes-1", "availability_zone": "nova"}).to_string())
        }
        "/latest/meta-data/local-ipv4" => ok("10.0.0.5"),
        _ => (404, vec![], vec![]),
    });
    let me = Metadata::new(http(), Some(&url)).identity().unwrap();
    assert_eq!((me.id.as_str(), me.node_name.as_str(), me.address.as_str()), ("u-1", "nodes-1", "10.0.0.5"));
}

#[test]
fn what_the_user_data_brings_is_read_and_never_shown() {
    let host = TestHost::quiet();
    assert!(Access::read(&host).unwrap().is_none());
    host.put("/var/lib/kops/openstack.json", r#"{"credential": {"id": "c", "secret": "hunter2"}}"#);
    let access = Access::read(&host).unwrap().unwrap();
    assert!(!format!("{access:?}").contains("hunter2"));
    host.put("/var/lib/kops/openstack.json", r#"{"credential": {"id": "c", "secret": hunter2}}"#);
    assert!(!Access::read(&host).unwrap_err().to_string().contains("hunter2"));
}

/// What stage 0 writes, with a signature that the store takes or not.
fn urls(store: &str, signature: &str) -> String {
    let url = json!({"prefix": "openstack/", "method": "GET", "base": format!("{store}/state/ha.example.com"), "query": signature});
    json!({ "urls": [url] }).to_string()
}

#[test]
fn a_control_plane_reads_its_credential_once_and_keeps_it() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let reads = Arc::new(AtomicUsize::new(0));
    let (count, there) = (reads.clone(), Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let exists = there.clone();
    let store = serve(move |seen| {
        if !seen.path.ends_with("?sig=good") {
            return (401, vec![], vec![]);
        }
        if seen.path != "/state/ha.example.com/openstack/control-plane.json?sig=good"
            || !exists.load(Ordering::SeqCst)
        {
            return (404, vec![], vec![]);
        }
        count.fetch_add(1, Ordering::SeqCst);
        ok(json!({"credential": {"id": "c", "secret": "hunter2"}, "user": "u", "accessRules": []})
            .to_string())
    });
    let host = TestHost::quiet();
    let read = || Access::read(&host).unwrap().unwrap().complete(Role::ControlPlane, &http(), &host);
    host.put("/var/lib/kops/openstack.json", &urls(&store, "sig=ended"));
    let ended = read().unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::Denied);
    assert!(ended.to_string().contains("replace the machine"), "{ended}");
    host.put("/var/lib/kops/openstack.json", &urls(&store, "sig=good"));
    assert_eq!(read().unwrap_err().kind(), ErrorKind::Waiting);
    there.store(true, Ordering::SeqCst);
    assert_eq!(read().unwrap().credential.unwrap().id, "c");
    assert_eq!(read().unwrap().credential.unwrap().secret, "hunter2");
    assert_eq!(reads.load(Ordering::SeqCst), 1, "it is on the machine from then on");
    // A node has what its user data has brought.
    host.put("/var/lib/kops/openstack.json", &urls(&store, "sig=good"));
    let node = Access::read(&host).unwrap().unwrap().complete(Role::Node, &http(), &host).unwrap();
    assert!(node.credential.is_none() && node.urls.len() == 1);
}
