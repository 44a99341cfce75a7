//! [`kops_core`] on Microsoft Azure.
//!
//! [`Azure::builder`] connects. The rest of this page describes properties of Azure Resource Manager on which
//! the kinds of this crate depend.
//!
//! # Which calls can be repeated
//! All creating calls: the caller chooses the name of a resource, and PUT to a name creates the resource or
//! replaces the existing one. What prevents replacing a foreign resource:
//!
//! | resources | protection |
//! |---|---|
//! | DNS zones, record sets, links, scale sets | `If-None-Match: *` |
//! | role assignments | Azure rejects changes; the name is a GUID derived from scope and task |
//! | all others | a read before the first write: a window of one round trip remains |
//!
//! # What responses omit
//! | resource | omits | workaround |
//! |---|---|---|
//! | scale sets | custom data | a digest of it is in a tag |
//! | subnets, routes, security rules | tags | ownership follows from the containing resource, and from their names |
//! | role assignments | tags | a mark in the description |
//! | record sets | tags | metadata |
//!
//! # Long operations
//! PUT and DELETE return when they are accepted. Readiness is `provisioningState` in the listings; the reason
//! of a failed operation is read once. Azure performs one operation on a resource at a time and answers
//! others with a conflict, which is retried.
//!
//! # Resource groups
//! All objects of a scope are in one, its own or a shared one; see [`AzureBuilder`]. Its own is not deleted
//! while it contains anything that the scope does not own.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod actions;
mod builder;
mod clients;
mod cloud;
#[cfg(feature = "cluster")]
mod cluster;
mod error;
pub mod extensions;
mod ids;
pub mod kinds;
mod limits;
mod lower;
mod machines;
mod names;
mod permissions;
mod store;
mod tags;
mod wire;

pub use builder::AzureBuilder;
pub use cloud::Azure;
#[cfg(feature = "cluster")]
pub use cluster::AzureDialect;
pub use store::{BlobStore, BlobStores};

// The crate whose types occur in this crate's API, in the version it uses.
#[doc(no_inline)]
pub use azure_core;
