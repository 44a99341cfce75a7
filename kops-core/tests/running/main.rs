//! Runs: their options, events, reports, spans, and what ends them early.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod denied;
mod ending;
mod events;
mod journal;
mod panics;
mod policies;
mod schemas;
mod spans;
#[path = "../planning/strict.rs"]
mod strict;

use std::sync::Arc;

use kops_core::Engine;
use kops_core::cloud::Scope;
use kops_core::graph::{Key, Secret, TaskGraph};
use kops_core::resource::{Network, Resource, Subnet, Volume};
use kops_core::testing::{MemoryCloud, MemoryKind};
use serde::{Deserialize, Serialize};

fn engine(cloud: &MemoryCloud) -> Engine {
    Engine::new(Arc::new(cloud.clone()), Scope::new("shop"))
}

/// A network with a subnet in it, and a volume that needs neither.
fn graph() -> TaskGraph {
    let mut graph = TaskGraph::builder();
    let network = Network::new(["10.0.0.0/16".parse().unwrap()]);
    let network = graph.add("main", network);
    graph.add("front", Subnet::new(network.id(), "10.0.1.0/24".parse().unwrap()).zone("a"));
    graph.add("data", Volume::new("a", 8));
    graph.build().unwrap()
}

fn volume() -> TaskGraph {
    let mut graph = TaskGraph::builder();
    graph.add("data", Volume::new("a", 8));
    graph.build().unwrap()
}

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

/// A kind with a secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Password {
    value: Secret,
}

impl Resource for Password {
    const KIND: &'static str = "Password";
    type Resolved = Self;
}

impl MemoryKind for Password {}
