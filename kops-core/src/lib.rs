//! Clusters as a graph of tasks: planned, applied, changed and deleted on any cloud.

pub mod clock;
mod error;

pub use error::{Error, ErrorKind, Result};
