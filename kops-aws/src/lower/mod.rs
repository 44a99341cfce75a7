//! Lowering: from agnostic tasks to native ones.
//!
//! Each agnostic kind has a file with an `impl` of [`Lowered`](kops_core::lower::Lowered). Names are kept:
//! the names of agnostic tasks are kOps' `Name` tags, and so are those of native tasks.

mod address;
mod dns;
mod firewall;
mod gateway;
mod identity;
mod instance;
mod instance_group;
mod load_balancer;
mod network;
mod routes;
mod ssh_key;
mod subnet;
mod volume;

use std::collections::{BTreeMap, HashSet};

use kops_core::Result;
use kops_core::cloud::Scope;
use kops_core::graph::{Handle, Id, Input, TaskGraph};
use kops_core::lower::{Lowered, Lowerings, Native, every};

#[cfg(feature = "cluster")]
pub(crate) use identity::slot;

use crate::kinds::{AvailabilityZone, Image, InstanceType, PARTS};
use crate::tags::Tags;

const LOWERINGS: Lowerings<Site> = Lowerings { cloud: "AWS", kinds: every::<Site>(), parts: PARTS };

/// What lowering knows about AWS.
pub(crate) struct Site {
    pub(crate) region: String,
}

/// A graph that is being lowered to AWS's kinds.
pub(crate) type Lowering<'a> = kops_core::lower::Lowering<'a, Site>;

/// Lowers a graph of agnostic and native tasks to one of native tasks only; tasks of `kinds` are kept as they are.
///
/// # Errors
/// Everything that AWS does not support, at once.
pub(crate) fn lower(graph: &TaskGraph, scope: &Scope, region: &str, kinds: &HashSet<&str>) -> Result<Native> {
    LOWERINGS.lower(graph, scope, &Site { region: region.to_owned() }, kinds)
}

/// A reference to an agnostic object as one to the native object that implements it.
fn native<A: Lowered<Site>>(id: Input<Id<A>>) -> Input<Id<A::Native>> {
    kops_core::lower::native::<Site, A>(id)
}

/// A zone of the region: it is looked up, so that a misspelt one is found before anything is created.
fn zone(cx: &mut Lowering<'_>, name: &str) -> Input<Id<AvailabilityZone>> {
    cx.looked_up::<AvailabilityZone>(name).id()
}

/// A machine image, by identifier or `owner/name`.
fn image(cx: &mut Lowering<'_>, name: &str) -> Handle<Image> {
    cx.looked_up(name)
}

/// A machine type of the region.
fn instance_type(cx: &mut Lowering<'_>, name: &str) -> Handle<InstanceType> {
    cx.looked_up(name)
}

/// Tags in addition to the ownership tags: the scope's labels and these.
fn tags_with<'t>(cx: &Lowering<'_>, more: impl IntoIterator<Item = (&'t str, &'t str)>) -> Tags {
    let mut tags: BTreeMap<_, _> = cx.scope().extra_labels().clone();
    tags.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())));
    tags
}

#[cfg(test)]
mod tests;
