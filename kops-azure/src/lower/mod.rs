//! Lowering: from agnostic tasks to native ones.
//!
//! Each agnostic kind has a file with an `impl` of [`Lowered`](kops_core::lower::Lowered). Names are kept.
//! Objects without an agnostic counterpart (the resource group, and a network's security group and route
//! table) are added once, by the first task that needs them.
//!
//! # Differences of Azure
//! | agnostic | on Azure |
//! |---|---|
//! | a subnet in a zone | subnets span the zones: the zone is ignored |
//! | an internet gateway | nothing: every network has access to the internet |
//! | a NAT gateway in a subnet | the subnets that use it refer to it |
//! | a firewall | an application security group, to which the rules of the network's security group refer |
//! | the rules of a firewall | rules of that group, see `rules.rs` |
//! | an instance group | a scale set |
//! | an identity | a user-assigned identity, and a role assignment for each role |

mod address;
mod dns;
mod firewall;
mod gateway;
mod identity;
mod instance;
mod instance_group;
mod limits;
mod load_balancer;
mod network;
mod rules;
mod ssh_key;
mod subnet;
mod volume;

use std::collections::{BTreeMap, HashSet};

use kops_core::cloud::Scope;
use kops_core::graph::{Id, Input, Lifecycle, TaskGraph, Wait};
use kops_core::lower::{Lowered, Lowerings, Native, every};
use kops_core::resource::Resource as _;
use kops_core::{Error, ErrorKind, Result};

use crate::kinds::{AzureSubnet, AzureZone, ResourceGroup, VirtualNetwork};
use crate::tags::{self, Tags};

const LOWERINGS: Lowerings<Site> = Lowerings { cloud: "Azure", kinds: every::<Site>(), parts: &[] };

/// What lowering knows about Azure.
pub(crate) struct Site {
    pub(crate) location: String,
    /// The name of the scope's resource group.
    pub(crate) group: String,
    /// Whether it is shared.
    pub(crate) shared_group: bool,
    /// The user that may log in to machines.
    pub(crate) admin_user: String,
}

/// A graph that is being lowered to Azure's kinds.
pub(crate) type Lowering<'a> = kops_core::lower::Lowering<'a, Site>;

/// Lowers a graph of agnostic and native tasks to one of native tasks only; tasks of `kinds` are kept as they are.
///
/// # Errors
/// Everything that Azure does not support, at once.
pub(crate) fn lower(graph: &TaskGraph, scope: &Scope, site: &Site, kinds: &HashSet<&str>) -> Result<Native> {
    let native = LOWERINGS.lower(graph, scope, site, kinds)?;
    limits::check(native.graph())?;
    subnets_stay_with_their_networks(native.graph())?;
    Ok(native)
}

/// A subnet has no mark of its own that it is retained, and is deleted with its network.
fn subnets_stay_with_their_networks(native: &TaskGraph) -> Result<()> {
    let retained = |task: &&kops_core::graph::Task| task.lifecycle == Lifecycle::Retained;
    for subnet in native.tasks().filter(retained).filter(|task| task.key.kind() == AzureSubnet::KIND) {
        let network = subnet.edges.iter().find(|edge| edge.on.kind() == VirtualNetwork::KIND);
        let stays = network.and_then(|edge| native.get(&edge.on)).is_none_or(|network| {
            matches!(network.lifecycle, Lifecycle::Retained | Lifecycle::Shared { .. })
        });
        if !stays {
            return Err(Error::new(ErrorKind::Unsupported, "it is part of a network that is not retained")
                .with_task(&subnet.key)
                .with_hint("retain the network as well"));
        }
    }
    Ok(())
}

/// A reference to an agnostic object as one to the native object that implements it, which must be ready:
/// Azure rejects references to objects that are still being created.
pub(crate) fn native<A: Lowered<Site>>(id: Input<Id<A>>) -> Input<Id<A::Native>> {
    ready(kops_core::lower::native::<Site, A>(id))
}

/// A value that is read when the object is ready.
fn ready<T>(input: Input<T>) -> Input<T> {
    match input {
        Input::Output(output) => Input::Output(output.wait(Wait::Ready)),
        other => other,
    }
}

/// An identifier as text.
fn text<R>(id: Input<Id<R>>) -> Input<String> {
    match id {
        Input::Known(id) => Input::Known(id.into_string()),
        Input::Output(output) => Input::Output(output),
        Input::Concat(parts) => Input::Concat(parts),
    }
}

/// The resource group of the scope.
fn group(cx: &mut Lowering<'_>) -> Input<Id<ResourceGroup>> {
    let site = cx.provider();
    if site.shared_group {
        return cx.looked_up::<ResourceGroup>(&site.group).id();
    }
    let tags = labels(cx, []);
    cx.add_once(&site.group, ResourceGroup { name: site.group.clone(), tags }).id()
}

/// Tags in addition to the ownership tags: the scope's labels and these.
fn labels<'t>(cx: &Lowering<'_>, more: impl IntoIterator<Item = (&'t String, &'t String)>) -> Tags {
    let mut tags: Tags = BTreeMap::new();
    for (label, value) in cx.scope().extra_labels() {
        tags.insert(tags::name(label), value.clone());
    }
    tags.extend(more.into_iter().map(|(label, value)| (tags::name(label), value.clone())));
    tags
}

/// The number of a zone in its region, `1` of `eastus-1`; it is looked up, so that a zone that does not exist
/// is found before anything is created.
fn zone(cx: &mut Lowering<'_>, name: &str) -> Result<String> {
    let location = &cx.provider().location;
    let Some(number) = name.strip_prefix(location.as_str()).and_then(|it| it.strip_prefix('-')) else {
        return Err(Error::invalid(format!("{name} is not a zone of {location}"))
            .with_hint(format!("use a zone such as {location}-1")));
    };
    cx.looked_up::<AzureZone>(name);
    Ok(number.to_owned())
}

#[cfg(test)]
mod tests;
