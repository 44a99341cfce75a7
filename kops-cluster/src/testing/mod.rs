//! An API of Kubernetes for tests, and the conformance suite of [`Kube`](crate::kube::Kube).
//!
//! - [`MemoryKube`] has objects in memory, in which a test puts whatever a cluster should look like. It runs no
//!   controllers.
//! - [`kube_conformance`] checks that an implementation does what the trait says.

mod conformance;
mod fields;
mod memory_kube;

pub use conformance::kube_conformance;
pub use memory_kube::MemoryKube;
