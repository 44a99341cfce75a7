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
mod limits;
mod load_balancer;
mod network;
mod routes;
mod ssh_key;
mod subnet;
mod volume;

use std::collections::{BTreeMap, HashSet};

use kops_core::Result;
use kops_core::cloud::Scope;
use kops_core::graph::{Expectation, Handle, Id, Input, TaskGraph};
use kops_core::lower::{Lowered, Lowerings, Native, every};

#[cfg(feature = "cluster")]
pub(crate) use identity::slot;
#[cfg(feature = "cluster")]
pub(crate) use instance_group::LIFETIMES;

use kops_core::resource::Subnet;

use crate::kinds::availability_zone;
use crate::kinds::{AvailabilityZone, Image, InstanceType, KmsKey, PARTS, kms_key};
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
    let native = LOWERINGS.lower(graph, scope, &Site { region: region.to_owned() }, kinds)?;
    limits::check(&native, scope, region)?;
    Ok(native)
}

/// A reference to an agnostic object as one to the native object that implements it.
pub(crate) fn native<A: Lowered<Site>>(id: Input<Id<A>>) -> Input<Id<A::Native>> {
    kops_core::lower::native::<Site, A>(id)
}

/// A zone of the region: it is looked up, so that a misspelt one is found before anything is created.
fn zone(cx: &mut Lowering<'_>, name: &str) -> Input<Id<AvailabilityZone>> {
    cx.looked_up::<AvailabilityZone>(name).id()
}

/// What not all types of zones have.
#[derive(Clone, Copy)]
struct OfZones {
    what: &'static str,
    /// The types of the zones that have it.
    types: &'static [&'static str],
    hint: &'static str,
}

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/availability-zones.html>: "You can't specify a subnet
/// in a Local Zone"; nor are there any in wavelength zones.
const BALANCER: OfZones = OfZones {
    what: "a network load balancer",
    types: &[availability_zone::REGULAR],
    hint: "use subnets in other zones for it",
};

/// Some local zones have NAT gateways, wavelength zones none.
const NAT: OfZones = OfZones {
    what: "a NAT gateway",
    types: &[availability_zone::REGULAR, availability_zone::LOCAL],
    hint: "use another zone for a NAT gateway, or set the egress of the zone's private subnets",
};

/// <https://docs.aws.amazon.com/wavelength/latest/developerguide/how-wavelengths-work.html>
const OPEN_SUBNET: OfZones = OfZones {
    what: "a subnet with an internet gateway",
    types: &[availability_zone::REGULAR, availability_zone::LOCAL],
    hint: "use another zone for a subnet with an internet gateway",
};

/// Requires of the zones of subnets what not all types of zones have; those of shared subnets are known if the graph
/// says in which zone they are.
fn require_in_zones_of<'s>(
    cx: &mut Lowering<'_>,
    subnets: impl IntoIterator<Item = &'s Input<Id<Subnet>>>,
    needed: OfZones,
) -> Result<()> {
    let specs = cx.specs::<Subnet>()?;
    for subnet in subnets {
        let own = specs.iter().find(|(name, _)| Lowering::is_for(subnet, name));
        let own = own.and_then(|(_, spec)| spec.zone.as_deref());
        if let Some(zone) = own.or_else(|| cx.expected(subnet, "zone")) {
            zone_with(cx, zone, needed)?;
        }
    }
    Ok(())
}

/// A zone that has what not all types of zones have.
fn zone_with(cx: &mut Lowering<'_>, name: &str, needed: OfZones) -> Result<Input<Id<AvailabilityZone>>> {
    let zone = cx.looked_up::<AvailabilityZone>(name);
    let expected = Expectation::is_in("zone_type", &needed.types, format!("what {} needs", needed.what))?;
    cx.expect(&zone, expected.hint(needed.hint));
    Ok(zone.id())
}

/// A machine image, by identifier or `owner/name`.
fn image(cx: &mut Lowering<'_>, name: &str) -> Handle<Image> {
    cx.looked_up(name)
}

/// A machine type of the region, which can run an image.
fn instance_type(
    cx: &mut Lowering<'_>,
    name: &str,
    image: &Handle<Image>,
) -> Result<Input<Id<InstanceType>>> {
    let machine_type = cx.looked_up::<InstanceType>(name);
    let architectures = machine_type.get(InstanceType::ARCHITECTURES);
    let source = format!("that of machine type {name}");
    let expected = Expectation::is_in("architecture", &architectures, source)?;
    cx.expect(image, expected.hint("use an image and machine types of the same architecture"));
    Ok(machine_type.id())
}

/// The key of a disk: it exists and encrypts. Nobody tells of machines that cannot use it, and of volumes only when it
/// is too late.
fn key(cx: &mut Lowering<'_>, name: &str, named_by: &str) -> Result<()> {
    let key = cx.looked_up_for::<KmsKey>(name, named_by);
    let expected = Expectation::is("state", &kms_key::ENABLED, "what a disk needs")?;
    cx.expect(&key, expected.hint("enable the key, or use another one"));
    Ok(())
}

/// Tags in addition to the ownership tags: the scope's labels and these.
fn tags_with<'t>(cx: &Lowering<'_>, more: impl IntoIterator<Item = (&'t str, &'t str)>) -> Tags {
    let mut tags: BTreeMap<_, _> = cx.scope().extra_labels().clone();
    tags.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())));
    tags
}

#[cfg(test)]
mod tests;
