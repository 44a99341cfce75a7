//! What a program needs first, on the emulator: a connection, permissions, a state store; and the harness of all these
//! tests.

#![expect(clippy::unwrap_used, reason = "tests")]

mod connection;
mod harness;
mod permissions;
#[path = "../../../kops-core/tests/sources/public_futures.rs"]
mod public_futures;
mod s3_store;
mod send;
#[path = "../../../kops-core/tests/sources/mod.rs"]
mod sources;
