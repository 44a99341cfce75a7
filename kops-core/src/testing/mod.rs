//! Clouds for tests, fault injection, and the conformance suite of [`Cloud`](crate::cloud::Cloud).
//!
//! - [`MemoryCloud`] is a complete cloud in memory, or in a file, for examples and tests of embedders.
//! - [`Saboteur`] wraps any cloud and makes calls fail, lose their response, or never return.
//! - [`FaultyStore`] is a state store with scripted faults.
//! - [`FastClock`] shortens the delays of a cloud when testing with an emulator.
//! - [`Chaos`] decides by a seed which calls have faults; alternatively, use a closure.
//!
//! Planning and applying use only the cloud's clock, so a test with tokio's paused clock needs no real time: hours of
//! waiting pass as soon as all tasks are idle.

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
