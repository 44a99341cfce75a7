//! Azure, on the emulator: networks, machines, their life, and the contract of a cloud.

#![expect(clippy::unwrap_used, reason = "tests")]

mod cluster;
mod conformance;
mod lab;
mod life;
mod permissions;
mod store;
