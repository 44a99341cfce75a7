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
mod limits;
mod load_balancer;
mod machine;
mod network;
mod ssh_key;
mod subnet;
#[cfg(test)]
mod tests;
mod volume;

#[cfg(feature = "cluster")]
pub(crate) use identity::Access;

use std::collections::HashSet;

use kops_core::Result;
use kops_core::cloud::Scope;
use kops_core::graph::{Handle, Id, Input, TaskGraph};
use kops_core::lower::{Lowered, Lowerings, Native, every};

use crate::clients::Endpoint;
#[cfg(feature = "cluster")]
use crate::clients::Service;
use crate::kinds::{AvailabilityZone, ExternalNetwork, Flavor, Image, PARTS};
use crate::tags::{self, Tags};

const LOWERINGS: Lowerings<Site> = Lowerings { cloud: "OpenStack", kinds: every::<Site>(), parts: PARTS };

/// What lowering knows about the cloud.
pub(crate) struct Site {
    /// The external network, by name or identifier; the only one if empty.
    pub(crate) external_network: String,
    /// Name servers for machines in new subnets; the cloud's own if empty.
    pub(crate) name_servers: Vec<String>,
    /// The region; empty if it is the only one.
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "machines of clusters are told"))]
    pub(crate) region: String,
    /// The services that the cloud has.
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "machines of clusters use them"))]
    pub(crate) services: Vec<Endpoint>,
}

#[cfg(feature = "cluster")]
impl Site {
    /// The URL of a service, without a slash at its end.
    pub(crate) fn url_of(&self, service: Service) -> Option<&str> {
        let endpoint = self.services.iter().find(|it| it.service == service);
        endpoint.map(|it| it.url.as_str().trim_end_matches('/'))
    }
}

/// A graph that is being lowered to OpenStack's kinds.
pub(crate) type Lowering<'a> = kops_core::lower::Lowering<'a, Site>;

/// Lowers a graph of agnostic and native tasks to one of native tasks only; tasks of `kinds` are kept as they are.
///
/// # Errors
/// Everything that OpenStack does not support, at once.
pub(crate) fn lower(graph: &TaskGraph, scope: &Scope, site: &Site, kinds: &HashSet<&str>) -> Result<Native> {
    let native = LOWERINGS.lower(graph, scope, site, kinds)?;
    limits::check(native.graph())?;
    Ok(native)
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
