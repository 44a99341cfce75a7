//! The network, its subnets, and their egress.
//!
//! Public and utility subnets use the internet gateway. The private subnets of a zone share a NAT gateway in
//! a public or utility subnet of the zone, or the egress that they name. If NAT gateways are not zonal, one
//! serves the whole network; if the cloud has none, the internet gateway translates addresses (as a router
//! does). Existing networks and subnets are looked up and never changed.

use crate::extensions::MachineRole;
use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::draft::{Draft, by_zone, is_open};
use crate::spec::{Path, SubnetSpec, SubnetType};
use kops_core::graph::{Expectation, Handle, Input};
use kops_core::resource::{self, Access, Address, Egress, InternetGateway, NatGateway, Network, Route};

/// The network of a cluster, as tasks.
pub(super) struct Site {
    pub(super) network: Handle<Network>,
    pub(super) gateway: Option<Handle<InternetGateway>>,
    /// By name in the specification.
    pub(super) subnets: BTreeMap<String, Handle<resource::Subnet>>,
    /// The public addresses of private machines.
    pub(super) nat_addresses: Vec<Input<String>>,
    /// Subnets whose machines have public addresses that are not known here.
    pub(super) unknown_addresses: Vec<String>,
}

/// The parsed `egress` of a subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
enum WayOut {
    /// A NAT gateway of the cluster, with an existing address if one is named.
    Nat { address: Option<String> },
    /// An existing NAT gateway.
    SharedNat(String),
    /// Any other existing object.
    Existing(String),
    /// Managed outside of the cluster.
    External,
}

impl WayOut {
    fn of(subnet: &SubnetSpec) -> Self {
        // As in kOps, the form of the identifier tells the type of egress.
        match subnet.egress.as_deref() {
            None | Some("") => Self::Nat { address: subnet.public_ip.clone() },
            Some("External") => Self::External,
            Some(id) if id.starts_with("eipalloc-") => Self::Nat { address: Some(id.to_owned()) },
            Some(id) if id.starts_with("nat-") => Self::SharedNat(id.to_owned()),
            Some(id) => Self::Existing(id.to_owned()),
        }
    }
}

pub(super) fn build(draft: &mut Draft<'_>) -> Site {
    check(draft);
    let mut site = Site {
        network: network(draft),
        gateway: None,
        subnets: BTreeMap::new(),
        nat_addresses: Vec::new(),
        unknown_addresses: Vec::new(),
    };
    site.gateway = gateway(draft, &site);
    // Public subnets come first, because NAT gateways are placed in them.
    let subnets = &draft.networking().subnets;
    for (at, subnet) in subnets.iter().enumerate().filter(|(_, subnet)| is_open(subnet)) {
        let egress = match &site.gateway {
            Some(gateway) if WayOut::of(subnet) != WayOut::External => Egress::Internet(gateway.id()),
            _ => Egress::None,
        };
        add_subnet(draft, &mut site, at, subnet, egress);
    }
    let ways = ways_out(draft, &mut site);
    for (at, subnet) in subnets.iter().enumerate().filter(|(_, subnet)| !is_open(subnet)) {
        let key = nat_zone(draft, subnet);
        let egress = ways.get(key).cloned().unwrap_or_default();
        add_subnet(draft, &mut site, at, subnet, egress);
    }
    site
}

fn network(draft: &mut Draft<'_>) -> Handle<Network> {
    let networking = draft.networking();
    let name = draft.names.cluster();
    if let Some(id) = &networking.network_id {
        let network = draft.graph.share(name, id);
        let root = Path::of("spec.networking");
        let further = networking.additional_network_cidrs.iter().enumerate();
        let further = further.map(|(at, cidr)| (root.key("additionalNetworkCIDRs").index(at), *cidr));
        let own = networking.subnets.iter().enumerate().filter(|(_, subnet)| !subnet.is_shared());
        let own =
            own.filter_map(|(at, subnet)| Some((root.key("subnets").index(at).key("cidr"), subnet.cidr?)));
        let first = networking.network_cidr.map(|cidr| (root.key("networkCIDR"), cidr));
        let ranges: Vec<_> = first.into_iter().chain(further).chain(own).collect();
        for (path, cidr) in ranges {
            let expected = Expectation::covers("cidrs", cidr, Draft::written(&path));
            draft.graph.expect(&network, expected.hint("use a range of the network"));
        }
        return network;
    }
    let cidrs: Vec<IpNet> = networking.network_cidrs().copied().collect();
    draft.graph.add(name, Network::new(cidrs))
}

/// The internet gateway, if one of the cluster's own subnets needs it.
fn gateway(draft: &mut Draft<'_>, site: &Site) -> Option<Handle<InternetGateway>> {
    let translates = !draft.blueprint.capabilities.nat_gateways;
    let needed = draft.networking().subnets.iter().any(|subnet| {
        !subnet.is_shared()
            && match WayOut::of(subnet) {
                WayOut::External => false,
                _ if is_open(subnet) => true,
                WayOut::Nat { .. } => translates,
                WayOut::SharedNat(_) | WayOut::Existing(_) => false,
            }
    });
    let name = draft.names.cluster();
    needed.then(|| match &draft.networking().network_id {
        Some(network) => draft.graph.share(name, network),
        None => draft.graph.add(name, InternetGateway::new(site.network.id())),
    })
}

/// The zone whose private subnets share a NAT gateway; a single name for all if gateways are not zonal.
fn nat_zone<'a>(draft: &Draft<'_>, subnet: &'a SubnetSpec) -> &'a str {
    if draft.blueprint.capabilities.zonal_nat_gateways {
        subnet.zone.as_deref().unwrap_or_default()
    } else {
        ""
    }
}

/// The egress of the cluster's own private subnets, by zone.
fn ways_out(draft: &mut Draft<'_>, site: &mut Site) -> BTreeMap<String, Egress> {
    let networking = draft.networking();
    let mut zones: BTreeMap<&str, Vec<(usize, &SubnetSpec)>> = BTreeMap::new();
    for (at, subnet) in networking.subnets.iter().enumerate().filter(|(_, subnet)| !is_open(subnet)) {
        if subnet.is_shared() {
            site.unknown_addresses.push(subnet.name.clone());
        } else {
            zones.entry(nat_zone(draft, subnet)).or_default().push((at, subnet));
        }
    }
    let mut ways = BTreeMap::new();
    for (zone, subnets) in zones {
        let Some(&(first, subnet)) = subnets.first() else { continue };
        let way = WayOut::of(subnet);
        for &(at, other) in subnets.iter().filter(|(_, other)| WayOut::of(other) != way) {
            draft.problems.error(
                Path::of("spec.networking.subnets").index(at).key("egress"),
                format!(
                    "it differs from that of {}, but the private subnets of a zone share their egress",
                    subnet.name
                ),
                format!("use the same egress and publicIP as {}", other.name),
            );
        }
        let translated = draft.blueprint.capabilities.nat_gateways;
        let known = match way {
            WayOut::SharedNat(_) => true,
            WayOut::Nat { .. } => translated || site.gateway.is_some(),
            WayOut::Existing(_) | WayOut::External => false,
        };
        if !known {
            site.unknown_addresses.extend(subnets.iter().map(|(_, subnet)| subnet.name.clone()));
        }
        let egress = match way {
            WayOut::External => Egress::None,
            WayOut::Existing(id) => Egress::Existing(id),
            WayOut::SharedNat(id) => {
                let gateway: Handle<NatGateway> = draft.graph.share(&nat_name(draft, zone), id);
                site.nat_addresses.push(gateway.get(NatGateway::PUBLIC_IP));
                Egress::Nat(gateway.id())
            }
            WayOut::Nat { address } if translated => nat(draft, site, zone, first, address),
            WayOut::Nat { .. } => match site.gateway.clone() {
                Some(gateway) => {
                    site.nat_addresses.push(gateway.get(InternetGateway::PUBLIC_IP));
                    Egress::Internet(gateway.id())
                }
                None => Egress::None,
            },
        };
        ways.insert(zone.to_owned(), egress);
    }
    ways
}

fn nat_name(draft: &Draft<'_>, zone: &str) -> String {
    if zone.is_empty() { draft.names.cluster().to_owned() } else { draft.names.scoped(zone) }
}

/// A NAT gateway for the private subnets of a zone; `first` is the index of the first of them in the
/// specification.
fn nat(draft: &mut Draft<'_>, site: &mut Site, zone: &str, first: usize, address: Option<String>) -> Egress {
    let subnet = if draft.blueprint.capabilities.zonal_nat_gateways {
        let open = draft.networking().subnets.iter().filter(|it| is_open(it));
        let here = open.filter(|it| it.zone.as_deref().unwrap_or_default() == zone);
        // Utility subnets are meant for this; a public one works as well.
        let best = here.min_by_key(|it| (it.r#type != Some(SubnetType::Utility), &it.name));
        let Some(best) = best else {
            draft.problems.error(
                Path::of("spec.networking.subnets").index(first),
                format!("it is private, but zone {zone} has no public or utility subnet for its NAT gateway"),
                format!("add a subnet of type Utility in zone {zone}, or set its egress"),
            );
            return Egress::None;
        };
        site.subnets.get(&best.name).map(Handle::id)
    } else {
        None
    };
    let name = nat_name(draft, zone);
    let address: Handle<Address> = match address {
        Some(existing) => draft.graph.share(&name, existing),
        None => draft.graph.add(&name, Address::new()),
    };
    let gateway = NatGateway::new(site.network.id(), address.id()).subnet(subnet);
    let gateway = draft.graph.add(&name, gateway);
    if let Some(internet) = &site.gateway {
        draft.graph.after(&gateway, internet);
    }
    site.nat_addresses.push(address.get(Address::IP));
    Egress::Nat(gateway.id())
}

fn add_subnet(draft: &mut Draft<'_>, site: &mut Site, at: usize, subnet: &SubnetSpec, egress: Egress) {
    let name = draft.names.scoped(&subnet.name);
    let path = Path::of("spec.networking.subnets").index(at);
    let handle = if let Some(id) = &subnet.id {
        let shared = draft.graph.share(&name, id);
        expect_as_specified(draft, site, &path, subnet, &shared);
        shared
    } else if let Some(cidr) = subnet.cidr {
        let mut routes = BTreeSet::new();
        for (at, route) in subnet.additional_routes.iter().enumerate() {
            match route.cidr {
                Some(cidr) => drop(routes.insert(Route::new(cidr, route.target.clone()))),
                None => draft.problems.error(
                    path.key("additionalRoutes").index(at).key("cidr"),
                    "the route has no destination",
                    "specify the destination CIDR, such as 192.168.0.0/16",
                ),
            }
        }
        let mut task = resource::Subnet::new(site.network.id(), cidr)
            .access(access(subnet))
            .egress(egress)
            .routes(routes)
            .labels(labels(draft, subnet));
        task.zone.clone_from(&subnet.zone);
        draft.graph.add(&name, task)
    } else {
        draft.problems.error(
            path.key("cidr"),
            "is required",
            "specify the subnet's CIDR, within the network's, or the id of an existing subnet",
        );
        return;
    };
    site.subnets.insert(subnet.name.clone(), handle);
}

/// An existing subnet is where the specification says.
fn expect_as_specified(
    draft: &mut Draft<'_>,
    site: &Site,
    path: &Path,
    subnet: &SubnetSpec,
    shared: &Handle<resource::Subnet>,
) {
    let zone = subnet.zone.as_ref().filter(|_| draft.blueprint.capabilities.zonal_subnets);
    let zone = zone.map(|zone| Expectation::is("zone", zone, Draft::written(&path.key("zone"))));
    let cidr =
        subnet.cidr.map(|cidr| Expectation::is("cidr", &cidr.trunc(), Draft::written(&path.key("cidr"))));
    let network = Expectation::is("network", &site.network.id(), "the network of the cluster");
    for expectation in [zone, cidr, Some(network)].into_iter().flatten() {
        draft.expect(shared, path, expectation);
    }
}

fn access(subnet: &SubnetSpec) -> Access {
    match subnet.r#type {
        None | Some(SubnetType::Public) => Access::Public,
        Some(SubnetType::Utility) => Access::Utility,
        Some(SubnetType::Private | SubnetType::DualStack) => Access::Private,
    }
}

/// The labels by which controllers in the cluster choose subnets for the load balancers of services.
fn labels(draft: &Draft<'_>, subnet: &SubnetSpec) -> BTreeMap<String, String> {
    let networking = draft.networking();
    if networking.tag_subnets == Some(false) {
        return BTreeMap::new();
    }
    let kind = subnet.r#type.unwrap_or(SubnetType::Public);
    // Without private subnets, the public ones serve internal load balancers as well.
    let inside = !is_open(subnet) || networking.subnets.iter().all(is_open);
    let mut labels = BTreeMap::from([("SubnetType".to_owned(), kind.to_string())]);
    if is_open(subnet) {
        labels.insert("kubernetes.io/role/elb".to_owned(), "1".to_owned());
    }
    if inside {
        labels.insert("kubernetes.io/role/internal-elb".to_owned(), "1".to_owned());
    }
    labels
}

/// Rejects what the model or the cloud does not support.
fn check(draft: &mut Draft<'_>) {
    let capabilities = &draft.blueprint.capabilities;
    let networking = draft.networking();
    let problems = &mut draft.problems;
    let root = Path::of("spec.networking");
    let shared = networking.network_id.is_some() || networking.subnets.iter().any(SubnetSpec::is_shared);
    if shared && !capabilities.shared_networks {
        problems.error(
            root.key("networkID"),
            "existing networks and subnets cannot be used on this cloud",
            "remove networkID and the ids of subnets",
        );
    }
    let no_ipv6 = |problems: &mut crate::spec::Problems, path: Path| {
        problems.error(path, "IPv6 is not supported yet", "use IPv4 CIDRs only");
    };
    for (at, cidr) in networking.additional_network_cidrs.iter().enumerate() {
        if matches!(cidr, IpNet::V6(_)) {
            no_ipv6(problems, root.key("additionalNetworkCIDRs").index(at));
        }
    }
    for (key, cidr) in [
        ("networkCIDR", networking.network_cidr),
        ("nonMasqueradeCIDR", networking.non_masquerade_cidr),
        ("podCIDR", networking.pod_cidr),
        ("serviceClusterIPRange", networking.service_cluster_ip_range),
    ] {
        if matches!(cidr, Some(IpNet::V6(_))) {
            no_ipv6(problems, root.key(key));
        }
    }
    for (at, subnet) in networking.subnets.iter().enumerate() {
        let path = root.key("subnets").index(at);
        if subnet.ipv6_cidr.is_some() {
            no_ipv6(problems, path.key("ipv6CIDR"));
        }
        if matches!(subnet.cidr, Some(IpNet::V6(_))) {
            no_ipv6(problems, path.key("cidr"));
        }
        if subnet.r#type == Some(SubnetType::DualStack) {
            no_ipv6(problems, path.key("type"));
        }
        if capabilities.zonal_subnets && subnet.zone.is_none() {
            let message = if subnet.is_shared() { "has not been looked up" } else { "is required" };
            problems.error(path.key("zone"), message, "specify the zone of the subnet");
        }
    }
}

/// The subnets of a load balancer: the best one of each zone.
pub(super) fn balancer_subnets(
    draft: &Draft<'_>,
    site: &Site,
    public: bool,
) -> BTreeSet<Input<kops_core::graph::Id<resource::Subnet>>> {
    let control_plane: BTreeSet<&str> = draft
        .groups_of(MachineRole::ControlPlane)
        .flat_map(|group| group.spec.subnets.iter().map(String::as_str))
        .collect();
    // An internal load balancer of a cluster without private subnets is placed among its public machines.
    let subnets = &draft.networking().subnets;
    let open = public || subnets.iter().all(is_open);
    let fitting = subnets.iter().filter(|subnet| is_open(subnet) == open);
    // As in kOps: utility subnets first, then those of the control plane.
    let best = |subnets: Vec<&'_ SubnetSpec>| {
        let score = |subnet: &SubnetSpec| {
            u8::from(control_plane.contains(subnet.name.as_str()))
                + u8::from(subnet.r#type == Some(SubnetType::Utility))
        };
        let name = subnets.iter().max_by(|a, b| score(a).cmp(&score(b)).then_with(|| b.name.cmp(&a.name)));
        name.and_then(|subnet| site.subnets.get(&subnet.name)).map(Handle::id)
    };
    by_zone(fitting).into_values().filter_map(best).collect()
}
