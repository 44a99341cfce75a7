//! Nodes: labels that a kubelet may not set itself, and Nodes whose machine is gone.

use serde_json::{Map, Value, json};

use super::Pass;
use crate::error::Result;
use crate::kube::is_ready;

const NODES: &str = "/api/v1/nodes";
/// The label with a Node's instance group, one of those that every group has.
const GROUP: &str = "kops.k8s.io/instancegroup";

/// Sets the labels of each group on its Nodes, on all that lack any at once.
pub(super) fn label(pass: &Pass<'_>) -> Result<Option<String>> {
    let groups = pass.groups()?;
    let mut changed = Vec::new();
    for node in pass.api.list(NODES)? {
        let name = node["metadata"]["name"].as_str().unwrap_or_default();
        let has = &node["metadata"]["labels"];
        // Kubelets may not set this one, so it is trustworthy, and the cloud does not have to be queried
        // every minute.
        let group = match has[GROUP].as_str() {
            Some(group) => Some(group),
            None => pass.machines()?.iter().find(|it| it.node_name == name).map(|it| it.group.as_str()),
        };
        let Some(wanted) = group.and_then(|it| groups.groups.get(it)) else { continue };
        let missing: Map<String, Value> = wanted
            .labels
            .iter()
            .filter(|(key, value)| has[key.as_str()] != **value)
            .map(|(key, value)| (key.clone(), value.clone().into()))
            .collect();
        if !missing.is_empty() {
            pass.api.patch(&format!("{NODES}/{name}"), &json!({"metadata": {"labels": missing}}))?;
            changed.push(name.to_owned());
        }
    }
    Ok((!changed.is_empty()).then(|| format!("labels set on {}", changed.join(", "))))
}

/// Deletes one Node that is not Ready and whose machine the cloud does not list. (The cloud's controller does
/// so, too, if there is one.)
pub(super) fn forget(pass: &Pass<'_>) -> Result<Option<String>> {
    for node in pass.api.list(NODES)? {
        let name = node["metadata"]["name"].as_str().unwrap_or_default();
        if !is_ready(&node) && !pass.machines()?.iter().any(|it| it.node_name == name) {
            pass.api.delete(&format!("{NODES}/{name}"))?;
            return Ok(Some(format!("Node {name} deleted: its machine is gone")));
        }
    }
    Ok(None)
}
