//! [`kops_core`] on Google Cloud.
//!
//! [`Gce::builder`] connects. The rest of this page describes properties of Google's APIs on which the kinds
//! of this crate depend, in one place rather than in each of them.
//!
//! # Ownership
//!
//! Every object of Compute Engine has a description, set on creation and immutable, which carries the
//! [`Mark`](kops_core::cloud::Mark) of scope and task; service accounts and DNS zones have one as well. A
//! member of the project's policy is the scope's if its service account is; a DNS record has a companion TXT
//! record. Labels, where they exist, are for users and kOps' tools.
//!
//! # Which calls can be repeated
//!
//! Names are unique in their project, region or zone: the cloud rejects a second object with `alreadyExists`.
//! Calls of Compute Engine also take a `requestId`, for which the same request is [answered with the same
//! operation](https://cloud.google.com/compute/docs/reference/rest/v1/instances/insert).
//!
//! # Changes are operations
//!
//! A call of Compute Engine that changes something returns an operation, which continues after the response
//! and may still fail. Operations are read while the engine waits for their objects, with one listing for all
//! operations of a place; an object whose operation failed is returned as failed, with the operation's error.
//!
//! # Agnostic kinds without a counterpart
//!
//! | agnostic | here |
//! |---|---|
//! | firewall (a group of machines) | a network tag: it exists because it is set on machines |
//! | internet gateway | every network's default route |
//! | SSH key | a line in the metadata of machines |
//! | load balancer | an address, a health check, a backend service and a forwarding rule; it is a passthrough load balancer, so its firewall applies to the machines |
//! | subnets in zones | a subnetwork spans the zones of its region |
//! | instance group | a template, and a group manager in each zone; the size is distributed among them |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod actions;
mod builder;
mod clients;
mod cloud;
#[cfg(feature = "cluster")]
mod cluster;
mod error;
pub mod extensions;
pub mod kinds;
mod labels;
mod limits;
mod lower;
mod machines;
mod names;
mod operations;
mod paging;
mod path;
mod permissions;
mod store;

pub use builder::GceBuilder;
pub use cloud::Gce;
#[cfg(feature = "cluster")]
pub use cluster::GceDialect;
pub use store::{GcsStore, GcsStores};

// The crate whose types occur in this crate's API, in the version it uses.
#[doc(no_inline)]
pub use google_cloud_auth;
