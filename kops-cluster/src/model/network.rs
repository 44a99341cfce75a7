//! The network, its subnets, and their ways out.
//!
//! Public and utility subnets go out through the internet gateway. Private subnets of a zone share a NAT
//! gateway in a public or utility subnet of the zone, or the way out that their `egress` names; where NAT
//! gateways are not zonal, one serves the whole network, and where there are none, the internet gateway
//! translates addresses (a router does). Existing networks and subnets are looked up and left as they are.

use crate::extensions::MachineRole;
use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::draft::{Draft, by_zone, is_open};
use crate::spec::{Path, SubnetSpec, SubnetType};
use kops_core::graph::{Handle, Input};
use kops_core::resource::{self, Access, Address, Egress, InternetGateway, NatGateway, Network, Route};

/// The network of a cluster in the graph.
pub(super) struct Site {
    pub(super) network: Handle<Network>,
    pub(super) gateway: Option<Handle<InternetGateway>>,
    /// By their names in the specification.
    pub(super) subnets: BTreeMap<String, Handle<resource::Subnet>>,
    /// The addresses under which private machines appear on the internet.
    pub(super) nat_addresses: Vec<Input<String>>,
    /// Subnets whose machines appear on the internet under addresses that are not known here.
    pub(super) unknown_addresses: Vec<String>,
}

/// The `egress` of a subnet, read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum WayOut {
    /// A NAT gateway made for it, at an existing address if one is named.
    Nat { address: Option<String> },
    /// An existing NAT gateway.
    SharedNat(String),
    /// Another existing object.
    Existing(String),
    /// Somebody else sees to it.
    External,
}

impl WayOut {
    fn of(subnet: &SubnetSpec) -> Self {
        // kOps tells what an egress is by the form of its identifier.
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
    // A NAT gateway lives in a public subnet: those come first.
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
        return draft.graph.share(name, id);
    }
    let cidrs: Vec<IpNet> = networking.network_cidrs().copied().collect();
    draft.graph.add(name, Network::new(cidrs))
}

/// The internet gateway, if a subnet of the cluster's own needs one.
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

/// The zone by which private subnets share a NAT gateway; one name for all where gateways are not zonal.
fn nat_zone<'a>(draft: &Draft<'_>, subnet: &'a SubnetSpec) -> &'a str {
    if draft.blueprint.capabilities.zonal_nat_gateways {
        subnet.zone.as_deref().unwrap_or_default()
    } else {
        ""
    }
}

/// The way out of the cluster's own private subnets, by zone.
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
                    "it differs from that of {}, and private subnets of a zone share their way out",
                    subnet.name
                ),
                format!("give {} the same egress and publicIP", other.name),
            );
        }
        let translated = draft.blueprint.capabilities.nat_gateways;
        let known = match way {
            WayOut::SharedNat(_) => true,
            WayOut::Nat { .. } => translated,
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
            WayOut::Nat { .. } => site.gateway.as_ref().map_or(Egress::None, |it| Egress::Internet(it.id())),
        };
        ways.insert(zone.to_owned(), egress);
    }
    ways
}

fn nat_name(draft: &Draft<'_>, zone: &str) -> String {
    if zone.is_empty() { draft.names.cluster().to_owned() } else { draft.names.scoped(zone) }
}

/// A NAT gateway for the private subnets of a zone, the first of which is at `first` in the specification.
fn nat(draft: &mut Draft<'_>, site: &mut Site, zone: &str, first: usize, address: Option<String>) -> Egress {
    let subnet = if draft.blueprint.capabilities.zonal_nat_gateways {
        let open = draft.networking().subnets.iter().filter(|it| is_open(it));
        let here = open.filter(|it| it.zone.as_deref().unwrap_or_default() == zone);
        // Utility subnets are made for this; a public one does as well.
        let best = here.min_by_key(|it| (it.r#type != Some(SubnetType::Utility), &it.name));
        let Some(best) = best else {
            draft.problems.error(
                Path::of("spec.networking.subnets").index(first),
                format!(
                    "it is private, and no public or utility subnet in zone {zone} can hold its NAT gateway"
                ),
                format!("add a subnet of type Utility in zone {zone}, or say with egress how it goes out"),
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
        draft.graph.share(&name, id)
    } else if let Some(cidr) = subnet.cidr {
        let mut routes = BTreeSet::new();
        for (at, route) in subnet.additional_routes.iter().enumerate() {
            match route.cidr {
                Some(cidr) => drop(routes.insert(Route::new(cidr, route.target.clone()))),
                None => draft.problems.error(
                    path.key("additionalRoutes").index(at).key("cidr"),
                    "the route has no destination",
                    "write the range it leads to, like 192.168.0.0/16",
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
            "it is missing",
            "write the range of the subnet, inside the network's, or the id of an existing subnet",
        );
        return;
    };
    site.subnets.insert(subnet.name.clone(), handle);
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
    // Without private subnets the public ones serve inside as well.
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

/// What cannot be built here.
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
            "leave networkID and the ids of subnets out",
        );
    }
    let no_ipv6 = |problems: &mut crate::spec::Problems, path: Path| {
        problems.error(path, "IPv6 is not supported yet", "use IPv4 ranges, and leave IPv6 ones out");
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
            problems.error(path.key("zone"), "it is missing", "name the zone that the subnet lies in");
        }
    }
}

/// The subnets that a load balancer stands in: one to a zone, the best of it.
pub(super) fn balancer_subnets(
    draft: &Draft<'_>,
    site: &Site,
    public: bool,
) -> BTreeSet<Input<kops_core::graph::Id<resource::Subnet>>> {
    let control_plane: BTreeSet<&str> = draft
        .groups_of(MachineRole::ControlPlane)
        .flat_map(|group| group.spec.subnets.iter().map(String::as_str))
        .collect();
    // An internal load balancer of a cluster without private subnets stands among its public machines.
    let subnets = &draft.networking().subnets;
    let open = public || subnets.iter().all(is_open);
    let fitting = subnets.iter().filter(|subnet| is_open(subnet) == open);
    // As kOps has it: utility subnets before others, and those of the control plane before others.
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
