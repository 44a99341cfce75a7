//! Instances that are real machines: groups, identities, volumes and load balancers as machines see them.
//!
//! Needs Linux, root and the lab's image (`kops-node/tests/lab`); elsewhere it says loudly that nothing was tested.

#![expect(clippy::unwrap_used, reason = "tests")]

mod balancer;
mod ground;
mod group;
mod identity;
#[path = "../network/lab.rs"]
#[allow(dead_code, reason = "the network's own tests use the rest")]
mod lab;
