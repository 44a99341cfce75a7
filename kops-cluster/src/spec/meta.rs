//! The metadata of all objects.

use std::collections::BTreeMap;

use super::schema::{Opaque, spec};

/// The label that assigns an instance group to its cluster.
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
        /// Annotations of tools. Some of OpenStack's settings are annotations.
        annotations: BTreeMap<String, String> => "annotations",
        /// When the object was created, as RFC 3339.
        creation_timestamp: Option<String> => "creationTimestamp",
        /// The number of times the specification was changed.
        generation: Option<i64> => "generation",
        /// The namespace, if a Kubernetes API stores the object.
        namespace: Option<String> => "namespace",
        /// The UID, if a Kubernetes API stores the object.
        uid: Option<String> => "uid",
        /// The version for conditional writes, if a store keeps one in the object.
        resource_version: Option<String> => "resourceVersion",
        /// The prefix of a name that a Kubernetes API generates.
        generate_name: Option<String> => "generateName",
        /// The path of the object in a Kubernetes API, in objects of older versions.
        self_link: Option<String> => "selfLink",
        /// The cluster in a federation, in objects of older versions.
        cluster_name: Option<String> => "clusterName",
        /// When the object is to be deleted, if a Kubernetes API stores it.
        deletion_timestamp: Option<String> => "deletionTimestamp",
        /// The time that is left to it then, in seconds.
        deletion_grace_period_seconds: Option<i64> => "deletionGracePeriodSeconds",
        /// Who has to agree to its deletion.
        finalizers: Option<Opaque> => "finalizers",
        /// The objects that it is deleted with.
        owner_references: Option<Opaque> => "ownerReferences",
        /// Who set which fields.
        managed_fields: Option<Opaque> => "managedFields",
    }
}

impl ObjectMeta {
    /// Metadata with a name.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// The cluster that the labels name.
    pub fn cluster(&self) -> Option<&str> {
        self.labels.get(CLUSTER_LABEL).map(String::as_str)
    }
}
