//! kubeadm's documents, `kubeadm.k8s.io/v1beta4`, which every supported minor version reads.

use std::collections::BTreeMap;

use kops_node::bundle::{File, Kubeadm};
use serde_json::{Map, Value, json};

use super::cluster::{API_PORT, BundleCluster};
use super::control_plane::{self, Component};
use super::setting::Args;
use super::{etcd, kubelet};
use crate::spec::Problems;

const VERSION: &str = "kubeadm.k8s.io/v1beta4";

/// Arguments as kubeadm writes them.
pub(super) fn args(args: &Args) -> Value {
    args.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

/// A control plane's documents, patches and files.
pub(super) fn control_plane(
    cluster: &BundleCluster<'_>,
    socket: &str,
    kubelet_patch: Value,
    problems: &mut Problems,
) -> (Kubeadm, Vec<File>) {
    let init = init(socket);
    let api_server = control_plane::api_server(cluster, problems);
    let controller_manager = control_plane::controller_manager(cluster, problems);
    let scheduler = control_plane::scheduler(cluster, problems);
    let (proxy, proxied) = control_plane::proxy(cluster, problems);
    let mut files = Vec::new();
    let mut secrets = Vec::new();
    let mut patches = BTreeMap::from([(KUBELET_PATCH.to_owned(), kubelet_patch)]);
    let mut part = |name: &str, component: Component| {
        files.extend(component.files);
        secrets.extend(component.secrets);
        if let Some(patch) = component.patch {
            patches.insert(format!("{name}0+strategic.json"), patch);
        }
        Value::Object(component.document)
    };
    let mut configuration = json!({
        "apiVersion": VERSION,
        "kind": "ClusterConfiguration",
        "clusterName": cluster.cluster.name(),
        "kubernetesVersion": format!("v{}", cluster.version()),
        "controlPlaneEndpoint": format!("{}:{API_PORT}", cluster.api_name()),
        "encryptionAlgorithm": "ECDSA-P256",
        "imageRepository": cluster.registry(),
        "networking": networking(cluster),
        "apiServer": part("kube-apiserver", api_server),
        "controllerManager": part("kube-controller-manager", controller_manager),
        "scheduler": part("kube-scheduler", scheduler),
        "proxy": {"disabled": !proxied},
    });
    let (local, etcd_patches) = etcd::local(cluster, problems);
    patches.extend(etcd_patches);
    let mut with_etcd = configuration.clone();
    with_etcd["etcd"] = json!({"local": local});
    configuration["etcd"] = json!({"external": {
        "endpoints": ["https://127.0.0.1:2379"],
        "caFile": "/etc/kubernetes/pki/etcd/ca.crt",
        "certFile": "/etc/kubernetes/pki/apiserver-etcd-client.crt",
        "keyFile": "/etc/kubernetes/pki/apiserver-etcd-client.key",
    }});
    let kubelet = kubelet::base(cluster, problems);
    let documents = Kubeadm {
        cluster: vec![init.clone(), configuration, kubelet, proxy],
        etcd: vec![init, with_etcd],
        patches,
        files: secrets,
        ..Kubeadm::default()
    };
    (documents, files)
}

/// A node's documents.
pub(super) fn node(socket: &str, kubelet_patch: Value) -> Kubeadm {
    let join = json!({
        "apiVersion": VERSION,
        "kind": "JoinConfiguration",
        "nodeRegistration": {"criSocket": socket},
        "timeouts": {"discovery": "2m0s", "kubeletHealthCheck": "10m0s", "tlsBootstrap": "10m0s"},
    });
    let patches = BTreeMap::from([(KUBELET_PATCH.to_owned(), kubelet_patch)]);
    Kubeadm { join: vec![join], patches, ..Kubeadm::default() }
}

const KUBELET_PATCH: &str = "kubeletconfiguration0+merge.json";

fn init(socket: &str) -> Value {
    json!({
        "apiVersion": VERSION,
        "kind": "InitConfiguration",
        "localAPIEndpoint": {"bindPort": API_PORT},
        "nodeRegistration": {"criSocket": socket},
        // Images may have to be pulled, and etcd needs its second member.
        "timeouts": {"controlPlaneComponentHealthCheck": "10m0s", "kubeletHealthCheck": "10m0s", "kubernetesAPICall": "3m0s"},
    })
}

fn networking(cluster: &BundleCluster<'_>) -> Value {
    let spec = &cluster.cluster.spec.networking;
    let mut networking = Map::new();
    networking.insert("dnsDomain".to_owned(), cluster.domain().into());
    if let Some(services) = cluster.services() {
        networking.insert("serviceSubnet".to_owned(), services.to_string().into());
    }
    if let Some(pods) = spec.pod_cidr {
        networking.insert("podSubnet".to_owned(), pods.to_string().into());
    }
    Value::Object(networking)
}
