//! Lowering: agnostic tasks become native ones.
//!
//! Each agnostic kind is a file with an `impl` of [`Lowered`]. Names are kept.

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

/// What lowering knows of the cloud.
pub(crate) struct Site {
    /// The network that leads to the internet, by name or identifier; the only one when empty.
    pub(crate) external_network: String,
    /// Name servers for machines in new subnets; the cloud's own when empty.
    pub(crate) name_servers: Vec<String>,
}

/// A graph on its way to OpenStack's kinds.
pub(crate) type Lowering<'a> = kops_core::lower::Lowering<'a, Site>;

/// A graph of agnostic and native tasks as one of native tasks only; the tasks of `kinds` pass through.
///
/// # Errors
/// Everything that OpenStack cannot do, at once.
pub(crate) fn lower(graph: &TaskGraph, scope: &Scope, site: &Site, kinds: &HashSet<&str>) -> Result<Native> {
    LOWERINGS.lower(graph, scope, site, kinds)
}

/// A reference to an agnostic object as one to the object that stands for it.
fn native<A: Lowered<Site>>(id: Input<Id<A>>) -> Input<Id<A::Native>> {
    kops_core::lower::native::<Site, A>(id)
}

/// The network that leads to the internet.
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

/// Tags beyond the task's: the scope and its labels, and these.
fn tags_with<'t>(cx: &Lowering<'_>, more: impl IntoIterator<Item = (&'t String, &'t String)>) -> Tags {
    let mut all = cx.scope().extra_labels().clone();
    all.extend(more.into_iter().map(|(key, value)| (key.clone(), value.clone())));
    // Where the creating call takes no tags, this is what has them set afterwards.
    all.insert(tags::CLUSTER.to_owned(), cx.scope().name().to_owned());
    all
}
