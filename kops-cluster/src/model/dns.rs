//! The cluster's DNS names.
//!
//! The zone exists already and is looked up among public or private zones: the specified one, or else the longest one
//! that contains the cluster's name, which is where resolvers look for it. Names that have a load balancer
//! are aliases of it. Without a load balancer, the names of the API are created with kOps' placeholder, an
//! address of the documentation range, and left unmanaged afterwards: a controller on the control plane
//! (kOps' dns-controller) publishes the addresses of its machines there.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::network::Site;
use crate::spec::{Cluster, DnsType, Path};
use kops_core::cloud::is_in_domain;
use kops_core::graph::{Expectation, Handle, Key, Lifecycle};
use kops_core::resource::{DnsRecord, DnsTarget, DnsZone, LoadBalancer, RecordType};

/// kOps' address for names that have none yet; reserved by RFC 5737.
const PLACEHOLDER: &str = "203.0.113.123";

/// The TTL of the placeholder, in seconds; short, because it is soon replaced.
const PLACEHOLDER_TTL: u32 = 10;

/// The TTL of a name of a load balancer, in seconds, on clouds without alias records.
const TTL: u32 = 60;

/// The zone of the cluster.
pub(super) struct Dns {
    zone: Handle<DnsZone>,
    /// The task by which the cluster's network sees a private zone; without it, machines do not find the API.
    pub(super) link: Option<Key>,
}

/// The zone, unless the cluster has no DNS names.
pub(super) fn zone(draft: &mut Draft<'_>, site: &Site) -> Option<Dns> {
    let kind = draft.blueprint.cluster.dns_type();
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
    let zone = if let Some(zone) = given_zone(draft.blueprint.cluster) {
        // The same distinction as in kOps: names have dots, identifiers do not.
        let selector = if zone.contains('.') { DnsZone::selector(zone, private) } else { zone.to_owned() };
        draft.graph.share(zone, selector)
    } else {
        let name = draft.names.cluster();
        let zones = domains_of(name, private);
        if zones.is_empty() {
            draft.problems.error(
                Path::of("spec.dnsZone"),
                "is required: the cluster's name has no parent domain",
                "specify the zone of the cluster's names, or use DNS type None",
            );
            return None;
        }
        draft.graph.share_first(name, zones.into_iter().map(|zone| DnsZone::selector(zone, private)))
    };
    let own = private && draft.networking().network_id.is_none();
    let dialect = draft.blueprint.dialect;
    let link = if own { dialect.private_zone(&zone, &site.network, &mut draft.graph) } else { None };
    if private && link.is_none() {
        draft.problems.warn(
            Path::of("spec.dnsZone"),
            "machines can resolve names of a private zone only if their network is associated with it",
            "make sure that the zone is associated with the cluster's network",
        );
    }
    Some(Dns { zone, link })
}

/// The zone that the specification names, by name or identifier.
fn given_zone(cluster: &Cluster) -> Option<&str> {
    let given = cluster.spec.dns_zone.as_deref().map(|zone| zone.trim_end_matches('.'));
    given.filter(|zone| !zone.is_empty())
}

/// The domains whose zone may contain a name, the longest first: the name itself and its parents. Public top-level
/// domains are nobody's, but a private zone may have any name.
fn domains_of(name: &str, private: bool) -> Vec<&str> {
    let parents = std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, parent)| parent));
    let direct = name.split_once('.').map(|(_, parent)| parent);
    parents.filter(|domain| private || domain.contains('.') || Some(*domain) == direct).collect()
}

/// The task of the zone of a cluster's names, for what a [`Dialect`](super::Dialect) adds to the graph;
/// `None` if the cluster has no DNS names.
pub fn dns_zone(cluster: &Cluster) -> Option<Handle<DnsZone>> {
    let named = cluster.dns_type() != DnsType::None;
    named.then(|| Handle::named(given_zone(cluster).unwrap_or_else(|| cluster.name())))
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
        if bastion_name.is_some() && draft.blueprint.cluster.dns_type() == DnsType::None {
            draft.problems.warn(
                Path::of("spec.networking.topology.bastion.publicName"),
                "the cluster has no DNS zone in which to publish it",
                "remove it, or choose a DNS type other than None",
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
            format!("the names of the API initially resolve to the placeholder {PLACEHOLDER}"),
            "run a controller that publishes the control plane's addresses (kOps' dns-controller), or use api.loadBalancer",
        );
    }
    if let (Some(name), Some(balancer)) = (bastion_name, bastion) {
        link(draft, dns, &name, balancer);
    }
}

fn link(draft: &mut Draft<'_>, dns: &Dns, name: &str, balancer: &Handle<LoadBalancer>) {
    let target = DnsTarget::LoadBalancer(balancer.id());
    require_in_zone(draft, dns, name);
    draft.graph.add(name, record(dns, name, TTL, target));
}

/// Rejects a name that the zone does not contain: here if the zone is specified by its name, and otherwise as soon as
/// it has been looked up.
fn require_in_zone(draft: &mut Draft<'_>, dns: &Dns, name: &str) {
    let hint = "specify a zone that the name is or ends in";
    match given_zone(draft.blueprint.cluster).filter(|zone| zone.contains('.')) {
        Some(zone) if !is_in_domain(name, zone) => {
            draft.problems.error(Path::of("spec.dnsZone"), format!("{name} is not in the zone {zone}"), hint);
        }
        Some(_) => {}
        None => {
            let expected = Expectation::domain_of("name", name, "the name of a record").hint(hint);
            draft.graph.expect(&dns.zone, expected);
        }
    }
}

fn placeholder(draft: &mut Draft<'_>, dns: &Dns, name: &str) {
    let target = DnsTarget::Values(BTreeSet::from([PLACEHOLDER.into()]));
    require_in_zone(draft, dns, name);
    draft.graph.add_as(name, record(dns, name, PLACEHOLDER_TTL, target), Lifecycle::CreateOnly);
}

fn record(dns: &Dns, name: &str, ttl: u32, target: DnsTarget) -> DnsRecord {
    DnsRecord::new(dns.zone.id(), name, RecordType::A, target).ttl_seconds(ttl)
}
