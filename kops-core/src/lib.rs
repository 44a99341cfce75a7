//! Infrastructure as a graph of tasks: plan, apply, change and delete it on any cloud.
//!
//! ```text
//! your own code ─▶ TaskGraph ─lower─▶ TaskGraph ─┬─ observe ─▶ Snapshot ─┐
//!                  (agnostic)         (native)   └───────────────────────┴─ plan ─▶ Plan ─ apply ─▶ Report
//! ```
//!
//! - [`graph`]: tasks, references between them, and the checks of a graph.
//! - [`resource`]: the agnostic kinds, which every cloud supports.
//! - [`cloud`]: the contract that a provider implements. [`Engine`] works on any [`Cloud`](cloud::Cloud).
//! - [`plan`]: what would be changed and why, as a value: text, JSON, DOT, Mermaid.
//! - [`apply`]: carrying out a plan: options, events and the report.
//! - [`store`]: state stores for specifications, and the lease that excludes concurrent operations.
//! - `testing` (feature `testing`): an in-memory cloud, fault injection, and the conformance suite for providers.
//! - [`guide`]: how to write a provider.
//!
//! # Example
//!
//! The cloud itself is the state: there is no state file to lose. Running a program again does what remains to be
//! done, also after a crash.
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
//! // The journal records the creation of objects that could not be found again otherwise. In production, use one in
//! // a state store.
//! let engine = Engine::new(Arc::new(MemoryCloud::new()), Scope::new("shop")).journal(Arc::new(Journal::in_memory()));
//! let plan = engine.plan(&graph).await?;
//! assert_eq!(plan.headline(), "shop on memory: 2 to create; 0 unchanged.");
//! engine.apply(&plan).await?.into_result()?;
//! assert!(engine.plan(&graph).await?.is_empty());
//!
//! // To delete everything, plan the empty graph.
//! let plan = engine.plan(&TaskGraph::default()).await?;
//! engine.apply(&plan).await?.into_result()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # Guarantees
//!
//! - A run that was killed or throttled, or that lost a response, can be repeated, and creates nothing twice; see
//!   [`cloud::IdentityClass`] for how this works for each kind.
//! - Objects that a [`Scope`](cloud::Scope) does not own are never changed or deleted.
//! - [`Engine::apply`] does exactly what the plan says, or nothing: a stale plan is rejected.
//! - A failure stops only the steps that depend on it, and reports the task, the call, the cause and a hint
//!   ([`Error`]).
//! - Secrets ([`graph::Secret`]) never occur in plans, events, errors or `Debug` output.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod apply;
pub mod clock;
pub mod cloud;
mod digest;
mod domain;
mod engine;
mod error;
pub mod graph;
#[cfg_attr(
    not(feature = "testing"),
    allow(rustdoc::broken_intra_doc_links, reason = "links to the suite, which are then plain text")
)]
pub mod guide;
pub mod lower;
mod observe;
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
pub use plan::GraphOutputs;
pub use plan::Plan;
pub use policy::{Policy, Refusal};
pub use prefetch::Prefetch;
pub use retry::RetryPolicy;
pub use snapshot::Snapshot;

// Crates whose types occur in this crate's API, in the version it uses.
#[doc(no_inline)]
pub use async_trait::async_trait;
#[doc(no_inline)]
pub use futures_util::Stream;
#[doc(no_inline)]
pub use tokio_util::sync::CancellationToken;
#[doc(no_inline)]
pub use {ipnet, jiff, serde_json};
