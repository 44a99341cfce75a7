//! [`kops_core`] on Microsoft Azure.
//!
//! [`Azure::builder`] connects. The rest of this page is what Azure Resource Manager is like, as far as the kinds of
//! this crate go by it.
//!
//! # Which calls can be repeated
//! All that make: a resource has the name that the caller gives it, and PUT to a name makes it or replaces what is
//! there. What protects against replacing somebody else's:
//!
//! | resources | what protects |
//! |---|---|
//! | DNS zones, record sets, links, scale sets | `If-None-Match: *` |
//! | role assignments | Azure refuses to change one; the name is a GUID that follows from scope and task |
//! | all others | a look before the first write: a window of one round trip remains |
//!
//! # What answers leave out
//! | resource | lacks | what is done |
//! |---|---|---|
//! | scale sets | custom data | a digest of it is in a tag |
//! | subnets, routes, security rules | tags | they go with what they are in, and by their names |
//! | role assignments | tags | a mark in the description |
//! | record sets | tags | metadata |
//!
//! # Long operations
//! PUT and DELETE return when they are accepted. Readiness is `provisioningState` in the listings, and a failed
//! operation is asked once for the reason. Azure does one operation on a resource at a time and answers others with a
//! conflict, which is repeated.
//!
//! # Resource groups
//! All objects of a scope are in one, of its own or of somebody else's; see [`AzureBuilder`]. One of its own is not
//! deleted while it holds anything that is not the scope's.

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
