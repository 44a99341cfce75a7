//! Clusters as a graph of tasks: planned, applied, changed and deleted on any cloud.

pub mod clock;
pub mod cloud;
pub mod cluster;
mod digest;
mod error;
pub mod graph;
pub mod resource;
mod snapshot;
pub mod store;

pub use error::{Error, ErrorKind, Result};
pub use snapshot::Snapshot;
