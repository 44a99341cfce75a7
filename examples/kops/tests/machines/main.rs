//! From `kops create cluster` to a running cluster: AWS is the emulator, whose instances are real machines, and all that
//! they get is user data.
//!
//! On demand, since it boots five machines with Kubernetes: `cargo build -p kops-node && cargo test -p kops --test machines -- --ignored`.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::print_stderr, reason = "figures for whoever runs this on demand")]
#![expect(clippy::disallowed_methods, reason = "machines live in real time")]

mod cluster;
#[path = "../cli/common.rs"]
#[allow(dead_code, reason = "the command line's own tests use the rest")]
mod common;
mod life;
