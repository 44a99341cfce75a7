//! Clouds to try things on, faults to try them with, and the contract of [`Cloud`](crate::cloud::Cloud) as
//! code.
//!
//! - [`MemoryCloud`] is a whole cloud in memory, or in a file: what examples and embedders' tests run on.
//! - [`Saboteur`] stands in front of any cloud and makes its calls fail, get lost, or never return.
//! - [`FaultyStore`] is a state store whose next writes fail as scripted.
//! - [`FastClock`] lets the pauses of a cloud pass quickly, before an emulator.
//! - [`Chaos`] decides by a seed which calls that happens to; a closure of your own decides as you like.
//!
//! Plan and apply read no clock but the cloud's, so a test that starts with tokio's time paused waits for
//! nothing: hours of settling pass as soon as nobody has anything else to do.

mod clock;
pub mod conformance;
mod fault;
mod faulty_store;
mod memory;
mod saboteur;
mod tap;

pub use clock::FastClock;
pub use fault::{Call, Chaos, Fault, Op};
pub use faulty_store::{FaultyStore, StoreFault};
pub use memory::{Latencies, MemoryCloud, MemoryCloudBuilder, MemoryKind, MemoryObject, World};
pub use saboteur::Saboteur;
pub use tap::Calls;
