//! How objects tell whose they are.
//!
//! The tags are kOps' own, so that its tools, the cloud controllers and people know them, and one more that
//! says for which task an object was made.

use aws_sdk_ec2::types::Tag;

/// Tells the cluster. kOps, and the cloud controllers of Kubernetes before 1.6, look for it; it is the one
/// that EC2 listings filter by, and the one that IAM policies go by.
pub(crate) const CLUSTER: &str = "KubernetesCluster";

/// The tag that tells the cluster.
pub(crate) fn cluster(name: &str) -> Tag {
    Tag::builder().key(CLUSTER).value(name).build()
}
