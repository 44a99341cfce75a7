//! The part of the Kubernetes API that is used to manage clusters.
//!
//! [`Kube`] is small and object-safe: objects are JSON documents, which are read, listed, applied, patched,
//! deleted and evicted. [`KubeExt`] adds operations on nodes and pods, with types that only have the required
//! fields. So all implementations and all versions of Kubernetes are the same here.
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
//! | cannot be reached, 5xx | `Unavailable`: the request may have had an effect |
//! | 401, or a certificate of another authority | `Unauthenticated` |
//! | 403 | `Denied` |
//! | 404 | `NotFound` |
//! | 409 | `Conflict`, `AlreadyExists` |
//! | 429 | `Throttled`, with the time after which to retry |
//! | 400, 422 | `Invalid` |
//!
//! An eviction that a PodDisruptionBudget does not allow is not an error, but [`Eviction::Blocked`].

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
pub use node::{Condition, Node, NodeChange, NodeTaint};
pub use pod::{OwnerReference, Pod, PodQuery};
pub use query::{ObjectQuery, ObjectRef};

use kops_core::Result;

/// The API of one cluster.
///
/// # Behavior
/// - Errors have the kinds of the [module's table](self).
/// - Throttled and failed calls are not retried: that is up to the caller.
/// - If a future is dropped, its call may or may not have had an effect.
#[async_trait]
pub trait Kube: fmt::Debug + Send + Sync {
    /// The version of the API server, for example `v1.34.4`.
    async fn version(&self) -> Result<String>;

    /// The readiness checks that the API server fails; empty if it is ready.
    async fn failing_checks(&self) -> Result<Vec<String>>;

    /// An object, if it exists.
    async fn get(&self, object: &ObjectRef) -> Result<Option<Value>>;

    /// All objects that a query selects, from all pages.
    async fn list(&self, query: &ObjectQuery) -> Result<Vec<Value>>;

    /// Applies a document server-side, and returns the resulting object.
    ///
    /// # Behavior
    /// - `manager` owns the fields of the document; fields that it applied before but no longer contains are
    ///   removed, unless another manager owns them.
    /// - A field that another manager set to another value is a `Conflict`, unless `force` is set.
    async fn apply(&self, document: &Value, manager: &str, force: bool) -> Result<Value>;

    /// Merges a patch (RFC 7396) into an object, and returns the resulting object.
    ///
    /// # Behavior
    /// - If the patch has a `metadata.resourceVersion` that differs from the object's, the error is a
    ///   `Conflict`.
    async fn patch(&self, object: &ObjectRef, patch: &Value) -> Result<Value>;

    /// Deletes an object; with `uid` only that one, not another of the same name.
    ///
    /// # Behavior
    /// - An object that does not exist is not an error; one with another `uid` is a `Conflict`.
    async fn delete(&self, object: &ObjectRef, uid: Option<&str>) -> Result<()>;

    /// Requests the eviction of a pod, with its own grace period unless another one is specified.
    async fn evict(&self, namespace: &str, pod: &str, grace: Option<Duration>) -> Result<Eviction>;
}

/// The result of requesting an eviction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Eviction {
    /// The pod is being deleted, or is gone.
    Accepted,
    /// A PodDisruptionBudget currently does not allow it.
    Blocked {
        /// The API server's message.
        reason: String,
    },
}
