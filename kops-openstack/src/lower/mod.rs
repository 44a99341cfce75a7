//! Lowering: from agnostic tasks to native ones.
//!
//! Each agnostic kind has a file with an `impl` of [`Lowered`]. Names are kept.

mod address;
mod dns;
mod firewall;
mod gateway;
mod identity;
mod instance;
mod instance_group;
mod load_balancer;
mod machine;
mod network;
mod ssh_key;
mod subnet;
#[cfg(test)]
mod tests;
mod volume;

use std::collections::HashSet;

use kops_core::Result;
use kops_core::cloud::Scope;
use kops_core::graph::{Handle, Id, Input, TaskGraph};
use kops_core::lower::{Lowered, Lowerings, Native, every};

use crate::kinds::{AvailabilityZone, ExternalNetwork, Flavor, Image, PARTS};
use crate::tags::{self, Tags};

const LOWERINGS: Lowerings<Site> = Lowerings { cloud: "OpenStack", kinds: every::<Site>(), parts: PARTS };

/// What lowering knows about the cloud.
pub(crate) struct Site {
    /// The external network, by name or identifier; the only one if empty.
    pub(crate) external_network: String,
    /// Name servers for machines in new subnets; the cloud's own if empty.
    pub(crate) name_servers: Vec<String>,
}

/// A graph that is being lowered to OpenStack's kinds.
pub(crate) type Lowering<'a> = kops_core::lower::Lowering<'a, Site>;

/// Lowers a graph of agnostic and native tasks to one of native tasks only; tasks of `kinds` are kept as they are.
///
/// # Errors
/// Everything that OpenStack does not support, at once.
pub(crate) fn lower(graph: &TaskGraph, scope: &Scope, site: &Site, kinds: &HashSet<&str>) -> Result<Native> {
    LOWERINGS.lower(graph, scope, site, kinds)
}

/// A reference to an agnostic object as one to the native object that implements it.
fn native<A: Lowered<Site>>(id: Input<Id<A>>) -> Input<Id<A::Native>> {
    kops_core::lower::native::<Site, A>(id)
}

/// The external network.
fn external_network(cx: &mut Lowering<'_>) -> Input<Id<ExternalNetwork>> {
    let name = cx.provider().external_network.as_str();
    cx.looked_up::<ExternalNetwork>(if name.is_empty() { ExternalNetwork::THE_ONLY_ONE } else { name }).id()
}

/// A machine image, by identifier or name.
fn image(cx: &mut Lowering<'_>, name: &str) -> Handle<Image> {
    cx.looked_up(name)
}

/// A machine type, by identifier or name.
fn flavor(cx: &mut Lowering<'_>, name: &str) -> Handle<Flavor> {
    cx.looked_up(name)
}

/// A zone of servers.
fn zone(cx: &mut Lowering<'_>, name: &str) -> Input<Id<AvailabilityZone>> {
    cx.looked_up::<AvailabilityZone>(name).id()
}

/// Tags in addition to the ownership tags: the scope and its labels, and these.
fn tags_with<'t>(cx: &Lowering<'_>, more: impl IntoIterator<Item = (&'t String, &'t String)>) -> Tags {
    let mut all = cx.scope().extra_labels().clone();
    all.extend(more.into_iter().map(|(key, value)| (key.clone(), value.clone())));
    // If the creating call does not accept tags, this causes them to be set afterwards.
    all.insert(tags::CLUSTER.to_owned(), cx.scope().name().to_owned());
    all
}
