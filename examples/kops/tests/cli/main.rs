//! The program as its users run it: on the embedded cloud, and on each of the others as its tests have it.

#![expect(clippy::unwrap_used, reason = "a test can do no better")]

mod aws;
mod clouds;
mod common;
mod memory;
