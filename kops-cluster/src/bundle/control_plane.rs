//! The API server, the controller manager, the scheduler and the service proxy, as configured for kubeadm.

use kops_node::bundle::{Content, File, KubeadmFile};
use serde_json::{Map, Value, json};

use super::authentication::{self, Authentication};
use super::cluster::{API_PORT, BundleCluster, flag, only, settings, text, texts};
use super::kubelet::gates;
use super::setting::{Applied, Args, apply};
use super::tables::{
    API_SERVER, CONTAINER, CONTROLLER_MANAGER, LEADER_ELECTION, PROXY_SETTINGS, RESOURCES, SCHEDULER,
};
use super::{etcd, setting};
use crate::spec::{Path, Problems};

/// kOps' admission plugins.
const ADMISSION: [&str; 11] = [
    "DefaultStorageClass",
    "DefaultTolerationSeconds",
    "LimitRanger",
    "MutatingAdmissionWebhook",
    "NamespaceLifecycle",
    "NodeRestriction",
    "ResourceQuota",
    "RuntimeClass",
    "ServiceAccount",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionWebhook",
];

/// The plugin without which a kubelet could change other nodes.
const NODE_RESTRICTION: &str = "NodeRestriction";
const ENCRYPTION: &str = "/etc/kubernetes/pki/encryption-config.yaml";
const SCHEDULER_FILE: &str = "/etc/kubernetes/kops/scheduler.yaml";

/// The directories that kubeadm mounts into the API server (`phases/controlplane/volumes.go`).
const MOUNTED: [&str; 6] = [
    "/etc/kubernetes/pki",
    "/etc/ssl/certs",
    "/etc/ca-certificates",
    "/etc/pki/ca-trust",
    "/usr/local/share/ca-certificates",
    "/usr/share/ca-certificates",
];

/// A component: its kubeadm configuration, its patch, and the files that it reads.
#[derive(Debug, Default)]
pub(super) struct Component {
    pub(super) document: Map<String, Value>,
    pub(super) patch: Option<Value>,
    pub(super) files: Vec<File>,
    pub(super) secrets: Vec<KubeadmFile>,
}

pub(super) fn api_server(cluster: &BundleCluster<'_>, problems: &mut Problems) -> Component {
    let spec = &cluster.cluster.spec;
    let own = settings(spec.kube_api_server.as_ref());
    let at = Path::of("spec.kubeAPIServer");
    let mut applied = apply(&own, &[API_SERVER, CONTAINER], &at, cluster.minor(), problems);
    fixed(cluster, &own, &at, problems);
    admission(&own, &at, &mut applied, problems);
    applied.or_set("kubelet-preferred-address-types", "InternalIP,Hostname,ExternalIP");
    applied.or_set("v", "2");
    if spec.metrics_server.as_ref().is_some_and(|it| it.0["enabled"] == true) {
        applied.or_set("enable-aggregator-routing", "true");
    }
    authorization(cluster, &own, &mut applied, problems);
    let mut component = Component::default();
    match authentication::render(cluster, problems) {
        Authentication::Ours(document) => {
            applied.replace("authentication-config", authentication::FILE);
            component.files.push(json_file(authentication::FILE, &document));
        }
        Authentication::Theirs(path) => applied.replace("authentication-config", path),
        Authentication::Default => {}
    }
    if spec.encryption_config == Some(true) {
        applied.or_set("encryption-provider-config", ENCRYPTION);
        component
            .secrets
            .push(KubeadmFile { secret: "encryptionconfig".to_owned(), path: ENCRYPTION.to_owned() });
    }
    issuers(&own, &at, &mut applied, problems);
    let mut overrides = etcd::overrides(cluster);
    overrides.extend(texts(&own, "etcdServersOverrides", &at, problems));
    if !overrides.is_empty() {
        applied.replace("etcd-servers-overrides", overrides.join(","));
    }
    component.document = document(&applied.args);
    component.document.insert("certSANs".to_owned(), names(cluster).into());
    environment(&own["env"], &at.key("env"), &mut component.document, problems);
    volumes(&applied, &mut component.document);
    component.patch = patch("kube-apiserver", &own, &at, problems);
    component
}

/// The names in the API server's certificate.
fn names(cluster: &BundleCluster<'_>) -> Vec<String> {
    let api = &cluster.cluster.spec.api;
    let mut names = vec![cluster.api_name()];
    names.extend(api.public_name.clone());
    names.extend(["127.0.0.1", "localhost"].map(str::to_owned));
    names.extend(api.additional_sans.iter().cloned());
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|it| seen.insert(it.clone()));
    names
}

/// Settings that are fixed on these machines: any other value is rejected, not ignored.
fn fixed(cluster: &BundleCluster<'_>, own: &Value, at: &Path, problems: &mut Problems) {
    let services = cluster.services().map(|it| it.to_string()).unwrap_or_default();
    let must = [
        ("securePort", json!(API_PORT), "it is the port of both load balancers and machines"),
        ("allowPrivileged", json!(true), "network plugins run privileged containers"),
        ("enableBootstrapTokenAuth", json!(true), "nodes join with bootstrap tokens"),
        ("serviceClusterIPRange", json!(services), "it is networking.serviceClusterIPRange"),
        (
            "serviceAccountSigningKeyFile",
            json!("/etc/kubernetes/pki/sa.key"),
            "it is the keyset service-account",
        ),
        ("advertiseAddress", Value::Null, "each machine advertises its own address"),
    ];
    for (field, value, why) in must {
        let found = &own[field];
        if !found.is_null() && *found != value {
            let fix =
                if value.is_null() { "remove it".to_owned() } else { format!("remove it, or use {value}") };
            problems.error(at.key(field), format!("{found} is not supported: {why}"), fix);
        }
    }
}

fn admission(own: &Value, at: &Path, applied: &mut Applied, problems: &mut Problems) {
    let mut plugins = texts(own, "enableAdmissionPlugins", at, problems);
    if plugins.is_empty() {
        plugins = ADMISSION.map(str::to_owned).into();
    }
    plugins.extend(texts(own, "appendAdmissionPlugins", at, problems));
    let disabled = applied.arg("disable-admission-plugins").unwrap_or_default();
    let disabled: Vec<&str> = disabled.split(',').collect();
    if disabled.contains(&NODE_RESTRICTION) {
        problems.warn(
            at.key("disableAdmissionPlugins"),
            "without NodeRestriction a node's credentials can change other nodes",
            "remove NodeRestriction from the list",
        );
    } else if !plugins.iter().any(|it| it == NODE_RESTRICTION) {
        plugins.push(NODE_RESTRICTION.to_owned());
    }
    let mut seen = std::collections::BTreeSet::new();
    plugins.retain(|it| !disabled.contains(&it.as_str()) && seen.insert(it.clone()));
    applied.replace("enable-admission-plugins", plugins.join(","));
}

fn authorization(cluster: &BundleCluster<'_>, own: &Value, applied: &mut Applied, problems: &mut Problems) {
    let spec = settings(cluster.cluster.spec.authorization.as_ref());
    only(&spec, &["alwaysAllow", "rbac"], &Path::of("spec.authorization"), problems);
    if !spec["alwaysAllow"].is_null() {
        problems.error(
            Path::of("spec.authorization.alwaysAllow"),
            "an API server that allows all requests is not supported",
            "use rbac: {}",
        );
    }
    if let Some(mode) = own["authorizationMode"].as_str()
        && !mode.split(',').any(|it| it.trim() == "Node")
    {
        problems.error(
            Path::of("spec.kubeAPIServer.authorizationMode"),
            format!("{mode} does not authorize nodes"),
            "add Node, for example Node,RBAC",
        );
    }
    applied.or_set("authorization-mode", "Node,RBAC");
}

/// The first issuer signs; tokens of the others are accepted.
fn issuers(own: &Value, at: &Path, applied: &mut Applied, problems: &mut Problems) {
    let first = text(own, "serviceAccountIssuer", at, problems);
    let more = texts(own, "additionalServiceAccountIssuers", at, problems);
    match first {
        Some(first) => {
            let all = std::iter::once(first.to_owned()).chain(more);
            applied.args.extend(all.map(|it| ("service-account-issuer".to_owned(), it)));
        }
        None if !more.is_empty() => problems.error(
            at.key("additionalServiceAccountIssuers"),
            "without serviceAccountIssuer the issuer that signs is not known",
            "set serviceAccountIssuer",
        ),
        None => {}
    }
}

pub(super) fn controller_manager(cluster: &BundleCluster<'_>, problems: &mut Problems) -> Component {
    let spec = &cluster.cluster.spec;
    let own = settings(spec.kube_controller_manager.as_ref());
    let at = Path::of("spec.kubeControllerManager");
    let mut applied = apply(&own, &[CONTROLLER_MANAGER, CONTAINER], &at, cluster.minor(), problems);
    leader_election(&own, &at, cluster, &mut applied, problems);
    let mut controllers = texts(&own, "controllers", &at, problems);
    if controllers.is_empty() {
        controllers.push("*".to_owned());
    }
    // Off by default, and needed for nodes to join.
    for needed in ["bootstrapsigner", "tokencleaner"] {
        if !controllers.iter().any(|it| it == needed) {
            controllers.push(needed.to_owned());
        }
    }
    applied.replace("controllers", controllers.join(","));
    applied.or_set("attach-detach-reconcile-sync-period", "1m0s");
    applied.or_set("v", "2");
    same(&own, "clusterName", &[cluster.cluster.name()], "it is the cluster's name", &at, problems);
    let pods = spec.networking.pod_cidr.map(|it| it.to_string()).unwrap_or_default();
    same(&own, "clusterCIDR", &[&pods], "it is networking.podCIDR", &at, problems);
    if applied.arg("cloud-provider").is_some_and(|it| it != "external") {
        problems.error(
            at.key("cloudProvider"),
            "controller managers no longer support built-in clouds",
            "use external, or remove it",
        );
    }
    let mut document = document(&applied.args);
    volumes(&applied, &mut document);
    Component {
        document,
        patch: patch("kube-controller-manager", &own, &at, problems),
        ..Component::default()
    }
}

pub(super) fn scheduler(cluster: &BundleCluster<'_>, problems: &mut Problems) -> Component {
    let own = settings(cluster.cluster.spec.kube_scheduler.as_ref());
    let at = Path::of("spec.kubeScheduler");
    let mut applied = apply(&own, &[SCHEDULER, CONTAINER], &at, cluster.minor(), problems);
    leader_election(&own, &at, cluster, &mut applied, problems);
    applied.or_set("v", "2");
    let mut component = Component::default();
    let mut client = Map::new();
    for (field, name) in [("qps", "qps"), ("burst", "burst")] {
        if let Some(value) = super::cluster::number(&own, field, &at, problems) {
            client.insert(name.to_owned(), value);
        }
    }
    if !client.is_empty() {
        // With a file, the flags for its fields are ignored, so the file has them all.
        client.insert("kubeconfig".to_owned(), "/etc/kubernetes/scheduler.conf".into());
        let configuration = json!({
            "apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration", "clientConnection": client,
        });
        component.files.push(json_file(SCHEDULER_FILE, &configuration));
        applied.replace("config", SCHEDULER_FILE);
    }
    component.document = document(&applied.args);
    if let Some(volumes) = super::cluster::number(&own, "maxPersistentVolumes", &at, problems) {
        component.document.insert(
            "extraEnvs".to_owned(),
            json!([{"name": "KUBE_MAX_PD_VOLS", "value": volumes.to_string()}]),
        );
    }
    volumes(&applied, &mut component.document);
    component.patch = patch("kube-scheduler", &own, &at, problems);
    component
}

/// KubeProxyConfiguration, and whether there is a proxy.
pub(super) fn proxy(cluster: &BundleCluster<'_>, problems: &mut Problems) -> (Value, bool) {
    let spec = &cluster.cluster.spec;
    let own = settings(spec.kube_proxy.as_ref());
    let at = Path::of("spec.kubeProxy");
    let mut config = apply(&own, &[PROXY_SETTINGS], &at, cluster.minor(), problems).config;
    config.insert("apiVersion".to_owned(), "kubeproxy.config.k8s.io/v1alpha1".into());
    config.insert("kind".to_owned(), "KubeProxyConfiguration".into());
    let gates = gates(&own, &at, problems);
    if !gates.is_empty() {
        config.insert("featureGates".to_owned(), Value::Object(gates));
    }
    // The mode is required since 1.37.
    config.entry("mode").or_insert_with(|| "iptables".into());
    if let Some(pods) = spec.networking.pod_cidr {
        config.entry("clusterCIDR").or_insert_with(|| pods.to_string().into());
    }
    (Value::Object(config), flag(&own, "enabled", &at, problems) != Some(false))
}

fn leader_election(
    own: &Value,
    at: &Path,
    cluster: &BundleCluster<'_>,
    applied: &mut Applied,
    problems: &mut Problems,
) {
    let at = at.key("leaderElection");
    applied
        .args
        .extend(apply(&own["leaderElection"], &[LEADER_ELECTION], &at, cluster.minor(), problems).args);
}

/// Rejects any other value of a fixed setting.
pub(super) fn same(own: &Value, field: &str, values: &[&str], why: &str, at: &Path, problems: &mut Problems) {
    if let Some(found) = text(own, field, at, problems)
        && !values.contains(&found)
    {
        problems.error(
            at.key(field),
            format!("{found:?} is not supported: {why}"),
            format!("remove it, or use {}", values.join(" or ")),
        );
    }
}

/// A component's part of ClusterConfiguration.
fn document(args: &Args) -> Map<String, Value> {
    let mut document = Map::new();
    document.insert("extraArgs".to_owned(), super::kubeadm::args(args));
    document
}

/// Mounts for files that flags name and that kubeadm does not mount; that of the audit log's directory is
/// writable.
fn volumes(applied: &Applied, document: &mut Map<String, Value>) {
    let mut volumes = Vec::new();
    for (name, value) in &applied.args {
        let log = name == "audit-log-path";
        let file = log
            || name.ends_with("-file")
            || name.ends_with("-config")
            || name == "config"
            || name.ends_with("certificate-authority");
        if !file || !value.starts_with('/') || MOUNTED.iter().any(|it| value.starts_with(it)) {
            continue;
        }
        let (path, kind) = match value.rsplit_once('/') {
            Some((directory, _)) if log => {
                (if directory.is_empty() { "/" } else { directory }, "DirectoryOrCreate")
            }
            _ => (value.as_str(), "File"),
        };
        let volume = json!({
            "name": format!("kops-{name}"), "hostPath": path, "mountPath": path, "readOnly": !log, "pathType": kind,
        });
        if !volumes.iter().any(|it: &Value| it["mountPath"] == volume["mountPath"]) {
            volumes.push(volume);
        }
    }
    if !volumes.is_empty() {
        document.insert("extraVolumes".to_owned(), volumes.into());
    }
}

/// Variables of a container's environment: a list of names and values, as in a pod.
pub(super) fn environment(
    value: &Value,
    at: &Path,
    document: &mut Map<String, Value>,
    problems: &mut Problems,
) {
    if value.is_null() {
        return;
    }
    let items = value.as_array().cloned().unwrap_or_default();
    let good = value.is_array()
        && items
            .iter()
            .all(|it| it["name"].is_string() && (it["value"].is_string() || it["value"].is_null()));
    if !good {
        problems.error(at.clone(), "is not a list of names with values", "use - {name: A, value: \"1\"}");
        return;
    }
    let all: Vec<Value> = items
        .iter()
        .map(|it| json!({"name": it["name"], "value": it["value"].as_str().unwrap_or_default()}))
        .collect();
    document.insert("extraEnvs".to_owned(), all.into());
}

/// A container's image and resources, which kubeadm only supports as a patch of its manifest.
pub(super) fn patch(container: &str, own: &Value, at: &Path, problems: &mut Problems) -> Option<Value> {
    let mut patched = Map::new();
    if let Some(image) = text(own, "image", at, problems) {
        patched.insert("image".to_owned(), image.into());
    }
    for (field, kind, resource) in RESOURCES {
        match &own[field] {
            Value::Null => {}
            Value::String(_) | Value::Number(_) => {
                let quantity = own[field].as_str().map_or_else(|| own[field].to_string(), str::to_owned);
                setting::put(&mut patched, &format!("resources.{kind}.{resource}"), quantity.into());
            }
            other => problems.error(
                at.key(field),
                format!("{other} is not a quantity"),
                "use a quantity such as 100m or 512Mi",
            ),
        }
    }
    if patched.is_empty() {
        return None;
    }
    patched.insert("name".to_owned(), container.into());
    Some(json!({"spec": {"containers": [patched]}}))
}

fn json_file(path: &str, document: &Value) -> File {
    // JSON is YAML.
    File {
        path: path.to_owned(),
        content: Content::Text(format!("{document}\n")),
        mode: Some("0600".to_owned()),
        owner: None,
    }
}
