//! [`kops_core`] on OpenStack.
//!
//! [`Openstack::builder`] connects. The rest of this page describes properties of OpenStack's APIs on which
//! the kinds of this crate depend.
//!
//! # Which calls can be repeated
//!
//! No call takes a token, and hardly any rejects a name that is taken: two networks, servers or load
//! balancers may have the same name. Therefore every creating call records owner and task in the object
//! ([tags, metadata or description](#ownership)), and the engine looks before it repeats a call. Duplicate
//! key pairs (unique name per user) and record sets (unique name and type per zone) are rejected; router
//! interfaces, listeners and security group rules have one place each.
//!
//! # Ownership
//!
//! Networking and load balancing have tags, Compute and Block Storage metadata, DNS a description. Server
//! groups only have a name, key pairs only the comment of the key. Networking does not accept tags in the
//! creating call; the description, which it accepts, contains the same information.
//!
//! # What listings omit
//!
//! | listing | omits | available from |
//! |---|---|---|
//! | servers | user data (returned to administrators only) | a digest of it in the metadata |
//! | servers on volumes | the image | the metadata |
//! | pools | addresses and ports of members | the status of the load balancer, one call each |
//!
//! Listings of Networking are those of the whole project, one for each kind, however many objects a cluster
//! has: neither tags nor descriptions alone would find an object whose tags were about to be set when a run
//! was killed.
//!
//! # Instance groups
//!
//! An instance group is a number of servers, its minimum size, each with a port of its own, in one server
//! group; OpenStack does not create or replace servers by itself. A plan that is applied creates servers that
//! are missing, and replaces servers that failed or that differ from what the group would create today.
//!
//! # What machines log in with
//!
//! Servers have no identity. In a cluster whose state store is in Swift, their user data has URLs that are signed when a
//! server is created ([`TempUrlKey`](kinds::TempUrlKey)) and end a day later; by one of them a control plane reads an
//! [`ApplicationCredential`](kinds::ApplicationCredential) that is confined to what it does.
//!
//! # Permissions
//!
//! The permissions of a role are in the policy files of each service, and no call returns them. What can be
//! read and written are the access rules of an application credential: the only calls that it allows
//! ([`Cloud::permissions`](kops_core::cloud::Cloud::permissions)).

#![cfg_attr(docsrs, feature(doc_cfg))]

mod access_rules;
mod actions;
mod builder;
mod clients;
mod cloud;
#[cfg(feature = "cluster")]
mod cluster;
mod error;
#[cfg(test)]
mod error_tests;
pub mod extensions;
pub mod kinds;
mod limits;
mod lower;
mod machines;
mod names;
mod permissions;
mod store;
mod tags;
mod temp_url;

pub use access_rules::AccessRule;
pub use builder::OpenstackBuilder;
pub use cloud::Openstack;
#[cfg(feature = "cluster")]
pub use cluster::OpenstackDialect;
pub use store::{SwiftStore, SwiftStores};
pub use tags::{Metadata, Tags};
