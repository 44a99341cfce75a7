//! Clusters as users specify them, on a real OpenStack.

mod conformance;
mod faults;
mod lab;
mod life;
mod store;
