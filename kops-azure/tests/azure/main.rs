//! Azure, on the emulator: networks, machines, their life, and the contract of a cloud.

#![expect(clippy::unwrap_used, reason = "tests")]

mod adoption;
mod cluster;
mod conformance;
mod controllers;
mod existing;
mod lab;
mod life;
mod permissions;
#[path = "../../../kops-core/tests/sources/public_futures.rs"]
mod public_futures;
mod send;
mod service;
#[path = "../../../kops-core/tests/sources/mod.rs"]
mod sources;
mod store;
