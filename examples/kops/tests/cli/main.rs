//! The program as its users run it: on the in-memory cloud, and on each of the others as its tests have it.

#![expect(clippy::unwrap_used, reason = "a test can do no better")]

#[cfg(feature = "aws")]
mod aws;
#[cfg(any(feature = "aws", feature = "azure", feature = "gce", feature = "openstack"))]
mod clouds;
mod common;
mod left_out;
mod memory;
