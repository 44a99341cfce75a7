//! Networks, machines and whole clusters on the emulator: made, seen again, changed by hand, mended and deleted;
//! failures on the way; the contract of a cloud; and what a program needs first: a connection, permissions, a state
//! store.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

mod adoption;
mod budget;
mod conformance;
mod connection;
mod controllers;
mod existing;
mod gcs_store;
mod lab;
mod life;
mod machines;
mod members;
mod network;
mod on_emulator;
mod operations;
mod permissions;
#[path = "../../../kops-core/tests/sources/public_futures.rs"]
mod public_futures;
mod send;
mod service;
mod site;
#[path = "../../../kops-core/tests/sources/mod.rs"]
mod sources;
mod whole;
