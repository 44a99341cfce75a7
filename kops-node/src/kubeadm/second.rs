//! etcd clusters other than `main`, which is the only one that kubeadm supports: their manifests are derived
//! from the one that it wrote, with other names, ports and data. Certificates are the same, because members
//! have the same hosts.

use serde_json::{Value, json};

use super::documents::{data, member_flags};
use crate::bundle::Etcd;
use crate::error::{Error, Result};
use crate::etcd::Start;

/// The manifest of a further cluster.
///
/// # Errors
/// If `manifest` is not in kubeadm's format.
pub(super) fn manifest(
    manifest: &Value,
    main: &Etcd,
    etcd: &Etcd,
    member: &str,
    start: &Start,
) -> Result<Value> {
    let mut pod = manifest.clone();
    let wrong = || {
        Error::invalid(
            format!("creating the manifest of etcd {}", etcd.name),
            "kubeadm's manifest has an unexpected format",
        )
    };
    let name = format!("etcd-{}", etcd.name);
    // kubeadm finds members by these two.
    pod["metadata"]["labels"]["component"] = name.clone().into();
    pod["metadata"]["annotations"] = json!({});
    pod["metadata"]["name"] = name.into();
    let place = data(etcd);
    for volume in pod["spec"]["volumes"].as_array_mut().ok_or_else(wrong)? {
        if volume["name"] == "etcd-data" {
            volume["hostPath"] = json!({"path": place, "type": "Directory"});
        }
    }
    let container = &mut pod["spec"]["containers"][0];
    for mount in container["volumeMounts"].as_array_mut().ok_or_else(wrong)? {
        if mount["name"] == "etcd-data" {
            mount["mountPath"] = place.clone().into();
        }
    }
    ports(container, main.metrics_port, etcd.metrics_port);
    let words = container["command"].as_array_mut().ok_or_else(wrong)?;
    let mut flags: Vec<(String, String)> = member_flags(etcd, member, start);
    flags.push(("data-dir".to_owned(), place));
    for word in words {
        let Some((flag, value)) = word.as_str().and_then(|it| it.strip_prefix("--")?.split_once('=')) else {
            continue;
        };
        let port = match flag {
            "listen-client-urls" => Some((main.client_port, etcd.client_port)),
            "listen-peer-urls" => Some((main.peer_port, etcd.peer_port)),
            "listen-metrics-urls" => Some((main.metrics_port, etcd.metrics_port)),
            _ => None,
        };
        let own = flags.iter().find(|(name, _)| name == flag).map(|(_, value)| value.clone());
        let moved = port.map(|(from, to)| {
            let url = |it: &str| {
                it.strip_suffix(&format!(":{from}")).map_or_else(|| it.to_owned(), |it| format!("{it}:{to}"))
            };
            value.split(',').map(url).collect::<Vec<_>>().join(",")
        });
        if let Some(value) = own.or(moved) {
            *word = format!("--{flag}={value}").into();
        }
    }
    Ok(pod)
}

/// Replaces the ports of probes.
fn ports(value: &mut Value, from: u16, to: u16) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|it| ports(it, from, to)),
        Value::Object(fields) => {
            for (name, field) in fields {
                if matches!(name.as_str(), "port" | "containerPort" | "hostPort") && *field == from {
                    *field = to.into();
                } else {
                    ports(field, from, to);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubeadm::tests::bundle;

    /// What kubeadm 1.34 writes, less what does not matter here.
    const MANIFEST: &str = "
apiVersion: v1
kind: Pod
metadata:
  annotations: {kubeadm.kubernetes.io/etcd.advertise-client-urls: 'https://10.0.0.1:2379'}
  labels: {component: etcd, tier: control-plane}
  name: etcd
  namespace: kube-system
spec:
  containers:
  - command:
    - etcd
    - --advertise-client-urls=https://a.etcd.internal.ha.example.com:2379
    - --cert-file=/etc/kubernetes/pki/etcd/server.crt
    - --data-dir=/mnt/etcd-main/etcd
    - --initial-advertise-peer-urls=https://a.etcd.internal.ha.example.com:2380
    - --initial-cluster=a=https://a.etcd.internal.ha.example.com:2380
    - --initial-cluster-state=new
    - --initial-cluster-token=ha-x7
    - --listen-client-urls=https://127.0.0.1:2379,https://10.0.0.1:2379
    - --listen-metrics-urls=http://127.0.0.1:2381
    - --listen-peer-urls=https://10.0.0.1:2380
    - --name=a
    livenessProbe: {httpGet: {host: 127.0.0.1, path: /livez, port: probe-port}}
    ports: [{containerPort: 2381, name: probe-port, protocol: TCP}]
    startupProbe: {httpGet: {host: 127.0.0.1, path: /readyz, port: 2381}}
    volumeMounts:
    - {mountPath: /mnt/etcd-main/etcd, name: etcd-data}
    - {mountPath: /etc/kubernetes/pki/etcd, name: etcd-certs}
  volumes:
  - {hostPath: {path: /etc/kubernetes/pki/etcd, type: DirectoryOrCreate}, name: etcd-certs}
  - {hostPath: {path: /mnt/etcd-main/etcd, type: DirectoryOrCreate}, name: etcd-data}
";

    #[test]
    fn names_ports_and_data_are_its_own() {
        let main = bundle().etcd.remove(0);
        let mut events = main.clone();
        events.name = "events".to_owned();
        events.token = "events-x7".to_owned();
        (events.client_port, events.peer_port, events.metrics_port) = (4002, 2382, 2383);
        events.volume.path = "/mnt/etcd-events".to_owned();
        for peer in &mut events.members {
            peer.url = peer.url.replace("2380", "2382");
        }
        let written: Value = serde_saphyr::from_str(MANIFEST).unwrap();
        let pod = manifest(&written, &main, &events, "a", &Start::New).unwrap();
        let text = pod.to_string();
        for old in ["2379", "2380", "2381", "etcd-main", "ha-x7\"", "advertise-client-urls\":"] {
            assert!(!text.contains(old) || old == "ha-x7\"" && !text.contains("=ha-x7"), "{old}: {text}");
        }
        for new in [
            "--listen-client-urls=https://127.0.0.1:4002,https://10.0.0.1:4002",
            "--listen-peer-urls=https://10.0.0.1:2382",
            "--advertise-client-urls=https://a.etcd.internal.ha.example.com:4002",
            "b=https://b.etcd.internal.ha.example.com:2382",
            "--initial-cluster-token=events-x7",
            "--data-dir=/mnt/etcd-events/etcd",
            "\"containerPort\":2383",
        ] {
            assert!(text.contains(new), "{new}: {text}");
        }
        assert_eq!(pod["metadata"]["name"], "etcd-events");
        assert!(manifest(&json!({"spec": {}}), &main, &events, "a", &Start::New).is_err());
    }
}
