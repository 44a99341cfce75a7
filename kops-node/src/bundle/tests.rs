use serde_json::{Value, json};

use super::*;

fn document() -> Value {
    json!({
        "apiVersion": "kops.bundle/v1", "cluster": "ha.example.com", "group": "nodes", "role": "node",
        "kubernetesVersion": "v1.34.4", "cloud": {"aws": {"region": "eu-central-1"}},
        "store": {"url": "s3://state/ha.example.com", "region": "eu-central-1"},
        "api": {"name": "api.internal.ha.example.com", "port": 443},
        "machine": {"files": [{"path": "/etc/motd", "content": {"text": "hello\n"}, "mode": "0640"}]},
        "containerd": {}, "kubelet": {}, "kubeadm": {},
    })
}

fn parse(document: &Value) -> Result<Bundle, BundleError> {
    Bundle::parse(document.to_string().as_bytes())
}

#[test]
fn what_is_written_is_read() {
    let bundle = parse(&document()).unwrap();
    assert_eq!(bundle.machine.files[0].mode(), Some(0o640));
    assert_eq!(Bundle::parse(&bundle.to_bytes().unwrap()).unwrap(), bundle);
}

#[test]
fn a_field_that_the_program_does_not_know_is_refused() {
    let mut other = document();
    other["machine"]["filez"] = json!([]);
    assert!(parse(&other).unwrap_err().to_string().contains("filez"));
}

#[test]
fn another_version_is_told_as_such() {
    let mut other = document();
    other["apiVersion"] = json!("kops.bundle/v2");
    other["anything"] = json!(1);
    let error = parse(&other).unwrap_err().to_string();
    assert_eq!(error, "the bundle is of version \"kops.bundle/v2\", this program reads kops.bundle/v1");
}

#[test]
fn contradictions_are_told_by_their_path() {
    let mut other = document();
    other["machine"]["files"][0]["path"] = json!("/etc/../shadow");
    assert!(parse(&other).unwrap_err().to_string().contains("machine.files[0].path"));
    let mut other = document();
    other["role"] = json!("control-plane");
    assert!(parse(&other).unwrap_err().to_string().contains("needs a member of etcd"));
}

#[test]
fn clusters_of_etcd_go_together() {
    use crate::etcd::Peer;
    let peers = |names: &[&str]| -> Vec<Peer> {
        names.iter().map(|it| Peer { name: (*it).to_owned(), url: format!("https://{it}") }).collect()
    };
    let etcd = |name: &str, names: &[&str]| Etcd {
        name: name.to_owned(),
        members: peers(names),
        candidates: vec!["a".to_owned()],
        token: "t".to_owned(),
        client_port: 2379,
        peer_port: 2380,
        metrics_port: 2381,
        volume: serde_json::from_value(json!({"path": "/mnt"})).unwrap(),
        backup: None,
    };
    let checked = |clusters: Vec<Etcd>| {
        let mut bundle = parse(&document()).unwrap();
        (bundle.role, bundle.etcd, bundle.keep) = (Role::ControlPlane, clusters, Some(Keep::default()));
        Bundle::parse(&bundle.to_bytes().unwrap()).err().map(|e| e.to_string()).unwrap_or_default()
    };
    let three = ["a", "b", "c"];
    assert_eq!(checked(vec![etcd("main", &three), etcd("events", &three)]), "");
    assert!(checked(vec![etcd("events", &three), etcd("main", &three)]).contains("`main` comes first"));
    assert!(checked(vec![etcd("main", &three), etcd("events", &["a"])]).contains("names of main's"));
    assert!(checked(vec![etcd("main", &["a", "b"])]).contains("use 1, 3 or 5"));
}
