//! What a program needs first, on the emulator: a connection, permissions, a state store; and the harness of all these
//! tests.

#![expect(clippy::unwrap_used, reason = "tests")]

mod connection;
mod harness;
mod permissions;
mod s3_store;
