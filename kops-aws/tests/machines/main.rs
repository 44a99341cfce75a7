//! Whole clusters, and the kinds of machines, load balancing, names and identities, on the emulator: made, seen
//! again, changed by hand, mended and deleted.

#![expect(clippy::unwrap_used, reason = "tests")]

mod balancing;
mod cluster;
mod conformance;
mod crash;
mod disks;
mod field;
mod groups;
mod identities;
mod instances;
#[path = "../network/lab.rs"]
#[allow(dead_code, reason = "the network's own tests use the rest")]
mod lab;
mod leftovers;
mod members;
mod names;
#[path = "../network/on_moto.rs"]
mod on_moto;
mod rights;
mod site;
mod strict;
