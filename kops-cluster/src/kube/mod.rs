//! The Kubernetes API, as far as clusters are looked after through it.
//!
//! [`Kube`] is small and object-safe: objects are JSON documents, which are read, listed, applied, patched, deleted and
//! evicted. What is done to nodes and pods is on top of it, in [`KubeExt`], with types that have the fields that are
//! needed and no others. So every implementation, and every version of Kubernetes, is the same here.
//!
//! | implementation | where | what for |
//! |---|---|---|
//! | `KubeClient` | `kube::client`, feature `kube` | a real API server |
//! | `MemoryKube` | `testing`, feature `testing` | tests in virtual time |
//!
//! `testing::kube_conformance` runs the same checks on both.
//!
//! # Errors
//! | the API server | [`ErrorKind`](kops_core::ErrorKind) |
//! |---|---|
//! | cannot be reached, 5xx | `Unavailable`: the request may have been carried out |
//! | 401, or a certificate of another authority | `Unauthenticated` |
//! | 403 | `Denied` |
//! | 404 | `NotFound` |
//! | 409 | `Conflict`, `AlreadyExists` |
//! | 429 | `Throttled`, with the time after which to retry |
//! | 400, 422 | `Invalid` |
//!
//! That a PodDisruptionBudget does not allow an eviction is no error, but [`Eviction::Blocked`].

#[cfg(feature = "kube")]
pub mod client;
mod ext;
mod node;
mod pod;
mod query;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

pub use ext::KubeExt;
pub use node::{Condition, Node, NodeChange, Taint};
pub use pod::{Owner, Pod, PodQuery};
pub use query::{ObjectRef, Query};

use kops_core::Result;

/// The API of one cluster.
///
/// # Behavior
/// - Errors have the kinds of the [module's table](self).
/// - Throttled and failed calls are not retried: whoever looks after a cluster has a plan for it.
/// - If a future is dropped, its call may or may not have had an effect.
#[async_trait]
pub trait Kube: fmt::Debug + Send + Sync {
    /// The version of the API server, for example `v1.34.4`.
    async fn version(&self) -> Result<String>;

    /// The checks that the API server fails of those that tell whether it is ready; none if it is.
    async fn failing_checks(&self) -> Result<Vec<String>>;

    /// An object, if it exists.
    async fn get(&self, object: &ObjectRef) -> Result<Option<Value>>;

    /// All objects that a query selects, whatever number of pages that takes.
    async fn list(&self, query: &Query) -> Result<Vec<Value>>;

    /// Applies a document server-side, and returns the object as it is then.
    ///
    /// # Behavior
    /// - `manager` owns the fields of the document; fields that it applied before and does not any more are removed,
    ///   unless somebody else owns them.
    /// - A field that another manager set to another value is a `Conflict`, unless `force` is set.
    async fn apply(&self, document: &Value, manager: &str, force: bool) -> Result<Value>;

    /// Merges a patch (RFC 7396) into an object, and returns the object as it is then.
    ///
    /// # Behavior
    /// - If the patch has `metadata.resourceVersion`, and the object another one, it is a `Conflict`.
    async fn patch(&self, object: &ObjectRef, patch: &Value) -> Result<Value>;

    /// Deletes an object; with `uid` only that one, not another of the same name.
    ///
    /// # Behavior
    /// - An object that does not exist is not an error; one with another `uid` is a `Conflict`.
    async fn delete(&self, object: &ObjectRef, uid: Option<&str>) -> Result<()>;

    /// Asks to evict a pod, with its own grace period unless another one is given.
    async fn evict(&self, namespace: &str, pod: &str, grace: Option<Duration>) -> Result<Eviction>;
}

/// The result of asking to evict a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Eviction {
    /// The pod is going, or gone.
    Accepted,
    /// A PodDisruptionBudget does not allow it now.
    Blocked {
        /// What the API server says.
        reason: String,
    },
}
