//! Whole clusters, and the kinds of machines, load balancing, names and identities, on the emulator: made, seen
//! again, changed by hand, mended and deleted.

#![expect(clippy::unwrap_used, reason = "tests")]

mod cluster;
#[path = "../network/lab.rs"]
#[allow(dead_code, unreachable_pub, reason = "it is the network tests' own")]
mod lab;
