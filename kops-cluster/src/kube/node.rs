//! Nodes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use kops_core::{Error, Result};

/// A node: the fields that are used to validate a cluster and to replace its machines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Node {
    /// The name.
    pub name: String,
    /// The UID, which distinguishes this node from earlier and later ones of the same name.
    pub uid: String,
    /// The version for conditional changes.
    pub resource_version: String,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// The machine, as the cloud's controllers name it, for example `aws:///us-east-1a/i-0123456789abcdef0`.
    pub provider_id: Option<String>,
    /// Whether it is cordoned.
    pub unschedulable: bool,
    /// Taints.
    pub taints: Vec<NodeTaint>,
    /// Conditions, for example `Ready`.
    pub conditions: Vec<Condition>,
    /// The addresses by type, for example `InternalIP`.
    pub addresses: Vec<(String, String)>,
    /// The version of its kubelet, for example `v1.34.4`.
    pub kubelet_version: String,
}

/// A taint of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[non_exhaustive]
pub struct NodeTaint {
    /// The key.
    pub key: String,
    /// The value.
    #[serde(default)]
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

impl NodeTaint {
    /// A taint.
    pub fn new(key: impl Into<String>, value: impl Into<String>, effect: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into(), effect: effect.into() }
    }
}

/// A condition of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Condition {
    /// The type, for example `Ready`.
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// The reason, as a single word.
    pub reason: String,
    /// The reason, as text.
    pub message: String,
    /// Since when.
    pub last_transition_time: Option<Timestamp>,
}

impl Node {
    /// The condition of a type.
    pub fn condition(&self, r#type: &str) -> Option<&Condition> {
        self.conditions.iter().find(|it| it.r#type == r#type)
    }

    /// Whether it is ready for pods.
    pub fn is_ready(&self) -> bool {
        self.condition("Ready").is_some_and(|it| it.status == "True")
    }

    /// Whether it is of the control plane.
    pub fn is_control_plane(&self) -> bool {
        self.labels.contains_key("node-role.kubernetes.io/control-plane")
    }

    /// The addresses of a type, for example `InternalIP`.
    pub fn addresses_of<'a>(&'a self, r#type: &'a str) -> impl Iterator<Item = &'a str> {
        self.addresses.iter().filter(move |(it, _)| it == r#type).map(|(_, address)| address.as_str())
    }

    /// Reads a node from its document.
    ///
    /// # Errors
    /// `Invalid` if it is not a node.
    pub fn from_document(document: Value) -> Result<Self> {
        let document: Document = read(document, "node")?;
        let Document { metadata, spec, status } = document;
        Ok(Self {
            name: metadata.name,
            uid: metadata.uid,
            resource_version: metadata.resource_version,
            created: metadata.creation_timestamp,
            labels: metadata.labels,
            annotations: metadata.annotations,
            provider_id: spec.provider_id,
            unschedulable: spec.unschedulable,
            taints: spec.taints,
            conditions: status.conditions,
            addresses: status.addresses.into_iter().map(|it| (it.r#type, it.address)).collect(),
            kubelet_version: status.node_info.kubelet_version,
        })
    }
}

/// A change of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeChange {
    /// Cordons or uncordons it.
    pub unschedulable: Option<bool>,
    /// Labels to set, or to remove.
    pub labels: BTreeMap<String, Option<String>>,
    /// Annotations to set, or to remove.
    pub annotations: BTreeMap<String, Option<String>>,
    /// Taints to add, in place of others of the same key and effect.
    pub add_taints: Vec<NodeTaint>,
    /// The keys of taints to remove.
    pub remove_taints: Vec<String>,
}

impl NodeChange {
    /// No change.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cordons it: no further pods are scheduled to it.
    pub fn cordon(mut self) -> Self {
        self.unschedulable = Some(true);
        self
    }

    /// Uncordons it: pods may be scheduled to it again.
    pub fn uncordon(mut self) -> Self {
        self.unschedulable = Some(false);
        self
    }

    /// Sets a label.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), Some(value.into()));
        self
    }

    /// Removes a label.
    pub fn remove_label(mut self, key: impl Into<String>) -> Self {
        self.labels.insert(key.into(), None);
        self
    }

    /// Sets an annotation.
    pub fn annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(key.into(), Some(value.into()));
        self
    }

    /// Removes an annotation.
    pub fn remove_annotation(mut self, key: impl Into<String>) -> Self {
        self.annotations.insert(key.into(), None);
        self
    }

    /// Adds a taint.
    pub fn taint(mut self, taint: NodeTaint) -> Self {
        self.add_taints.push(taint);
        self
    }

    /// Removes all taints of a key.
    pub fn remove_taint(mut self, key: impl Into<String>) -> Self {
        self.remove_taints.push(key.into());
        self
    }

    /// The patch of a node; `None` if the node already matches.
    pub(super) fn patch(&self, node: &Node) -> Option<Value> {
        let (mut metadata, mut spec) = (Map::new(), Map::new());
        if let Some(wanted) = self.unschedulable
            && wanted != node.unschedulable
        {
            // Absent means false, and is how the API server itself writes it.
            spec.insert("unschedulable".to_owned(), if wanted { json!(true) } else { Value::Null });
        }
        for (field, wanted, known) in
            [("labels", &self.labels, &node.labels), ("annotations", &self.annotations, &node.annotations)]
        {
            let differing = wanted.iter().filter(|(key, value)| known.get(*key) != value.as_ref());
            let differing: BTreeMap<_, _> = differing.collect();
            if !differing.is_empty() {
                metadata.insert(field.to_owned(), json!(differing));
            }
        }
        let taints = self.taints(node);
        if taints != node.taints {
            let document = |it: &NodeTaint| match it.value.as_str() {
                "" => json!({"key": it.key, "effect": it.effect}),
                value => json!({"key": it.key, "effect": it.effect, "value": value}),
            };
            spec.insert("taints".to_owned(), taints.iter().map(document).collect());
            // The list is replaced as a whole: it must not have changed since.
            metadata.insert("resourceVersion".to_owned(), json!(node.resource_version));
        }
        let changed = !metadata.is_empty() || !spec.is_empty();
        changed.then(|| json!({"metadata": metadata, "spec": spec}))
    }

    fn taints(&self, node: &Node) -> Vec<NodeTaint> {
        let replaced = |it: &NodeTaint| {
            self.remove_taints.contains(&it.key)
                || self
                    .add_taints
                    .iter()
                    .any(|new| (&new.key, &new.effect) == (&it.key, &it.effect) && new != it)
        };
        let mut taints: Vec<NodeTaint> = node.taints.iter().filter(|it| !replaced(it)).cloned().collect();
        for taint in &self.add_taints {
            if !taints.contains(taint) {
                taints.push(taint.clone());
            }
        }
        taints
    }
}

#[derive(Deserialize)]
struct Document {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

/// The metadata of any object.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) uid: String,
    pub(super) resource_version: String,
    pub(super) creation_timestamp: Option<Timestamp>,
    pub(super) deletion_timestamp: Option<Timestamp>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    #[serde(rename = "providerID")]
    provider_id: Option<String>,
    unschedulable: bool,
    taints: Vec<NodeTaint>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    conditions: Vec<Condition>,
    addresses: Vec<Address>,
    node_info: NodeInfo,
}

#[derive(Deserialize)]
struct Address {
    r#type: String,
    address: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct NodeInfo {
    kubelet_version: String,
}

/// Reads the document of an object.
pub(super) fn read<T: serde::de::DeserializeOwned>(document: Value, kind: &str) -> Result<T> {
    serde_json::from_value(document).map_err(|error| {
        Error::invalid(format!("the Kubernetes API returned a {kind} that cannot be read")).with_source(error)
    })
}
