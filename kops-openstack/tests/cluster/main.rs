//! Clusters as users specify them, on a real OpenStack.

#![expect(clippy::unwrap_used, reason = "a test can do no better")]

mod conformance;
mod faults;
mod lab;
mod life;
mod outage;
mod permissions;
mod store;
