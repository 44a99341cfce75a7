//! Infrastructure as a graph of tasks: planned, applied, changed and deleted on any cloud.
//!
//! ```text
//! your own code ─▶ TaskGraph ─lower─▶ TaskGraph ─┬─ observe ─▶ Snapshot ─┐
//!                  (agnostic)         (native)   └───────────────────────┴─ plan ─▶ Plan ─ apply ─▶ Report
//! ```
//!
//! - [`graph`]: tasks, the references between them, and the checks of the whole.
//! - [`resource`]: what a kind of objects is, and the kinds that every cloud has.
//! - [`cloud`]: what a provider implements. [`Engine`] works on any [`Cloud`](cloud::Cloud).
//! - [`plan`]: what would be done and why, as a value: text, JSON, DOT, Mermaid.
//! - [`apply`]: how it is done, and what came of it.
//! - [`store`]: where specifications live, and the lease that keeps a second operator out.
//! - `testing` (feature `testing`): a cloud in memory, faults, and the conformance suite for providers.
//! - [`guide`]: how to write a provider.
//!
//! # A program
//!
//! The cloud is the state: there is no state file to lose. Running a program again does what is still to do,
//! after a crash as well.
//!
//! ```
//! # #[cfg(feature = "testing")]
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! use std::sync::Arc;
//!
//! use kops_core::Engine;
//! use kops_core::cloud::Scope;
//! use kops_core::graph::TaskGraph;
//! use kops_core::resource::{Network, Subnet};
//! use kops_core::store::Journal;
//! use kops_core::testing::MemoryCloud;
//!
//! let mut graph = TaskGraph::builder();
//! let network = graph.add("shop", Network::new(["10.0.0.0/16".parse()?]));
//! graph.add("front", Subnet::new(network.id(), "10.0.1.0/24".parse()?).zone("zone-a"));
//! let graph = graph.build()?;
//!
//! // The journal remembers what was about to be made, for kinds that could not be found again otherwise; where
//! // a process may die it is kept in a state store.
//! let engine = Engine::new(Arc::new(MemoryCloud::new()), Scope::new("shop")).journal(Arc::new(Journal::in_memory()));
//! let plan = engine.plan(&graph).await?;
//! assert_eq!(plan.headline(), "shop on memory: 2 to create; 0 unchanged.");
//! engine.apply(&plan).await?.into_result()?;
//! assert!(engine.plan(&graph).await?.is_empty());
//!
//! // To delete is to plan for nothing.
//! let plan = engine.plan(&TaskGraph::default()).await?;
//! engine.apply(&plan).await?.into_result()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # What to rely on
//!
//! - A run that was killed, throttled, or lost an answer is repeated, and makes nothing twice; see
//!   [`cloud::IdentityClass`] for how each kind of objects does it.
//! - What a [`Scope`](cloud::Scope) does not own is never changed and never deleted.
//! - [`Engine::apply`] does what the plan says or nothing: a plan that went stale is refused.
//! - A failure stops what depends on it and nothing else, and says the task, the call, the cause and what to
//!   do ([`Error`]).
//! - Secrets ([`graph::Secret`]) are in no plan, no event, no error and no `Debug`.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod apply;
pub mod clock;
pub mod cloud;
mod digest;
mod engine;
mod error;
pub mod graph;
#[cfg_attr(
    not(feature = "testing"),
    allow(rustdoc::broken_intra_doc_links, reason = "links to the suite, which then are plain words")
)]
pub mod guide;
pub mod lower;
mod observe;
mod outputs;
pub mod plan;
mod policy;
mod prefetch;
pub mod resource;
mod retry;
mod setters;
mod snapshot;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use apply::{Report, RunOptions};
pub use engine::Engine;
pub use error::{Error, ErrorKind, Result};
pub use outputs::GraphOutputs;
pub use plan::Plan;
pub use policy::{Policy, Refusal};
pub use prefetch::Prefetch;
pub use retry::RetryPolicy;
pub use snapshot::Snapshot;

// Crates whose types occur in this one's API, in the version that it takes.
#[doc(no_inline)]
pub use async_trait::async_trait;
#[doc(no_inline)]
pub use tokio_util::sync::CancellationToken;
#[doc(no_inline)]
pub use {ipnet, jiff, serde_json};
