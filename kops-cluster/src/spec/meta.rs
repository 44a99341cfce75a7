//! The metadata that every object has.

use std::collections::BTreeMap;

use super::schema::spec;

/// The label that ties an instance group to its cluster.
pub const CLUSTER_LABEL: &str = "kops.k8s.io/cluster";

/// The label that names a machine's instance group, on nodes and in the cloud.
pub const INSTANCE_GROUP_LABEL: &str = "kops.k8s.io/instancegroup";

spec! {
    /// Name, labels and history of an object.
    pub struct ObjectMeta {
        /// The name; a cluster's is a DNS name.
        name: String => "name",
        /// Labels. An instance group's `kops.k8s.io/cluster` names its cluster.
        labels: BTreeMap<String, String> => "labels",
        /// Notes of tools. OpenStack's finer settings live here.
        annotations: BTreeMap<String, String> => "annotations",
        /// When the object was made, as RFC 3339.
        creation_timestamp: Option<String> => "creationTimestamp",
        /// How often the specification was changed.
        generation: Option<i64> => "generation",
        /// The namespace, where a Kubernetes API keeps the object.
        namespace: Option<String> => "namespace",
        /// The identity, where a Kubernetes API keeps the object.
        uid: Option<String> => "uid",
        /// The version for conditional writes, where a store keeps one in the object.
        resource_version: Option<String> => "resourceVersion",
    }
}

impl ObjectMeta {
    /// Metadata of an object of that name.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// The cluster that the labels name.
    pub fn cluster(&self) -> Option<&str> {
        self.labels.get(CLUSTER_LABEL).map(String::as_str)
    }
}
