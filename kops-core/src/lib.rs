//! Clusters as a graph of tasks: planned, applied, changed and deleted on any cloud.

pub mod apply;
pub mod bootstrap;
pub mod clock;
pub mod cloud;
pub mod cluster;
mod digest;
mod engine;
mod error;
pub mod graph;
mod observe;
pub mod plan;
pub mod resource;
mod retry;
mod snapshot;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use apply::Report;
pub use engine::Engine;
pub use error::{Error, ErrorKind, Result};
pub use plan::Plan;
pub use retry::RetryPolicy;
pub use snapshot::Snapshot;
