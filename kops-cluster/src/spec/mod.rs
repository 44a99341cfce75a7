//! Cluster specifications: `kops.k8s.io` Cluster, InstanceGroup, SSHCredential and Keyset.
//!
//! A specification is read from YAML ([`Manifest`]), written back ([`write_manifest`]), changed by path and
//! validated; [`Problems`] hold everything that is wrong, each problem with its path, line and fix.
//!
//! ```
//! use kops_cluster::{Cluster, Mode, ApiObject};
//!
//! let text = "\
//! apiVersion: kops.k8s.io/v1alpha2
//! kind: Cluster
//! metadata:
//!   name: demo.example.com
//! spec:
//!   cloudProvider: aws
//!   networkCIDR: 172.20.0.0/16
//! ";
//! let (cluster, _warnings) = Cluster::from_yaml(text, Mode::Strict)?;
//! // The types group the network settings; documents are written as kOps writes them.
//! assert_eq!(cluster.spec.networking.network_cidr, Some("172.20.0.0/16".parse().unwrap()));
//! assert_eq!(cluster.to_yaml()?, text);
//! # Ok::<(), kops_core::Error>(())
//! ```

mod additional;
mod address;
mod create;
mod dead;
pub mod defaults;
mod duration;
mod existing;
mod files;
mod manifest;
mod meta;
mod object;
mod path;
mod problem;
pub mod schema;
mod set;
pub(crate) mod ssh;
pub mod types;
mod validate;
pub(crate) mod version;
mod yaml;

pub use additional::AdditionalObject;
pub use create::{NewCluster, TopologyKind, new_cluster};
pub use defaults::populate;
pub use duration::GoDuration;
pub use existing::{ExistingNetwork, ExistingSubnet};
pub use files::ClusterFiles;
pub use manifest::{Manifest, ManifestDocument, Mode, write_manifest};
pub use meta::{CLUSTER_LABEL, INSTANCE_GROUP_LABEL, ObjectMeta};
pub use object::{AnyObject, ApiObject};
pub use path::{Path, Segment};
pub use problem::{Location, Problem, ProblemKind, Problems, Severity};
pub use schema::{IntOrString, Opaque, Unknown};
pub use set::{set, unset};
pub use types::*;
pub use validate::validate;
pub use version::{ApiVersion, Kind};
