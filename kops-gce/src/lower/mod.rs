//! Lowering: from agnostic tasks to native ones.
//!
//! Each agnostic kind has a file with an `impl` of [`Lowered`](kops_core::lower::Lowered). Names are kept;
//! names of objects are derived from them ([`names`](crate::names)).

mod address;
pub(crate) mod disk;
mod dns;
mod firewall;
mod gateway;
mod identity;
mod instance;
mod instance_group;
mod limits;
mod load_balancer;
mod machine;
mod network;
mod ssh_key;
mod subnet;
#[cfg(test)]
mod tests;
mod volume;

use std::collections::HashSet;

use kops_core::cloud::Scope;
use kops_core::graph::{Edge, Handle, Id, Input, TaskGraph, Wait};
use kops_core::lower::{Lowered, Lowerings, Native, every};
use kops_core::{Error, ErrorKind, Result};

use crate::kinds::{MachineType, PARTS, Zone};

const LOWERINGS: Lowerings<Site> = Lowerings { cloud: "Google Cloud", kinds: every::<Site>(), parts: PARTS };

/// What lowering knows about Google Cloud.
pub(crate) struct Site {
    pub(crate) project: String,
    pub(crate) region: String,
}

/// A graph that is being lowered to Google's kinds.
pub(crate) type Lowering<'a> = kops_core::lower::Lowering<'a, Site>;

/// Lowers a graph of agnostic and native tasks to one of native tasks only; tasks of `kinds` are kept as they are.
///
/// # Errors
/// Everything that Google Cloud does not support, at once.
pub(crate) fn lower(graph: &TaskGraph, scope: &Scope, site: &Site, kinds: &HashSet<&str>) -> Result<Native> {
    let native = LOWERINGS.lower(graph, scope, site, kinds)?;
    limits::check(native.graph(), &scope.at(&site.region))?;
    native.try_map(when_ready)
}

/// The graph with every task waiting until what it refers to is ready: Compute Engine rejects references to
/// objects that an operation is still creating (`resourceNotReady`), and an operation may still fail.
fn when_ready(graph: &TaskGraph) -> Result<TaskGraph> {
    let mut waiting = TaskGraph::builder();
    for task in graph.tasks() {
        let spec = task.spec.map_outputs(&|output| output.wait(Wait::Ready));
        waiting.insert(task.clone().spec(spec).edges(Vec::new()));
    }
    for task in graph.tasks() {
        for edge in &task.edges {
            waiting.wait(&task.key, Edge::new(edge.on.clone(), Wait::Ready));
        }
    }
    waiting.build()
}

/// A reference to an agnostic object as one to the native object that implements it.
pub(crate) fn native<A: Lowered<Site>>(id: Input<Id<A>>) -> Input<Id<A::Native>> {
    kops_core::lower::native::<Site, A>(id)
}

fn unsupported(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, message).with_hint(hint)
}

/// A zone of the region: it is looked up, so that a misspelt one is found before anything is created.
fn zone(cx: &mut Lowering<'_>, name: &str) -> Result<()> {
    let region = &cx.provider().region;
    if name.rsplit_once('-').is_none_or(|(of, _)| of != region) {
        return Err(Error::invalid(format!("the zone {name} is not in the region {region}"))
            .with_hint("use a zone of the region, or connect to the zone's region"));
    }
    cx.looked_up::<Zone>(name);
    Ok(())
}

/// A machine type of a zone, looked up as well.
fn machine_type(cx: &mut Lowering<'_>, zone: &str, name: &str) -> Handle<MachineType> {
    cx.looked_up::<MachineType>(&format!("{zone}/{name}"))
}
