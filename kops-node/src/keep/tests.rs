use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;
use crate::boot::node::Join;
use crate::bundle::{Backup, Group, Groups, Role, Volume};
use crate::cloud::{Attached, Cloud};
use crate::etcd::gateway::Gateway;
use crate::http::{Http, Tls};
use crate::kubeadm::tests::{bundle, identity};
use crate::machine::testing::TestHost;
use crate::store::{Directory, Precondition, Store as _};
use crate::testing::{Answer, TestClock, http, ok, serve};

#[derive(Debug)]
struct Listed(Vec<Machine>);

impl Cloud for Listed {
    fn identity(&self) -> Result<Identity> {
        Ok(identity())
    }

    fn volume(&self, candidates: &[String], volume: &Volume, _: &Identity) -> Result<Attached> {
        crate::cloud::planned(candidates, volume)
    }

    fn machines(&self, _: &str) -> Result<Vec<Machine>> {
        Ok(self.0.clone())
    }
}

fn machine(name: &str, group: &str) -> Machine {
    let age = Some(Duration::from_mins(1));
    Machine { node_name: name.to_owned(), group: group.to_owned(), addresses: BTreeSet::new(), age }
}

struct Case {
    host: TestHost,
    clock: TestClock,
    root: tempfile::TempDir,
    bundle: Bundle,
    machines: Vec<Machine>,
    objects: BTreeMap<String, Value>,
    /// The method that the API server does not carry out.
    broken: &'static str,
}

impl Case {
    fn new() -> Self {
        let host = TestHost::quiet();
        host.put("/etc/kubernetes/pki/ca.crt", "CA");
        let objects = BTreeMap::from([
            ("/api/v1/nodes".to_owned(), json!({"items": []})),
            ("/apis/certificates.k8s.io/v1/certificatesigningrequests".to_owned(), json!({"items": []})),
            (
                "/api/v1/namespaces/kube-system/configmaps/kubeadm-config".to_owned(),
                json!({"data": {"ClusterConfiguration": "kubernetesVersion: v1.34.4"}}),
            ),
        ]);
        let machines = vec![machine("i-1", "control-plane-a"), machine("i-0abc", "nodes")];
        let root = tempfile::tempdir().unwrap();
        let (clock, bundle) = (TestClock::real(), bundle());
        let case = Self { host, clock, root, bundle, machines, objects, broken: "" };
        case.group("nodes", [("a/b", "c")]);
        case
    }

    /// The only group of the cluster, with labels.
    fn group<const N: usize>(&self, name: &str, labels: [(&str, &str); N]) {
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let groups = [(name.to_owned(), Group { role: Role::Node, labels })].into();
        let bytes = Groups { groups }.to_bytes().unwrap();
        self.store().write(Groups::KEY, &bytes, Precondition::None).unwrap();
    }

    fn store(&self) -> Directory {
        Directory::new(self.root.path())
    }

    /// One pass over the cluster's part: the result, and the calls that changed something.
    fn pass(&self) -> (Result<Option<String>>, Vec<(String, Value)>) {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (objects, seen, broken) = (self.objects.clone(), calls.clone(), self.broken);
        let url = serve(move |it| -> Answer {
            let path = it.path.split('?').next().unwrap();
            if it.method == broken {
                return (500, vec![], vec![]);
            }
            if it.method != "GET" {
                let body = serde_json::from_slice(&it.body).unwrap_or_default();
                seen.lock().unwrap().push((format!("{} {path}", it.method), body));
                return ok("{}");
            }
            match (path, objects.get(path)) {
                ("/readyz", _) => ok("ok"),
                (_, Some(object)) => ok(object.to_string()),
                _ => (404, vec![], vec![]),
            }
        });
        let api = Api::new(http(), &url);
        let done = self.with(|keep| keep.cluster(&api, &mut |_| {}));
        let calls = std::mem::take(&mut *calls.lock().unwrap());
        (done, calls)
    }

    fn with<T>(&self, test: impl FnOnce(&Keep<'_>) -> T) -> T {
        let world = World {
            cloud: Arc::new(Listed(self.machines.clone())),
            store: Arc::new(self.store()),
            http: Http::direct(&Tls::default()).unwrap(),
        };
        let me = identity();
        test(&Keep { host: &self.host, clock: &self.clock, bundle: &self.bundle, world: &world, me: &me })
    }

    fn request(&mut self, pem: &[u8]) {
        let object = json!({"metadata": {"name": "csr-1"}, "spec": {
            "signerName": "kubernetes.io/kube-apiserver-client-kubelet", "username": "system:bootstrap:abcdef",
            "groups": ["system:bootstrappers", "system:authenticated"], "usages": ["digital signature", "client auth"],
            "request": STANDARD.encode(pem),
        }});
        let path = "/apis/certificates.k8s.io/v1/certificatesigningrequests".to_owned();
        self.objects.insert(path, json!({"items": [object]}));
    }
}

#[test]
fn a_machine_that_the_cloud_lists_gets_its_certificate() {
    let mut case = Case::new();
    case.request(include_bytes!("../joining/testdata/kubelet.csr"));
    let (done, calls) = case.pass();
    assert_eq!(done.unwrap().unwrap(), "certificates approved for i-0abc");
    assert!(calls[0].0.ends_with("/csr-1/approval") && calls.len() == 1, "one thing a pass: {calls:?}");
    assert_eq!(calls[0].1["status"]["conditions"][0]["type"], "Approved");
}

#[test]
fn a_machine_of_a_group_that_is_not_the_clusters_gets_none() {
    let mut case = Case::new();
    case.request(include_bytes!("../joining/testdata/kubelet.csr"));
    case.group("others", []);
    let approvals = |calls: &[(String, Value)]| calls.iter().any(|(it, _)| it.ends_with("/approval"));
    let (done, calls) = case.pass();
    assert!(done.is_ok() && !approvals(&calls), "{done:?} {calls:?}");
    // Once, on the request and beside the machine's status: the machine itself does not learn it.
    let why = "the cloud lists no machine of this name in an instance group of nodes";
    assert_eq!(calls[0].0, "PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/csr-1");
    assert_eq!(calls[0].1["metadata"]["annotations"]["kops.k8s.io/held"], why);
    let held = case.store().read(&crate::status::held_key("nodes", "i-0abc")).unwrap().unwrap();
    let held: crate::status::Event = serde_json::from_slice(&held.bytes).unwrap();
    assert_eq!(held.what, format!("its request for a certificate is not approved: {why}"));
    let path = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    case.objects.get_mut(path).unwrap()["items"][0]["metadata"]["annotations"] =
        json!({"kops.k8s.io/held": why});
    let (_, calls) = case.pass();
    assert!(!calls.iter().any(|(it, _)| it.starts_with("PATCH") && it.ends_with("/csr-1")), "{calls:?}");
    case.store().delete(Groups::KEY).unwrap();
    let error = loop {
        match case.pass() {
            (Ok(Some(_)), calls) => assert!(!approvals(&calls), "{calls:?}"), // the token, once
            (done, calls) => break done.map(|_| calls).unwrap_err().to_string(),
        }
    };
    assert!(error.contains("igconfig/groups.json is not in the state store"), "{error}");
}

/// A node's request for a serving certificate of another one: it is held, and the annotation fails.
#[test]
fn a_request_that_cannot_be_dealt_with_neither_blocks_others_nor_speaks_for_them() {
    let mut case = Case::new();
    case.request(include_bytes!("../joining/testdata/kubelet.csr"));
    case.broken = "PATCH";
    let path = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    let mut forged = case.objects[path]["items"][0].clone();
    forged["metadata"]["name"] = json!("csr-0");
    forged["spec"]["signerName"] = json!(crate::joining::SERVING_SIGNER);
    forged["spec"]["username"] = json!("system:node:i-2");
    forged["spec"]["groups"] = json!(["system:nodes"]);
    forged["spec"]["usages"] = json!(["digital signature", "server auth"]);
    let honest = case.objects[path]["items"][0].clone();
    case.objects.insert(path.to_owned(), json!({"items": [forged.clone(), honest]}));
    assert_eq!(case.pass().0.unwrap().unwrap(), "certificates approved for i-0abc");
    case.objects.insert(path.to_owned(), json!({"items": [forged]}));
    assert!(case.pass().0.unwrap().unwrap().starts_with("created join token"), "the rest goes on");
    let error = case.pass().0.unwrap_err().to_string();
    assert!(error.starts_with("PATCH ") && error.contains("/csr-0: HTTP 500"), "{error}");
    assert_eq!(case.store().read(&crate::status::held_key("nodes", "i-0abc")).unwrap(), None);
}

#[test]
fn nobody_joins_before_the_cluster_has_its_configuration() {
    let mut case = Case::new();
    case.bundle.kubeadm.manifests.clear();
    case.objects.remove("/api/v1/namespaces/kube-system/configmaps/kubeadm-config");
    let kinds = ["ClusterRole", "ClusterRoleBinding"]
        .map(|it| json!({"name": format!("{}s", it.to_lowercase()), "kind": it}));
    case.objects.insert("/apis/rbac.authorization.k8s.io/v1".to_owned(), json!({"resources": kinds}));
    let (done, calls) = case.pass();
    assert!(done.unwrap().unwrap().starts_with("updating the cluster's add-ons to"));
    assert!(!calls.iter().any(|(it, _)| it.contains("secrets")), "{calls:?}");
    assert_eq!(Join::read(&case.store()).unwrap().map(|it| it.expires), None);
}

#[test]
fn a_machine_that_asks_later_is_seen_within_seconds() {
    let case = Case::new();
    let looks = Arc::new(Mutex::new(0));
    let count = looks.clone();
    let request = |name: &str| json!({"metadata": {"name": name}, "spec": {"signerName": crate::joining::CLIENT_SIGNER}});
    let url = serve(move |_| {
        let mut count = count.lock().unwrap();
        *count += 1;
        let mut items = vec![request("one that is held")];
        items.extend((*count > 5).then(|| request("new")));
        ok(json!({"items": items}).to_string())
    });
    let api = Api::new(http(), &url);
    let end = |seconds: u64| Duration::from_secs(seconds);
    assert!(case.with(|it| it.is_asked(&api, end(45))).unwrap());
    assert_eq!(*looks.lock().unwrap(), 6);
    assert!(!case.with(|it| it.is_asked(&api, end(45))).unwrap(), "known by now");
    assert!(case.clock.elapsed() >= end(45) && case.clock.elapsed() < end(50));
    assert!(!case.with(|it| it.attends()).unwrap(), "without the lease another one does");
    case.pass().0.unwrap();
    assert!(case.with(|it| it.attends()).unwrap());
}

#[test]
fn a_listing_that_lacks_this_machine_is_not_trusted() {
    let mut case = Case::new();
    case.request(include_bytes!("../joining/testdata/kubelet.csr"));
    case.machines.remove(0);
    let (done, calls) = case.pass();
    assert!(done.unwrap().unwrap().starts_with("created join token"), "the rest goes on");
    assert!(!calls.iter().any(|(it, _)| it.contains("approval")));
    assert!(case.pass().0.unwrap_err().to_string().contains("does not contain this machine"));
}

#[test]
fn the_join_token_is_kept_fresh() {
    let case = Case::new();
    let (done, calls) = case.pass();
    assert!(done.unwrap().unwrap().starts_with("created join token"));
    let (path, secret) = &calls[0];
    assert_eq!(path, "POST /api/v1/namespaces/kube-system/secrets");
    let data = &secret["stringData"];
    let token = format!("{}.{}", data["token-id"].as_str().unwrap(), data["token-secret"].as_str().unwrap());
    let join = Join::read(&case.store()).unwrap().unwrap();
    assert_eq!(join.discovery["users"][0]["user"]["token"], token);
    assert_eq!(
        join.discovery["clusters"][0]["cluster"]["server"],
        "https://api.internal.ha.example.com:6443"
    );
    assert_eq!(data["usage-bootstrap-signing"], Value::Null, "no anonymous cluster-info");
    case.clock.sleep(Duration::from_mins(50));
    assert!(!case.pass().1.iter().any(|(it, _)| it.contains("secrets")), "still good for an hour");
    case.clock.sleep(Duration::from_mins(20));
    assert!(case.pass().1[0].0.contains("secrets"));
    case.host.put("/etc/kubernetes/pki/ca.crt", "CA of a rotation");
    assert!(case.pass().1[0].0.contains("secrets"), "the authorities have changed");
}

#[test]
fn nodes_get_their_groups_labels_and_gone_ones_are_forgotten() {
    let mut case = Case::new();
    case.pass().0.unwrap();
    let node = |name: &str, ready: &str| json!({"metadata": {"name": name, "labels": {}}, "status": {"conditions": [{"type": "Ready", "status": ready}]}});
    case.objects.insert(
        "/api/v1/nodes".to_owned(),
        json!({"items": [node("i-0abc", "True"), node("gone", "Unknown")]}),
    );
    let (done, calls) = case.pass();
    assert_eq!(done.unwrap().unwrap(), "labels set on i-0abc");
    assert_eq!(calls[0].1["metadata"]["labels"], json!({"a/b": "c"}));
    case.group("nodes", []);
    let (done, calls) = case.pass();
    assert_eq!(done.unwrap().unwrap(), "Node gone deleted: its machine is gone");
    assert_eq!(calls[0].0, "DELETE /api/v1/nodes/gone");
}

#[test]
fn one_keeper_at_a_time() {
    let case = Case::new();
    let other = Leases { store: &case.store(), holder: "i-2" };
    other.take(LEASE, case.clock.now(), LEASE_TIME).unwrap();
    let (done, calls) = case.pass();
    assert!(done.unwrap().is_none() && calls.is_empty());
}

#[test]
fn snapshots_are_deleted_when_too_old_but_never_the_newest() {
    let now = "2026-11-30T00:00:00Z".parse().unwrap();
    let keys = |days: &[&str]| -> Vec<String> {
        days.iter().map(|it| format!("backups/etcd/main/{it}T00:00:00Z.db")).collect()
    };
    let all = keys(&["2026-11-01", "2026-10-01", "2026-11-29"]);
    assert_eq!(snapshots::expired(&all, now, 7), Some(&all[1]));
    assert_eq!(snapshots::expired(&keys(&["2026-11-29", "2026-11-28"]), now, 7), None);
    assert_eq!(snapshots::expired(&keys(&["2020-01-01"]), now, 7), None, "the newest stays");
    let foreign =
        ["backups/etcd/main/notes.txt".to_owned(), "backups/etcd/main/2026-11-29T00:00:00Z.db".to_owned()];
    assert_eq!(snapshots::expired(&foreign, now, 7), None);
}

#[test]
fn a_snapshot_that_is_not_due_is_not_taken() {
    let mut case = Case::new();
    case.bundle.etcd[0].backup = Some(Backup { every: 3600, days: 7 });
    case.pass().0.unwrap();
    let key = format!("backups/etcd/main/{}.db", case.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"));
    case.store().write(&key, b"x", Precondition::None).unwrap();
    let (done, _) = case.pass();
    assert!(!done.map(Option::unwrap_or_default).unwrap_or_default().contains("snapshot"));
    case.clock.sleep(Duration::from_secs(3700));
    case.pass().0.unwrap(); // the token comes first
    let error = case.pass().0.unwrap_err().to_string();
    assert!(error.contains("etcd/healthcheck-client.crt") || error.contains("ca.crt"), "due: {error}");
}

#[test]
fn certificates_are_renewed_and_loaded_one_pod_a_pass() {
    let case = Case::new();
    let made = |days: &str| {
        let words = [
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=x",
            "-days",
            days,
        ];
        let out = std::process::Command::new("openssl")
            .args(words)
            .args(["-keyout", "/dev/null"])
            .output()
            .unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let world = World {
        cloud: Arc::new(Listed(Vec::new())),
        store: Arc::new(case.store()),
        http: Http::direct(&Tls::default()).unwrap(),
    };
    let me = identity();
    let keep = Keep { host: &case.host, clock: &case.clock, bundle: &case.bundle, world: &world, me: &me };
    let settings = case.bundle.keep.unwrap();
    case.host.put("/etc/kubernetes/pki/apiserver.crt", &made("300"));
    assert_eq!(certificates::keep(&keep, settings).unwrap(), None);
    case.host.put("/etc/kubernetes/pki/apiserver.crt", &made("20"));
    let error = certificates::keep(&keep, settings).unwrap_err().to_string();
    assert!(error.contains("it still expires at"), "kubeadm did nothing here: {error}");
    assert!(case.host.ran().contains(&"kubeadm certs renew all --config /var/lib/kops/etcd.yaml".to_owned()));
    case.host.put("/var/lib/kops/restart", "kube-apiserver.yaml\netcd.yaml");
    case.host.put("/etc/kubernetes/manifests/kube-apiserver.yaml", "pod");
    let done = certificates::keep(&keep, settings).unwrap().unwrap();
    assert!(done.starts_with("kube-apiserver.yaml restarted"));
    assert_eq!(case.host.text("/var/lib/kops/restart"), "etcd.yaml");
    assert_eq!(case.host.text("/etc/kubernetes/manifests/kube-apiserver.yaml"), "pod");
    case.host.put("/var/lib/kops/restarting/etcd.yaml", "pod");
    certificates::keep(&keep, settings).unwrap();
    assert_eq!(
        case.host.text("/etc/kubernetes/manifests/etcd.yaml"),
        "pod",
        "the machine died while it was away"
    );
    case.host.put("/var/lib/kops/restarting/etcd.yaml", "an older pod");
    certificates::keep(&keep, settings).unwrap_err(); // as above, kubeadm renews nothing here
    let kept = case.host.text("/etc/kubernetes/manifests/etcd.yaml");
    assert_eq!(kept, "pod", "what a boot has rendered stays");
    assert!(case.host.list("/var/lib/kops/restarting").unwrap().is_empty());
}

#[test]
fn a_snapshot_that_the_store_does_not_list_yet_is_not_taken_again() {
    let mut case = Case::new();
    case.bundle.etcd[0].backup = Some(Backup { every: 3600, days: 7 });
    case.pass().0.unwrap(); // the token comes first
    let url = serve(|_| {
        let blob = STANDARD.encode("the database");
        ok(json!({"result": {"remaining_bytes": "0", "blob": blob}}).to_string() + "\n")
    });
    let gateway = Gateway::new(http());
    let saved = case
        .with(|keep| snapshots::save(keep, &keep.bundle.etcd[0], keep.clock.now(), &gateway, &url).unwrap());
    let keys = case.store().list("backups/etcd/main/").unwrap();
    assert!(keys.len() == 1 && saved.starts_with(&format!("snapshot {}, ", keys[0])), "{saved} {keys:?}");
    assert_eq!(case.store().read(&keys[0]).unwrap().unwrap().bytes, b"the database");
    case.store().delete(&keys[0]).unwrap(); // not listed yet
    case.pass().0.unwrap();
    case.clock.sleep(Duration::from_secs(3700));
    case.pass().0.unwrap(); // the token
    let due = || {
        let error = case.pass().0.unwrap_err().to_string();
        assert!(error.contains("/pki/etcd/"), "{error}");
    };
    due();
    // A clock that was set back must not stop them.
    let ahead = case.clock.now() + Duration::from_hours(1);
    case.host.put("/var/lib/kops/snapshots/main", &ahead.to_string());
    due();
}
