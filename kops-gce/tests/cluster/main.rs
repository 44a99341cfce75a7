//! Networks, machines and whole clusters on the emulator: made, seen again, changed by hand, mended and deleted;
//! failures on the way; the contract of a cloud; and what a program needs first: a connection, permissions, a state
//! store.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

mod budget;
mod conformance;
mod connection;
mod gcs_store;
mod lab;
mod life;
mod machines;
mod members;
mod network;
mod on_emulator;
mod operations;
mod permissions;
mod site;
mod whole;
