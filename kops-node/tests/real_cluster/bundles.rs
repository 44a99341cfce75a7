//! What the machines become: bundles of a control plane for each member of etcd, and of a node.

use std::collections::BTreeMap;

use kops_node::bundle::{
    API_VERSION, Api, Backup, Bundle, Cloud, Containerd, Content, Etcd, File, Keep, Keyset, Kubeadm, Kubelet,
    Machine, Package, Role, Store, Volume,
};
use kops_node::etcd::Peer;
use serde_json::{Value, json};

pub(crate) const CLUSTER: &str = "lab.example";
pub(crate) const MEMBERS: [&str; 3] = ["a", "b", "c"];
const PORT: u16 = 6443;
const PODS: &str = "10.244.0.0/16";
const SERVICES: &str = "10.96.0.0/16";
const PKI: &str = "/etc/kubernetes/pki";
const KUBEADM: &str = "kubeadm.k8s.io/v1beta4";
const AUTHENTICATION: &str = "/etc/kubernetes/pki/authentication.json";

/// What all bundles of a cluster have in common.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// The version of Kubernetes.
    pub(crate) version: String,
    /// The pause image that kubeadm asks for.
    pub(crate) pause: String,
    /// The word that tells this cluster from another of its name.
    pub(crate) word: String,
    pub(crate) keysets: Vec<Keyset>,
    /// What the cluster's network is made of.
    pub(crate) manifests: Vec<Value>,
}

impl Facts {
    /// The bundle of a member's machine.
    pub(crate) fn control_plane(&self, member: &str) -> Bundle {
        let etcd = |name: &str, [client_port, peer_port, metrics_port]: [u16; 3]| Etcd {
            name: name.to_owned(),
            members: MEMBERS
                .map(|it| Peer {
                    name: it.to_owned(),
                    url: format!("https://{it}.etcd.internal.{CLUSTER}:{peer_port}"),
                })
                .to_vec(),
            candidates: vec![member.to_owned()],
            token: format!("{CLUSTER}-{name}-{}", self.word),
            client_port,
            peer_port,
            metrics_port,
            volume: Volume {
                path: format!("/mnt/etcd-{name}"),
                devices: BTreeMap::new(),
                tags: BTreeMap::new(),
                format: None,
            },
            backup: Some(Backup { every: 60, days: 1 }),
        };
        let external = json!({"external": {
            "endpoints": ["https://127.0.0.1:2379"], "caFile": format!("{PKI}/etcd/ca.crt"),
            "certFile": format!("{PKI}/apiserver-etcd-client.crt"), "keyFile": format!("{PKI}/apiserver-etcd-client.key"),
        }});
        let kubelet = json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", "cgroupDriver": "systemd",
            "failCgroupV1": false, // hosts of the lab may have no other
        });
        let proxy = json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "iptables",
        });
        let mut bundle = self.bundle(Role::ControlPlane, &format!("control-plane-{member}"));
        bundle.kubeadm = Kubeadm {
            cluster: vec![init(), self.cluster(&external), kubelet, proxy],
            etcd: vec![init(), self.cluster(&json!({"local": {}}))],
            patches: BTreeMap::from([("etcd0+strategic.json".to_owned(), etcd_patch())]),
            manifests: self.manifests.clone(),
            ..Kubeadm::default()
        };
        bundle.machine.files.push(File {
            path: AUTHENTICATION.to_owned(),
            content: Content::Text(authentication().to_string()),
            mode: None,
            owner: None,
        });
        bundle.keysets.clone_from(&self.keysets);
        // kOps' two clusters, with its ports.
        bundle.etcd = vec![etcd("main", [2379, 2380, 2381]), etcd("events", [4002, 2381, 2383])];
        bundle.keep = Some(Keep { renew_days: 30 });
        bundle
    }

    /// The bundle of a node.
    pub(crate) fn node(&self) -> Bundle {
        let join = json!({
            "apiVersion": KUBEADM, "kind": "JoinConfiguration", "nodeRegistration": registration(),
            "timeouts": {"discovery": "3m0s", "tlsBootstrap": "10m0s", "kubeletHealthCheck": "10m0s"},
        });
        let mut bundle = self.bundle(Role::Node, "nodes");
        bundle.kubeadm = Kubeadm { join: vec![join], ..Kubeadm::default() };
        bundle
    }

    fn bundle(&self, role: Role, group: &str) -> Bundle {
        Bundle {
            api_version: API_VERSION.to_owned(),
            cluster: CLUSTER.to_owned(),
            group: group.to_owned(),
            role,
            kubernetes_version: self.version.clone(),
            cloud: Cloud::None {},
            store: Store { url: kops_lab::STORE.to_owned(), endpoint: None, region: None },
            api: Api {
                name: api(),
                aliases: vec![format!("api.{CLUSTER}")],
                port: PORT,
                balancer: Some(kops_lab::BALANCER.to_owned()),
            },
            machine: self.machine(),
            containerd: Containerd {
                config_v1: containerd(2, &self.pause),
                config_v2: containerd(3, &self.pause),
                skip: false,
            },
            kubelet: Kubelet::default(),
            kubeadm: Kubeadm::default(),
            keysets: Vec::new(),
            etcd: Vec::new(),
            keep: None,
        }
    }

    fn machine(&self) -> Machine {
        let on = |name: &str| (name.to_owned(), "1".to_owned());
        let package = |name: &str| Package {
            name: name.to_owned(),
            version: Some(format!("{}-", self.version.trim_start_matches('v'))),
            program: Some(name.to_owned()),
            says: Some(self.version.clone()),
        };
        Machine {
            modules: ["overlay", "br_netfilter"].map(str::to_owned).to_vec(),
            sysctls: ["net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables"].map(on).into(),
            swap_off: true,
            packages: ["kubeadm", "kubelet", "kubectl"].map(package).to_vec(),
            ..Machine::default()
        }
    }

    fn cluster(&self, etcd: &Value) -> Value {
        json!({
            "apiVersion": KUBEADM, "kind": "ClusterConfiguration", "clusterName": CLUSTER,
            "kubernetesVersion": self.version, "encryptionAlgorithm": "ECDSA-P256",
            "controlPlaneEndpoint": format!("{}:{PORT}", api()),
            "networking": {"podSubnet": PODS, "serviceSubnet": SERVICES}, "etcd": etcd,
            "apiServer": {
                "certSANs": [api(), format!("api.{CLUSTER}"), "127.0.0.1", "localhost", kops_lab::BALANCER],
                "extraArgs": [
                    {"name": "authentication-config", "value": AUTHENTICATION},
                    {"name": "etcd-servers-overrides", "value": "/events#https://127.0.0.1:4002"},
                ],
            },
        })
    }
}

/// The pods' network of the lab, with images from this registry.
pub(crate) fn network(registry: &str) -> Vec<Value> {
    let text = include_str!("../lab/manifests/podnet.yaml").replace("HOST/", &format!("{registry}/"));
    text.replace("POD_CIDR_VALUE", PODS)
        .split("\n---\n")
        .map(|it| serde_saphyr::from_str(it).unwrap())
        .collect()
}

fn api() -> String {
    format!("api.internal.{CLUSTER}")
}

fn registration() -> Value {
    json!({"criSocket": "unix:///run/containerd/containerd.sock"})
}

fn init() -> Value {
    json!({
        "apiVersion": KUBEADM, "kind": "InitConfiguration", "nodeRegistration": registration(),
        "timeouts": {"controlPlaneComponentHealthCheck": "10m0s", "kubeletHealthCheck": "10m0s", "kubernetesAPICall": "3m0s"},
    })
}

/// etcd's container sees the machine's own `/etc/hosts`, and never a data directory that is not there.
fn etcd_patch() -> Value {
    json!({"spec": {
        "containers": [{"name": "etcd", "volumeMounts": [{"name": "hosts", "mountPath": "/etc/hosts", "readOnly": true}]}],
        "volumes": [
            {"name": "hosts", "hostPath": {"path": "/etc/hosts", "type": "File"}},
            {"name": "etcd-data", "hostPath": {"path": "/mnt/etcd-main/etcd", "type": "Directory"}},
        ],
    }})
}

/// Nobody is anonymous but for the probes.
fn authentication() -> Value {
    let paths = ["/livez", "/readyz", "/healthz"].map(|it| json!({"path": it}));
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1beta1", "kind": "AuthenticationConfiguration",
        "anonymous": {"enabled": true, "conditions": paths},
    })
}

/// containerd's configuration, for 1.x (version 2) and 2.x (version 3).
fn containerd(version: u8, pause: &str) -> String {
    let (images, runtime) = match version {
        2 => ("io.containerd.grpc.v1.cri", "io.containerd.grpc.v1.cri"),
        _ => ("io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime"),
    };
    let sandbox = match version {
        2 => format!("[plugins.'{images}']\nsandbox_image = '{pause}'\n"),
        _ => format!("[plugins.'{images}'.pinned_images]\nsandbox = '{pause}'\n"),
    };
    let bin = if version == 2 { "bin_dir = '/opt/cni/bin'" } else { "bin_dirs = ['/opt/cni/bin']" };
    format!(
        "version = {version}\n{sandbox}[plugins.'{runtime}'.cni]\n{bin}\nconf_dir = '/etc/cni/net.d'\n\
         [plugins.'{runtime}'.containerd.runtimes.runc]\nruntime_type = 'io.containerd.runc.v2'\n\
         [plugins.'{runtime}'.containerd.runtimes.runc.options]\nSystemdCgroup = true\n"
    )
}
