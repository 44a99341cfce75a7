//! The cluster's names in DNS.
//!
//! The zone exists already and is looked up, among public or among private zones. Names of what has a load
//! balancer are links to it. Without one the names of the API begin as kOps' placeholder, an address of the
//! documentation range, and are left alone afterwards: what runs on the control plane (kOps' dns-controller)
//! publishes its machines there.

use std::collections::BTreeSet;

use super::draft::Draft;
use crate::spec::{Cluster, DnsType, Path};
use kops_core::graph::{Handle, Lifecycle};
use kops_core::resource::{DnsRecord, DnsTarget, DnsZone, LoadBalancer, RecordType};

/// kOps' address for names that have none yet: RFC 5737 keeps it free.
const PLACEHOLDER: &str = "203.0.113.123";

/// How long resolvers keep the placeholder, in seconds: not long.
const PLACEHOLDER_TTL: u32 = 10;

/// How long resolvers keep a name that leads to a load balancer, in seconds, where clouds do not link.
const TTL: u32 = 60;

/// The zone of the cluster.
pub(super) struct Dns {
    zone: Handle<DnsZone>,
}

/// The zone, unless the cluster is to have no names.
pub(super) fn zone(draft: &mut Draft<'_>) -> Option<Dns> {
    let kind = draft.networking().dns_type();
    let capabilities = &draft.blueprint.capabilities;
    let (private, possible) = match kind {
        DnsType::None => return None,
        DnsType::Public => (false, capabilities.public_dns),
        DnsType::Private => (true, capabilities.private_dns),
    };
    if !possible {
        draft.problems.error(
            Path::of("spec.networking.topology.dns"),
            format!("this cloud has no {} DNS zones", kind.as_str().to_lowercase()),
            "use a load balancer for the API and DNS type None",
        );
        return None;
    }
    let Some(zone) = zone_name(draft.blueprint.cluster) else {
        draft.problems.error(
            Path::of("spec.dnsZone"),
            "it is missing, and the cluster's name is in no domain",
            "name the zone that holds the cluster's names, or use DNS type None",
        );
        return None;
    };
    if private && draft.networking().network_id.is_none() {
        draft.problems.warn(
            Path::of("spec.dnsZone"),
            format!("machines resolve names of the private zone {zone} only when their network is associated with it"),
            "associate the zone with the cluster's network once the network is there",
        );
    }
    // As kOps tells them apart: names have dots, identifiers do not.
    let selector = if zone.contains('.') { DnsZone::selector(zone, private) } else { zone.to_owned() };
    Some(Dns { zone: draft.graph.share(zone, selector) })
}

/// The zone that holds a cluster's names, by name or identifier: the one that is specified, else the domain
/// that the cluster's name is in.
fn zone_name(cluster: &Cluster) -> Option<&str> {
    let given = cluster.spec.dns_zone.as_deref().map(|zone| zone.trim_end_matches('.'));
    let parent = cluster.name().split_once('.').map(|(_, parent)| parent);
    given.filter(|zone| !zone.is_empty()).or(parent)
}

/// The task of the zone that holds a cluster's names, for what a [`Dialect`](super::Dialect) adds to the
/// graph; `None` when the cluster has no names.
pub fn dns_zone(cluster: &Cluster) -> Option<Handle<DnsZone>> {
    let named = cluster.spec.networking.dns_type() != DnsType::None;
    zone_name(cluster).filter(|_| named).map(Handle::named)
}

/// The names of the API and the bastion.
pub(super) fn records(
    draft: &mut Draft<'_>,
    dns: Option<&Dns>,
    api: Option<&Handle<LoadBalancer>>,
    bastion: Option<&Handle<LoadBalancer>>,
) {
    let spec = &draft.blueprint.cluster.spec;
    let bastion_name = draft
        .networking()
        .bastion()
        .and_then(|bastion| bastion.public_name.clone())
        .filter(|name| !name.is_empty());
    let Some(dns) = dns else {
        if bastion_name.is_some() && draft.networking().dns_type() == DnsType::None {
            draft.problems.warn(
                Path::of("spec.networking.topology.bastion.publicName"),
                "the cluster has no DNS zone to publish it in",
                "leave it out, or choose a DNS type other than None",
            );
        }
        return;
    };
    let public_name = spec.api.public_name.clone().filter(|name| !name.is_empty());
    let mut names = BTreeSet::from([
        public_name.unwrap_or_else(|| draft.names.scoped("api")),
        draft.names.internal("api"),
    ]);
    let services = draft.blueprint.bootstrap.join_services();
    names.extend(services.iter().map(|service| draft.names.internal(&service.name)));
    for name in &names {
        match api {
            Some(balancer) => link(draft, dns, name, balancer),
            None => placeholder(draft, dns, name),
        }
    }
    if api.is_none() {
        draft.problems.warn(
            Path::of("spec.api.dns"),
            format!("the names of the API begin as the placeholder {PLACEHOLDER}"),
            "run what publishes the control plane's addresses (kOps' dns-controller), or use api.loadBalancer",
        );
    }
    if let (Some(name), Some(balancer)) = (bastion_name, bastion) {
        link(draft, dns, &name, balancer);
    }
}

fn link(draft: &mut Draft<'_>, dns: &Dns, name: &str, balancer: &Handle<LoadBalancer>) {
    let target = DnsTarget::LoadBalancer(balancer.id());
    draft.graph.add(name, record(dns, name, TTL, target));
}

fn placeholder(draft: &mut Draft<'_>, dns: &Dns, name: &str) {
    let target = DnsTarget::Values(BTreeSet::from([PLACEHOLDER.into()]));
    draft.graph.add_as(name, record(dns, name, PLACEHOLDER_TTL, target), Lifecycle::CreateOnly);
}

fn record(dns: &Dns, name: &str, ttl: u32, target: DnsTarget) -> DnsRecord {
    DnsRecord::new(dns.zone.id(), name, RecordType::A, target).ttl_seconds(ttl)
}
