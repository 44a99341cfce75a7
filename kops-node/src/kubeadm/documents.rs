//! kubeadm's documents, with the values of the machine filled in. Pure.

use serde_json::{Value, json};

use crate::bundle::{Bundle, Etcd};
use crate::cloud::Identity;
use crate::etcd::Start;
use crate::machine::WORK;

/// A control plane's documents: InitConfiguration, ClusterConfiguration with `etcd.external`, those of the
/// kubelet and the proxy. `api` is an additional name or address of the API, for its certificate.
pub fn cluster(bundle: &Bundle, me: &Identity, api: Option<&str>) -> String {
    let fill = |document: &Value| {
        let mut document = machine(document, bundle, me);
        if document["kind"] == "ClusterConfiguration"
            && let Some(api) = api
        {
            match &mut document["apiServer"]["certSANs"] {
                Value::Array(names) => names.push(api.into()),
                other => *other = json!([api]),
            }
        }
        document
    };
    joined(bundle.kubeadm.cluster.iter().map(fill))
}

/// The same with `etcd.local`, from which kubeadm creates etcd's certificates and manifest.
pub fn etcd(bundle: &Bundle, me: &Identity, member: &str, start: &Start) -> String {
    let fill = |document: &Value| {
        let mut document = machine(document, bundle, me);
        if document["kind"] == "ClusterConfiguration"
            && let Some(etcd) = bundle.etcd.first()
        {
            local(&mut document["etcd"]["local"], etcd, member, start);
        }
        document
    };
    joined(bundle.kubeadm.etcd.iter().map(fill))
}

/// A node's JoinConfiguration, with the discovery file.
pub fn join(bundle: &Bundle, me: &Identity, discovery: &str) -> String {
    let fill = |document: &Value| {
        let mut document = machine(document, bundle, me);
        if document["kind"] == "JoinConfiguration" {
            document["discovery"] = json!({"file": {"kubeConfigPath": discovery}});
        }
        document
    };
    joined(bundle.kubeadm.join.iter().map(fill))
}

/// Fills in the node's name, its flags and the directory of patches.
fn machine(document: &Value, bundle: &Bundle, me: &Identity) -> Value {
    let mut document = document.clone();
    if !matches!(document["kind"].as_str(), Some("InitConfiguration" | "JoinConfiguration")) {
        return document;
    }
    if !bundle.kubeadm.patches.is_empty() {
        document["patches"]["directory"] = format!("{WORK}/patches").into();
    }
    let node = &mut document["nodeRegistration"];
    node["name"] = me.node_name.clone().into();
    if !bundle.kubelet.taints.is_empty() {
        node["taints"] = bundle.kubelet.taints.clone().into();
    }
    let provider = me.provider_id.iter().map(|id| ("provider-id".to_owned(), id.clone()));
    for (name, value) in bundle.kubelet.args.iter().cloned().chain(provider) {
        push(&mut node["kubeletExtraArgs"], &name, &value);
    }
    document
}

/// Fills in the member's names, and how it starts.
fn local(local: &mut Value, etcd: &Etcd, member: &str, start: &Start) {
    let peer = etcd.members.iter().find(|it| it.name == member).map_or("", |it| it.url.as_str());
    local["dataDir"] = data(etcd).into();
    for field in ["serverCertSANs", "peerCertSANs"] {
        match &mut local[field] {
            Value::Array(names) => names.push(host_of(peer).into()),
            other => *other = json!([host_of(peer)]),
        }
    }
    for (name, value) in member_flags(etcd, member, start) {
        push(&mut local["extraArgs"], &name, &value);
    }
}

/// etcd's flags that identify this member and define how it starts.
pub(crate) fn member_flags(etcd: &Etcd, member: &str, start: &Start) -> Vec<(String, String)> {
    let peer = etcd.members.iter().find(|it| it.name == member).map_or("", |it| it.url.as_str());
    let spec = || etcd.members.iter().map(|it| (it.name.clone(), it.url.clone())).collect();
    let (state, initial) = match start {
        Start::New => ("new", spec()),
        Start::WithData => ("existing", spec()), // ignored if there is data; otherwise the safe choice
        Start::Existing(list) => ("existing", list.clone()),
    };
    let initial: Vec<_> = initial.iter().map(|(name, url)| format!("{name}={url}")).collect();
    let client = format!("https://{}:{}", host_of(peer), etcd.client_port);
    let flag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        flag("name", member),
        flag("initial-advertise-peer-urls", peer),
        flag("advertise-client-urls", &client),
        flag("initial-cluster", &initial.join(",")),
        flag("initial-cluster-state", state),
        flag("initial-cluster-token", &etcd.token),
    ]
}

/// The data directory of an etcd cluster.
pub fn data(etcd: &Etcd) -> String {
    format!("{}/etcd", etcd.volume.path)
}

/// The host of a URL.
pub fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', ':']).next().unwrap_or_default()
}

fn push(list: &mut Value, name: &str, value: &str) {
    let item = json!({"name": name, "value": value});
    match list {
        Value::Array(items) => items.push(item),
        other => *other = json!([item]),
    }
}

/// YAML documents; JSON is YAML.
fn joined(documents: impl Iterator<Item = Value>) -> String {
    let texts: Vec<_> = documents.map(|it| it.to_string()).collect();
    texts.join("\n---\n") + "\n"
}
