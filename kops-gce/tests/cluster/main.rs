//! Networks, machines and whole clusters on the emulator: made, seen again, changed by hand, mended and deleted;
//! failures on the way; and the contract of a cloud.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

mod budget;
mod conformance;
mod lab;
mod life;
mod machines;
mod members;
mod network;
mod on_emulator;
mod operations;
mod site;
mod whole;
