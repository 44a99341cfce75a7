//! How clients reach the Kubernetes API.
//!
//! Through a load balancer, public or internal, or by DNS alone. Machines of the cluster use the name
//! `api.internal.<cluster>` if the cluster has a DNS zone, and the load balancer's own name otherwise. In
//! kOps that name resolves to the control-plane machines, kept up to date by a controller in the cluster;
//! here it resolves to the load balancer whenever there is one, because a machine that joins by kubeadm has
//! to find the API before any controller runs.

use crate::extensions::MachineRole;
use std::collections::BTreeSet;

use super::dns::Dns;
use super::draft::{Draft, is_open};
use super::firewall::{Wall, Walls, peer_of};
use super::network::{Site, balancer_subnets};
use crate::bootstrap::Endpoint;
use crate::cloud::Purpose;
use crate::spec::{AccessSource, ApiLoadBalancer, LoadBalancerClass, LoadBalancerSubnet, Path};
use kops_core::graph::{Handle, Id, Input};
use kops_core::resource::{self, FirewallRule, HealthCheck, Listener, LoadBalancer, Peer, Scheme};

/// The port of the API, on load balancers and machines alike, as in kOps.
pub(crate) const PORT: u16 = 443;

/// The port for clients with their own certificates, when the load balancer terminates TLS on the usual port.
const PLAIN_PORT: u16 = 8443;

/// The load balancer of the API, if the cluster has one.
pub(super) fn build(draft: &mut Draft<'_>, site: &Site, walls: &mut Walls) -> Option<Handle<LoadBalancer>> {
    let cluster = draft.blueprint.cluster;
    let spec = cluster.spec.api.load_balancer.as_ref()?;
    check(draft, spec);
    let around = firewalls(draft, site, walls, spec);
    let subnets = subnets(draft, site, spec);
    // Machines find the API by the balancer's name, which has an address in each zone: one without a healthy machine
    // in its zone has to lead to one in another. Balancers of a whole region do so anyway.
    let zonal = draft.blueprint.capabilities.zonal_subnets;
    if spec.cross_zone_load_balancing == Some(false) {
        let path = Path::of("spec.api.loadBalancer.crossZoneLoadBalancing");
        if !zonal {
            let why = "it has no effect on this cloud: load balancers always lead to machines in all zones";
            draft.problems.warn(path, why, "remove it");
        } else if zones(draft, site, &subnets).len() > 1 {
            draft.problems.warn(
                path,
                "machines of the cluster use the load balancer: while the control plane of a zone is down, the \
                 address in that zone leads nowhere",
                "remove it, or set it to true",
            );
        }
    }
    let mut balancer = LoadBalancer::new(site.network.id(), subnets)
        .scheme(if spec.is_public() { Scheme::Public } else { Scheme::Internal })
        .firewalls(around.iter().map(|wall| wall.handle.id()))
        .listeners(listeners(draft, spec))
        .cross_zone(spec.cross_zone_load_balancing.unwrap_or(zonal));
    draft.blueprint.dialect.load_balancer(cluster, Purpose::Api, &mut balancer, &mut draft.problems);
    let handle = draft.graph.add(&draft.names.scoped("api"), balancer);
    if spec.is_public()
        && let Some(gateway) = &site.gateway
    {
        draft.graph.after(&handle, gateway);
    }
    Some(handle)
}

/// The zones of the load balancer, and those of the machines behind it.
fn zones<'a>(
    draft: &Draft<'a>,
    site: &Site,
    subnets: &BTreeSet<Input<Id<resource::Subnet>>>,
) -> BTreeSet<&'a str> {
    let machines: BTreeSet<&str> = draft
        .groups_of(MachineRole::ControlPlane)
        .flat_map(|group| group.spec.subnets.iter().map(String::as_str))
        .collect();
    let has_balancer = |name: &str| site.subnets.get(name).is_some_and(|it| subnets.contains(&it.id()));
    let all = draft.networking().subnets.iter();
    all.filter(|subnet| machines.contains(subnet.name.as_str()) || has_balancer(&subnet.name))
        .filter_map(|subnet| subnet.zone.as_deref())
        .collect()
}

/// The address of the API for machines of the cluster.
pub(super) fn endpoint(
    draft: &mut Draft<'_>,
    dns: Option<&Dns>,
    balancer: Option<&Handle<LoadBalancer>>,
) -> Option<Endpoint> {
    let host = match (dns, balancer) {
        (Some(_), _) => Input::Known(draft.names.internal("api")),
        (None, Some(balancer)) => balancer.get(LoadBalancer::DNS_NAME),
        (None, None) => {
            draft.problems.error(
                Path::of("spec.api"),
                "the API is not reachable: it has neither a load balancer nor a DNS name",
                "set api.loadBalancer, or a DNS type other than None",
            );
            return None;
        }
    };
    Some(Endpoint::new(host, PORT))
}

fn listeners(draft: &Draft<'_>, spec: &ApiLoadBalancer) -> Vec<Listener> {
    let mut check = HealthCheck::new();
    if draft.blueprint.bootstrap.answers_probes(draft.blueprint.cluster) {
        check = check.https_path("/readyz");
    }
    let mut api = Listener::tcp(PORT).health_check(check.clone());
    api.certificate.clone_from(&spec.ssl_certificate);
    let mut listeners = vec![api];
    if spec.ssl_certificate.is_some() {
        listeners.push(Listener::tcp(PLAIN_PORT).target_port(PORT).health_check(check));
    }
    let joining = draft.blueprint.bootstrap.join_services();
    listeners.extend(joining.iter().map(|service| Listener::tcp(service.port)));
    listeners
}

/// The firewalls of the load balancer; the first is its own or the existing one that replaces it.
fn firewalls(draft: &mut Draft<'_>, site: &Site, walls: &mut Walls, spec: &ApiLoadBalancer) -> Vec<Wall> {
    let own = match &spec.security_group_override {
        Some(id) => {
            draft.problems.warn(
                Path::of("spec.api.loadBalancer.securityGroupOverride"),
                format!("{id} is used as is; no rules are added to it"),
                format!("make sure that it allows clients and machines of the cluster to reach port {PORT}"),
            );
            Walls::shared(draft, id)
        }
        None => walls.add(draft, site, &draft.names.scoped("api-elb"), "Security group for api ELB"),
    };
    let access = &draft.blueprint.cluster.spec.api.access;
    walls.admit(&own, access, PORT);
    if spec.ssl_certificate.is_some() {
        walls.admit(&own, access, PLAIN_PORT);
    }
    for source in access {
        walls.allow(&own, FirewallRule::packet_too_big(peer_of(source)));
    }
    from_machines(draft, site, walls, spec, &own);
    for wall in walls.of(MachineRole::ControlPlane).to_vec() {
        walls.allow(&wall, FirewallRule::tcp(PORT, own.peer()));
        for service in draft.blueprint.bootstrap.join_services() {
            walls.allow(&wall, FirewallRule::tcp(service.port, own.peer()));
        }
        walls.allow(&wall, FirewallRule::packet_too_big(own.peer()));
        walls.allow(&own, FirewallRule::packet_too_big(wall.peer()));
    }
    let more = spec.additional_security_groups.iter().map(|id| Walls::shared(draft, id));
    let mut around = vec![own];
    around.extend(more);
    around
}

/// Machines of the cluster reach the API through the load balancer too: an internal one from their own
/// addresses, a public one from the addresses of their NAT gateways.
fn from_machines(draft: &mut Draft<'_>, site: &Site, walls: &mut Walls, spec: &ApiLoadBalancer, own: &Wall) {
    let joining = draft.blueprint.bootstrap.join_services();
    let ports = std::iter::once(PORT).chain(joining.iter().map(|service| service.port));
    let peers: Vec<Peer> = if spec.is_public() {
        site.nat_addresses.iter().cloned().map(Peer::Address).collect()
    } else {
        let machines =
            [MachineRole::ControlPlane, MachineRole::Node].into_iter().flat_map(|role| walls.of(role));
        machines.map(Wall::peer).collect()
    };
    let open = is_open_to_all(&draft.blueprint.cluster.spec.api.access);
    for port in ports.filter(|port| !(open && *port == PORT)) {
        for peer in &peers {
            walls.allow(own, FirewallRule::tcp(port, peer.clone()));
        }
    }
    if spec.is_public() && !open {
        warn_of_strangers(draft, site);
    }
}

fn is_open_to_all(access: &[AccessSource]) -> bool {
    access
        .iter()
        .any(|source| matches!(source, AccessSource::Cidr(ipnet::IpNet::V4(all)) if all.prefix_len() == 0))
}

/// Warns if machines whose public address is not known may be locked out of a public load balancer.
fn warn_of_strangers(draft: &mut Draft<'_>, site: &Site) {
    let used: BTreeSet<&str> = draft
        .groups_of(MachineRole::ControlPlane)
        .chain(draft.groups_of(MachineRole::Node))
        .flat_map(|group| group.spec.subnets.iter().map(String::as_str))
        .collect();
    let open = draft.networking().subnets.iter().filter(|subnet| is_open(subnet)).map(|subnet| &subnet.name);
    let strangers: BTreeSet<&str> =
        open.chain(&site.unknown_addresses).map(String::as_str).filter(|name| used.contains(name)).collect();
    if !strangers.is_empty() {
        let strangers = strangers.into_iter().collect::<Vec<_>>().join(", ");
        draft.problems.warn(
            Path::of("spec.api.access"),
            format!(
                "machines in {strangers} reach the public load balancer of the API from addresses that are not \
                 known beforehand"
            ),
            "make sure that the list contains their addresses, or make the load balancer internal",
        );
    }
}

fn subnets(
    draft: &mut Draft<'_>,
    site: &Site,
    spec: &ApiLoadBalancer,
) -> BTreeSet<Input<Id<resource::Subnet>>> {
    let path = Path::of("spec.api.loadBalancer.subnets");
    let chosen = if spec.subnets.is_empty() {
        balancer_subnets(draft, site, spec.is_public())
    } else {
        let mut chosen = BTreeSet::new();
        for (at, wanted) in spec.subnets.iter().enumerate() {
            reject_pinned(draft, &path.index(at), wanted);
            match site.subnets.get(&wanted.name) {
                Some(subnet) => drop(chosen.insert(subnet.id())),
                None => draft.problems.error(
                    path.index(at).key("name"),
                    format!("there is no subnet {:?}", wanted.name),
                    "use a subnet of the cluster",
                ),
            }
        }
        chosen
    };
    if chosen.is_empty() && spec.subnets.is_empty() && draft.blueprint.capabilities.zonal_subnets {
        let (kind, fix) =
            if spec.is_public() { ("public", "Public or Utility") } else { ("private", "Private") };
        draft.problems.error(
            Path::of("spec.api.loadBalancer.type"),
            format!("there is no {kind} subnet for the load balancer of the API"),
            format!("add a subnet of type {fix}, or change the type of the load balancer"),
        );
    }
    chosen
}

/// Rejects addresses that the cloud does not place load balancers at.
fn reject_pinned(draft: &mut Draft<'_>, path: &Path, place: &LoadBalancerSubnet) {
    if draft.blueprint.dialect.pins_addresses() {
        return;
    }
    for (key, set) in [
        ("allocationId", place.allocation_id.is_some()),
        ("privateIPv4Address", place.private_ipv4_address.is_some()),
    ] {
        if set {
            draft.problems.error(
                path.key(key),
                "load balancers cannot be placed at an address on this cloud yet",
                "remove it: the load balancer gets an address, and keeps it",
            );
        }
    }
}

fn check(draft: &mut Draft<'_>, spec: &ApiLoadBalancer) {
    let capabilities = &draft.blueprint.capabilities;
    let path = Path::of("spec.api.loadBalancer");
    let possible = if spec.is_public() {
        capabilities.public_load_balancers
    } else {
        capabilities.internal_load_balancers
    };
    if !possible {
        draft.problems.error(
            path.key("type"),
            format!(
                "this cloud has no {} load balancers",
                if spec.is_public() { "public" } else { "internal" }
            ),
            "choose the other type, or reach the API by DNS (api.dns: {})",
        );
    }
    if spec.class == Some(LoadBalancerClass::Classic) {
        draft.problems.error(
            path.key("class"),
            "classic load balancers are not supported",
            "use class: Network",
        );
    }
    if spec.use_for_internal_api == Some(false) {
        draft.problems.warn(
            path.key("useForInternalApi"),
            "machines of the cluster always use the load balancer",
            "remove it",
        );
    }
}
