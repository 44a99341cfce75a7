//! The kubelet: its configuration, flags, labels and taints.
//!
//! The patch of a machine contains the whole configuration, not only what differs from the cluster's: the
//! ConfigMap `kubelet-config` contains what the cluster's last upgrade wrote, and a new machine must not
//! depend on it.

use std::collections::BTreeMap;

use kops_node::bundle::Kubelet;
use serde_json::{Map, Value, json};

use super::Told;
use super::cluster::{BundleCluster, map_of_texts, number, settings, text, texts};
use super::setting::{Applied, apply, duration, object, put};
use super::tables::KUBELET;
use crate::bundle::labels;
use crate::spec::{InstanceGroup, Opaque, Path, Problems};

/// kOps' eviction thresholds.
const EVICTION: &str = "memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%,imagefs.available<10%,imagefs.inodesFree<5%";

/// The cluster's KubeletConfiguration, for machines that kops does not manage.
///
/// It has no maps of eviction signals: kubeadm merges the patch of a group into it signal by signal, so that
/// the cluster's signals would remain in a group that sets others.
pub(super) fn base(cluster: &BundleCluster<'_>, problems: &mut Problems) -> Value {
    let spec = &cluster.cluster.spec;
    let at = Path::of("spec.kubelet");
    let applied = one(cluster, &settings(spec.kubelet.as_ref()), &at, problems);
    let mut base = document(cluster, applied.config);
    if let Value::Object(base) = &mut base {
        base.retain(|field, value| !(field.starts_with("eviction") && value.is_object()));
    }
    base
}

/// The kubelet of a group's machines: the configuration as a patch, and everything else.
pub(super) fn render(
    cluster: &BundleCluster<'_>,
    group: &InstanceGroup,
    told: &mut Told,
) -> (Value, Kubelet) {
    let spec = &cluster.cluster.spec;
    let mut merged = Map::new();
    let mut args = BTreeMap::new();
    let mut taints = Vec::new();
    let mut node_labels = BTreeMap::new();
    let control_plane = spec.control_plane_kubelet.as_ref().filter(|_| group.is_control_plane());
    let layers: [(Option<&Opaque>, &str, bool); 3] = [
        (spec.kubelet.as_ref(), "spec.kubelet", false),
        (control_plane, "spec.controlPlaneKubelet", false),
        (group.spec.kubelet.as_ref(), "spec.kubelet", true),
    ];
    for (layer, path, own) in layers {
        let at = Path::of(path);
        let layer = settings(layer);
        let problems = if own { &mut told.group } else { &mut told.cluster };
        let applied = one(cluster, &layer, &at, problems);
        merge(&mut merged, applied.config);
        args.extend(applied.args);
        taints.extend(texts(&layer, "taints", &at, problems));
        node_labels.extend(map_of_texts(&layer, "nodeLabels", &at, problems));
    }
    taints.extend(group.spec.taints.iter().cloned());
    node_labels.extend(group.spec.node_labels.clone());
    if cluster.external_cloud() {
        args.insert("cloud-provider".to_owned(), "external".to_owned());
    }
    let own: Vec<String> = node_labels
        .iter()
        .filter(|(key, _)| labels::is_own(key))
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    if !own.is_empty() {
        args.insert("node-labels".to_owned(), own.join(","));
    }
    let kubelet = Kubelet {
        args: args.into_iter().collect(),
        taints: taints.iter().filter_map(|it| taint(it)).collect(),
    };
    (document(cluster, merged), kubelet)
}

/// One layer of settings.
fn one(cluster: &BundleCluster<'_>, layer: &Value, at: &Path, problems: &mut Problems) -> Applied {
    let minor = cluster.minor();
    let mut applied = apply(layer, &[KUBELET], at, minor, problems);
    let config = &mut applied.config;
    if let Some(address) = text(layer, "clusterDNS", at, problems) {
        config.insert("clusterDNS".to_owned(), json!([address]));
    }
    if let Some(number) = number(layer, "eventQPS", at, problems) {
        config.insert("eventRecordQPS".to_owned(), number);
    }
    if let Some(list) = text(layer, "enforceNodeAllocatable", at, problems) {
        config.insert(
            "enforceNodeAllocatable".to_owned(),
            list.split(',').map(str::trim).collect::<Vec<_>>().into(),
        );
    }
    for (field, separator) in [
        ("evictionHard", '<'),
        ("evictionSoft", '<'),
        ("evictionSoftGracePeriod", '='),
        ("evictionMinimumReclaim", '='),
    ] {
        if let Some(list) = text(layer, field, at, problems) {
            match pairs(list, separator) {
                Some(pairs) => drop(config.insert(field.to_owned(), pairs)),
                None => problems.error(
                    at.key(field),
                    format!("{list:?} is not a list of signals and values"),
                    format!("use memory.available{separator}100Mi, with commas between several"),
                ),
            }
        }
    }
    let gates = gates(layer, at, problems);
    if !gates.is_empty() {
        config.insert("featureGates".to_owned(), Value::Object(gates));
    }
    let period = "crashLoopBackOffMaxContainerRestartPeriod";
    if let Some(value) = text(layer, period, at, problems) {
        if minor < 35 {
            problems.warn(at.key(period), "it has no effect before Kubernetes 1.35", "remove it");
        } else if duration(value).is_some() {
            put(config, "crashLoopBackOff.maxContainerRestartPeriod", value.into());
        } else {
            problems.error(
                at.key(period),
                format!("{value:?} is not a duration"),
                "use a duration such as 1m30s",
            );
        }
    }
    for (number, text) in texts(layer, "taints", at, problems).iter().enumerate() {
        if taint(text).is_none() {
            problems.error(
                at.key("taints").index(number),
                format!("{text:?} is not a taint"),
                "use key=value:NoSchedule, :PreferNoSchedule or :NoExecute",
            );
        }
    }
    match text(layer, "cloudProvider", at, problems) {
        None | Some("external") => {}
        Some(other) => problems.warn(
            at.key("cloudProvider"),
            format!("it has no effect: kubelets no longer support the cloud provider {other:?}"),
            "use external, or remove it",
        ),
    }
    applied
}

/// Feature gates in the form of a configuration document.
pub(super) fn gates(settings: &Value, at: &Path, problems: &mut Problems) -> Map<String, Value> {
    let (value, at) = (&settings["featureGates"], at.key("featureGates"));
    let mut gates = Map::new();
    for (gate, state) in object(value, &at, problems).into_iter().flatten() {
        match state {
            Value::Bool(state) => drop(gates.insert(gate.clone(), (*state).into())),
            Value::String(text) if text.parse::<bool>().is_ok() => {
                gates.insert(gate.clone(), (text == "true").into());
            }
            other => problems.error(
                at.key(gate),
                format!("{other} is not true or false"),
                "use \"true\" or \"false\"",
            ),
        }
    }
    gates
}

/// A KubeletConfiguration with the defaults.
fn document(cluster: &BundleCluster<'_>, own: Map<String, Value>) -> Value {
    let mut config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "systemd",
        "clusterDomain": cluster.domain(),
        "authentication": {"anonymous": {"enabled": false}, "webhook": {"enabled": true}},
        "authorization": {"mode": "Webhook"},
        "evictionHard": pairs(EVICTION, '<'),
        "protectKernelDefaults": true,
        "runtimeRequestTimeout": "15m0s",
        "shutdownGracePeriod": "30s",
        "shutdownGracePeriodCriticalPods": "10s",
    });
    if let Some(address) = cluster.dns_address() {
        config["clusterDNS"] = json!([address]);
    }
    if let Value::Object(config) = &mut config {
        merge(config, own);
    }
    config
}

/// Merges one document into another; maps of signals are replaced as a whole, like flags.
fn merge(under: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(value)) if !key.starts_with("eviction") => {
                merge(below, value);
            }
            (_, value) => drop(under.insert(key, value)),
        }
    }
}

fn pairs(list: &str, separator: char) -> Option<Value> {
    let pairs = list.split(',').map(|it| {
        let (signal, value) = it.trim().split_once(separator)?;
        Some((signal.trim().to_owned(), Value::from(value.trim())))
    });
    pairs.collect::<Option<Map<_, _>>>().map(Value::Object)
}

/// A taint in kubeadm's form.
fn taint(text: &str) -> Option<Value> {
    let (rest, effect) = text.rsplit_once(':')?;
    if !["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect) {
        return None;
    }
    let (key, value) = rest.split_once('=').unwrap_or((rest, ""));
    let mut taint = json!({"key": key, "effect": effect});
    if !value.is_empty() {
        taint["value"] = value.into();
    }
    (!key.is_empty()).then_some(taint)
}
