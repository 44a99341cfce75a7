//! Pods.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::node::{Condition, Metadata, read};
use super::query::ObjectQuery;
use kops_core::Result;

/// A pod: the fields that are used to validate a cluster and to drain a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pod {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The UID, which distinguishes this pod from earlier and later ones of the same name.
    pub uid: String,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// The deadline of its deletion, if it is being deleted.
    pub deleting: Option<Timestamp>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The node that it was assigned to.
    pub node: Option<String>,
    /// The priority class, for example `system-cluster-critical`.
    pub priority_class: String,
    /// Its owners, for example a DaemonSet.
    pub owner: Option<OwnerReference>,
    /// Whether it mirrors a static pod of its node, which cannot be evicted.
    pub mirror: bool,
    /// Whether it has data that is deleted with it (`emptyDir`).
    pub local_data: bool,
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub phase: String,
    /// Why it is in this phase.
    pub message: String,
    /// Conditions, for example `Ready`.
    pub conditions: Vec<Condition>,
    /// The containers that are not ready, and why, for example `CrashLoopBackOff`.
    pub unready: BTreeMap<String, String>,
}

/// An owner of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct OwnerReference {
    /// The kind, for example `ReplicaSet`.
    pub kind: String,
    /// The name.
    pub name: String,
}

impl Pod {
    /// Whether it is ready.
    pub fn is_ready(&self) -> bool {
        self.conditions.iter().any(|it| it.r#type == "Ready" && it.status == "True")
    }

    /// Whether it has finished, successfully or not.
    pub fn is_finished(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }

    /// Whether the cluster depends on it.
    pub fn is_critical(&self) -> bool {
        matches!(self.priority_class.as_str(), "system-cluster-critical" | "system-node-critical")
    }

    /// Reads a pod from its document.
    ///
    /// # Errors
    /// `Invalid` if it is not a pod.
    pub fn from_document(document: Value) -> Result<Self> {
        let Document { metadata: About { metadata, owner_references }, spec, status } =
            read(document, "pod")?;
        let mirror = metadata.annotations.contains_key("kubernetes.io/config.mirror");
        let unready = status.container_statuses.into_iter().filter(|it| !it.ready);
        Ok(Self {
            namespace: metadata.namespace,
            name: metadata.name,
            uid: metadata.uid,
            created: metadata.creation_timestamp,
            deleting: metadata.deletion_timestamp,
            labels: metadata.labels,
            node: spec.node_name,
            priority_class: spec.priority_class_name,
            owner: owner_references.into_iter().find(|it| it.controller).map(|it| it.owner),
            mirror,
            local_data: spec.volumes.iter().any(|it| it.get("emptyDir").is_some()),
            phase: status.phase,
            message: [status.message, status.reason]
                .into_iter()
                .find(|it| !it.is_empty())
                .unwrap_or_default(),
            conditions: status.conditions,
            unready: unready.map(|it| (it.name, it.state.why())).collect(),
        })
    }
}

/// A selection of pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PodQuery {
    /// The namespace; all by default.
    pub namespace: Option<String>,
    /// The node that they were assigned to; any by default.
    pub node: Option<String>,
}

impl PodQuery {
    /// All pods.
    pub fn all() -> Self {
        Self::default()
    }

    /// Those of a namespace.
    pub fn in_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Those on a node.
    pub fn on_node(mut self, node: impl Into<String>) -> Self {
        self.node = Some(node.into());
        self
    }

    pub(super) fn query(&self) -> ObjectQuery {
        let mut query = ObjectQuery::new("v1", "Pod");
        query.namespace.clone_from(&self.namespace);
        query.fields.extend(self.node.iter().map(|node| ("spec.nodeName".to_owned(), node.clone())));
        query
    }
}

#[derive(Deserialize)]
struct Document {
    metadata: About,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct About {
    #[serde(flatten)]
    metadata: Metadata,
    #[serde(default, rename = "ownerReferences")]
    owner_references: Vec<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(default)]
    controller: bool,
    #[serde(flatten)]
    owner: OwnerReference,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    node_name: Option<String>,
    priority_class_name: String,
    volumes: Vec<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    phase: String,
    reason: String,
    message: String,
    conditions: Vec<Condition>,
    container_statuses: Vec<Container>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Container {
    name: String,
    ready: bool,
    state: State,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct State {
    waiting: Option<Reason>,
    terminated: Option<Reason>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reason {
    reason: String,
    message: String,
}

impl State {
    fn why(self) -> String {
        match self.waiting.or(self.terminated) {
            Some(Reason { reason, message }) if message.is_empty() => reason,
            Some(Reason { reason, message }) => format!("{reason}: {message}"),
            None => "not ready".to_owned(),
        }
    }
}
