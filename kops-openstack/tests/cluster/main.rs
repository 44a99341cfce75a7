//! Clusters as users specify them, on a real OpenStack.

#![expect(clippy::unwrap_used, reason = "a test can do no better")]

mod conformance;
mod controllers;
mod existing;
mod faults;
mod fleet;
mod lab;
mod life;
mod machines;
mod outage;
mod permissions;
#[path = "../../../kops-core/tests/sources/public_futures.rs"]
mod public_futures;
mod send;
mod service;
#[path = "../../../kops-core/tests/sources/mod.rs"]
mod sources;
mod store;
