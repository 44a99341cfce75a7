//! [`kops_core`] on Google Cloud.
//!
//! [`Gce::builder`] connects. The rest of this page is what Google's APIs are like, as far as the kinds of this
//! crate go by it: facts that are not to be found again in each of them.
//!
//! # Whose an object is
//!
//! Everything of Compute Engine's has a description, given when it is made and never changed, which carries the
//! [`Mark`](kops_core::cloud::Mark) of scope and task; so have service accounts and zones of DNS. A member of the
//! project's policy is the scope's when its service account is; a DNS record has a TXT record beside it. Labels,
//! where there are any, are for people and for kOps' tools.
//!
//! # Which calls can be repeated
//!
//! Names are unique in their project, region or zone: the cloud refuses a second object with `alreadyExists`, and
//! calls of Compute Engine take a `requestId` beside, for which the same request is
//! [answered with the same operation](https://cloud.google.com/compute/docs/reference/rest/v1/instances/insert).
//!
//! # Changes are operations
//!
//! A call of Compute Engine's that changes something is answered with an operation that goes on after the answer
//! and that may yet end in an error. It is looked at while the object is waited for, one listing for all of
//! a place; an object whose operation failed is shown as failed, with the operation's reason.
//!
//! # What is not there
//!
//! | agnostic | here |
//! |---|---|
//! | firewall (a group of machines) | a network tag: it exists by being put on machines |
//! | internet gateway | every network's default route |
//! | SSH key | a line in the metadata of machines |
//! | load balancer | an address, a health check, a backend service and a forwarding rule; connections pass through to the machines, so its firewall is around those |
//! | subnets in zones | a subnetwork spans the zones of its region |
//! | instance group | a template, and a group manager in each zone; the size is divided among them |

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
