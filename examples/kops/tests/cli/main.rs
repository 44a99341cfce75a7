//! The program as its users run it: on the embedded cloud, and on AWS (the emulator moto).

#![expect(clippy::unwrap_used, reason = "a test can do no better")]

mod aws;
mod common;
mod memory;
