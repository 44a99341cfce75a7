//! Clusters as users specify them, on a real OpenStack.

mod conformance;
mod lab;
mod life;
