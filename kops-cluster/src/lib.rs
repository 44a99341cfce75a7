//! Kubernetes clusters on [`kops_core`]: kOps' specifications, and the task graphs built from them.
//!
//! ```text
//! ClusterFiles ─ populate, validate ─ model ─▶ TaskGraph ─▶ kops_core::Engine
//! ```
//!
//! - [`spec`]: `kops.k8s.io` Cluster, InstanceGroup, SSHCredential and Keyset: reading, writing, versions, defaults,
//!   validation.
//! - [`model`]: from a specification to a graph of provider-agnostic tasks.
//! - [`pki`]: keysets and the certificates that they sign.
//! - [`kube`], [`kubeconfig`]: the Kubernetes API, and how it is reached.
//! - [`health`]: whether a cluster is healthy.
//! - [`registry`]: clusters in a state store, in kOps' layout.
//! - [`bundle`]: what a machine becomes, rendered from a specification.
//! - [`bootstrap`]: what machines run on first boot.
//! - [`extensions`]: the typed extensions that a cluster adds to agnostic tasks.
//! - [`cloud`]: what a cluster requires of a provider beyond [`Cloud`](kops_core::cloud::Cloud):
//!   [`ClusterCloud`].
//!
//! The most used items are re-exported here.
//!
//! ```
//! # #[cfg(feature = "testing")]
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! use std::sync::Arc;
//!
//! use kops_cluster::{ClusterFiles, NewCluster, cluster_graph, new_cluster};
//! use kops_core::Engine;
//! use kops_core::testing::MemoryCloud;
//!
//! let (cluster, instance_groups) = new_cluster(&NewCluster::new("demo.example.com", "memory").zones(["zone-1a"]))?;
//! let files = ClusterFiles::new(cluster, instance_groups, []);
//!
//! let cloud = Arc::new(MemoryCloud::new());
//! let desired = cluster_graph(&files, &*cloud)?;
//! let plan = Engine::new(cloud, desired.scope).plan(&desired.graph).await?;
//! assert!(plan.changes.iter().any(|change| change.task.as_str() == "InstanceGroup/nodes-zone-1a.demo.example.com"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod bootstrap;
pub mod bundle;
pub mod cloud;
pub mod extensions;
pub mod health;
pub mod kube;
pub mod kubeconfig;
pub mod model;
pub mod pki;
pub mod registry;
pub mod spec;
#[cfg(feature = "testing")]
pub mod testing;

pub use cloud::{ClusterCloud, with_existing_zones};
pub use model::{ClusterGraph, cluster_graph, cluster_graph_with, scope_of};
pub use spec::*;

// The crate whose types occur in this crate's API, in the version it uses.
#[doc(no_inline)]
pub use kops_node;
