//! The kinds of a network, on the emulator: each made, seen again, changed by hand, mended and deleted; and
//! the whole network of a cluster.

#![expect(clippy::unwrap_used, reason = "tests")]

mod conformance;
mod crash;
mod drift;
mod lab;
mod lookup;
mod native;
mod on_moto;
mod whole;
