//! What a cluster needs once for each version: roles, kube-proxy, CoreDNS, the bundle's objects. Any control
//! plane does it; it is idempotent and may run concurrently. The ConfigMap `kubeadm-config` is written last:
//! it indicates that everything else is done.

use serde_json::Value;

use crate::bundle::Bundle;
use crate::error::Result;
use crate::kube::Api;
use crate::kubeadm::{Kubeadm, rbac_objects};

/// The path of kubeadm's ConfigMap with the cluster's configuration.
const CONFIG: &str = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config";
const CONTROL_PLANES: &str = "/api/v1/nodes?labelSelector=node-role.kubernetes.io%2Fcontrol-plane";

pub(crate) fn work(
    bundle: &Bundle,
    kubeadm: &Kubeadm<'_>,
    api: &Api,
    event: &mut dyn FnMut(&str),
) -> Result<()> {
    let config = api.read(CONFIG)?;
    let current = config.as_ref().and_then(version);
    let versions: Vec<String> = api
        .list(CONTROL_PLANES)?
        .iter()
        .filter_map(|it| it["status"]["nodeInfo"]["kubeletVersion"].as_str().map(str::to_owned))
        .collect();
    let members = bundle.etcd.first().map_or(1, |it| it.members.len());
    if !due(current.as_deref(), &bundle.kubernetes_version, &versions, members) {
        return Ok(());
    }
    event(&format!("updating the cluster's add-ons to {}", bundle.kubernetes_version));
    for object in rbac_objects().iter().chain(&bundle.kubeadm.manifests) {
        api.apply(object)?;
    }
    kubeadm.phase(&["addon", "all"], Some("cluster"))?;
    kubeadm.phase(&["upload-config", "all"], Some("cluster"))
}

/// Whether the cluster has its configuration, which nodes read when they join.
pub(crate) fn begun(api: &Api) -> Result<bool> {
    Ok(api.read(CONFIG)?.is_some())
}

/// Whether this work is due: initially, and after an upgrade once every control plane runs at least this
/// version, because new nodes read it.
pub fn due(current: Option<&str>, mine: &str, control_planes: &[String], members: usize) -> bool {
    match current {
        None => true,
        Some(current) => {
            number(current) < number(mine)
                && control_planes.len() >= members
                && control_planes.iter().all(|it| number(it) >= number(mine))
        }
    }
}

/// `v1.34.4` as numbers.
pub(super) fn number(version: &str) -> [u32; 3] {
    let mut parts = version.trim_start_matches('v').split(['.', '-', '+']).map(|it| it.parse().unwrap_or(0));
    [(); 3].map(|()| parts.next().unwrap_or(0))
}

fn version(config: &Value) -> Option<String> {
    let text = config["data"]["ClusterConfiguration"].as_str()?;
    let document: Value = serde_saphyr::from_str(text).ok()?;
    document["kubernetesVersion"].as_str().map(str::to_owned)
}
