use serde_json::{Value, json};

use super::*;
use crate::machine::testing::TestHost;

/// A control plane's bundle as the library renders it.
pub(crate) fn bundle() -> Bundle {
    let init =
        json!({"apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "InitConfiguration", "nodeRegistration": {}});
    let cluster = |etcd: Value| json!({"apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "ClusterConfiguration", "kubernetesVersion": "v1.34.4", "etcd": etcd});
    let peer =
        |it: &str| json!({"name": it, "url": format!("https://{it}.etcd.internal.ha.example.com:2380")});
    let document = json!({
        "apiVersion": "kops.bundle/v1", "cluster": "ha.example.com", "group": "control-plane-a", "role": "control-plane",
        "kubernetesVersion": "v1.34.4", "cloud": {"none": {}}, "store": {"url": "file:///srv/state"},
        "api": {"name": "api.internal.ha.example.com", "aliases": ["api.ha.example.com"], "port": 6443},
        "machine": {}, "containerd": {"skip": true}, "kubelet": {"args": [["cloud-provider", "external"]]},
        "kubeadm": {
            "cluster": [init, cluster(json!({"external": {"endpoints": ["https://127.0.0.1:2379"]}}))],
            "etcd": [init, cluster(json!({"local": {"imageTag": "3.6.5-0"}}))],
            "patches": {"etcd0+strategic.json": {"spec": {}}},
        },
        "etcd": [{
            "name": "main", "members": [peer("a"), peer("b"), peer("c")], "candidates": ["a"], "token": "ha-x7",
            "clientPort": 2379, "peerPort": 2380, "volume": {"path": "/mnt/etcd-main"},
        }],
        "keep": {"renewDays": 30},
    });
    Bundle::parse(document.to_string().as_bytes()).unwrap()
}

pub(crate) fn identity() -> Identity {
    Identity {
        id: "i-1".to_owned(),
        node_name: "i-1".to_owned(),
        provider_id: Some("aws:///eu-central-1a/i-1".to_owned()),
        address: "10.0.0.1".to_owned(),
        zone: None,
    }
}

fn parse(text: &str) -> Vec<Value> {
    text.split("\n---\n").map(|it| serde_json::from_str(it).unwrap()).collect()
}

fn args(list: &Value) -> Vec<(&str, &str)> {
    let items = list.as_array().unwrap();
    items.iter().map(|it| (it["name"].as_str().unwrap(), it["value"].as_str().unwrap())).collect()
}

#[test]
fn a_machines_own_facts_are_filled_in() {
    let documents = parse(&documents::cluster(&bundle(), &identity(), Some("192.0.2.1")));
    assert_eq!(documents[0]["nodeRegistration"]["name"], "i-1");
    assert_eq!(documents[0]["patches"]["directory"], "/var/lib/kops/patches");
    let flags = args(&documents[0]["nodeRegistration"]["kubeletExtraArgs"]);
    assert_eq!(flags, [("cloud-provider", "external"), ("provider-id", "aws:///eu-central-1a/i-1")]);
    assert_eq!(documents[1]["apiServer"]["certSANs"], json!(["192.0.2.1"]));
    let plain = parse(&documents::cluster(&bundle(), &identity(), None));
    assert_eq!(plain[1], bundle().kubeadm.cluster[1]);
}

#[test]
fn a_member_is_known_by_its_name() {
    let start = Start::Existing(vec![
        ("a".to_owned(), "https://a:1".to_owned()),
        ("b".to_owned(), "https://b:2".to_owned()),
    ]);
    let documents = parse(&documents::etcd(&bundle(), &identity(), "a", &start));
    let local = &documents[1]["etcd"]["local"];
    assert_eq!(local["imageTag"], "3.6.5-0");
    assert_eq!(local["dataDir"], "/mnt/etcd-main/etcd");
    assert_eq!(local["peerCertSANs"], json!(["a.etcd.internal.ha.example.com"]));
    let args = args(&local["extraArgs"]);
    assert!(args.contains(&("initial-cluster", "a=https://a:1,b=https://b:2")));
    assert!(args.contains(&("initial-cluster-state", "existing")));
    assert!(args.contains(&("initial-cluster-token", "ha-x7")));
    assert!(args.contains(&("advertise-client-urls", "https://a.etcd.internal.ha.example.com:2379")));
    let new = documents::etcd(&bundle(), &identity(), "a", &Start::New);
    assert!(
        new.contains("c=https://c.etcd.internal.ha.example.com:2380") && new.contains(r#""value":"new""#)
    );
}

#[test]
fn etcds_certificates_come_from_etcds_document() {
    let host = TestHost::quiet();
    host.put("/var/lib/kops/patches/old0+json.json", "[]");
    let (bundle, me) = (bundle(), identity());
    let kubeadm = Kubeadm { host: &host, bundle: &bundle, me: &me };
    kubeadm.write("a").unwrap();
    assert_eq!(host.list("/var/lib/kops/patches").unwrap(), ["etcd0+strategic.json"]);
    kubeadm.certificates().unwrap();
    let ran = host.ran();
    assert_eq!(ran[0], "kubeadm init phase certs etcd-ca --config /var/lib/kops/etcd.yaml");
    assert_eq!(ran[5], "kubeadm init phase certs all --config /var/lib/kops/cluster.yaml");
}

#[test]
fn no_blanket_approval_of_nodes() {
    let text = Value::Array(rbac_objects()).to_string();
    assert!(!text.contains("nodeclient\"") || text.contains("selfnodeclient\""));
    assert!(!text.contains("certificatesigningrequests:nodeclient"));
}
