//! [`kops_core`] on OpenStack.
//!
//! [`Openstack::builder`] connects. The rest of this page is what OpenStack's APIs are like, as far as the kinds of
//! this crate go by it.
//!
//! # Which calls can be repeated
//!
//! None takes a token, and hardly any refuses a name that is taken: two networks, servers or load balancers may be
//! called the same. So what protects is that every object says in the creating call whose it is and which task it was
//! made for ([tags, metadata or description](#how-objects-tell-whose-they-are)), and that the engine looks before it
//! repeats. Key pairs (one name a user) and record sets (one name and type a zone) are refused the second time; router
//! interfaces, listeners and security group rules have one place each.
//!
//! # How objects tell whose they are
//!
//! Networking and load balancing have tags, Compute and Block Storage metadata, DNS a description. Server groups
//! have but a name, key pairs but the comment of the key. Networking takes no tags in the creating call; the
//! description, which it takes, says the same.
//!
//! # What listings leave out
//!
//! | listing | lacks | which is had from |
//! |---|---|---|
//! | servers | user data (shown to administrators only) | a digest of it in the metadata |
//! | servers on volumes | the image | the metadata |
//! | pools | addresses and ports of members | the status of the load balancer, one call each |
//!
//! Listings of Networking are those of the whole project, one for each kind, whatever a cluster has: neither tags nor
//! descriptions alone would find an object whose tags were about to be set when a run was killed.
//!
//! # What an instance group is
//!
//! As many servers as its minimum says, each with a port of its own, in one server group; servers do not come by
//! themselves. A server that is missing is made, one that failed or is not what the group would make today is
//! replaced, when a plan is applied.
//!
//! # What credentials may do
//!
//! What a role allows is in the policy files of each service, and no call tells it. What can be told, and written, are
//! the access rules of an application credential: the only calls that it is good for
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

pub use builder::OpenstackBuilder;
pub use cloud::Openstack;
#[cfg(feature = "cluster")]
pub use cluster::OpenstackDialect;
pub use store::{SwiftStore, SwiftStores};
pub use tags::{Metadata, Tags};
