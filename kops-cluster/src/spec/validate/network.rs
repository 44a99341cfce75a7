//! Validation of networks, subnets and topology.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::text::{host_bits, not_dns_name};
use crate::spec::address::mend_address;
use crate::spec::defaults::{CloudDefaults, longest_network_prefix, overlap, wants_cidr};
use crate::spec::path::Path;
use crate::spec::problem::Problems;
use crate::spec::types::{ClusterSpec, InstanceGroup, Networking, SubnetSpec, SubnetType};

pub(super) fn check(
    spec: &ClusterSpec,
    groups: &[InstanceGroup],
    cloud: &CloudDefaults,
    problems: &mut Problems,
) {
    let at = Path::of("spec.networking");
    let networking = &spec.networking;
    blocks(networking, &at, cloud, problems);
    inner_ranges(networking, &at, problems);
    plugin(networking, &at, problems);
    if networking.subnets.is_empty() {
        problems.error(
            at.key("subnets"),
            "there are no subnets",
            "specify at least one, with a name, a zone and a type",
        );
    }
    for (number, subnet) in networking.subnets.iter().enumerate() {
        let here = at.key("subnets").index(number);
        subnet_place(subnet, &networking.subnets[..number], &here, cloud, problems);
        subnet_addresses(subnet, networking, number, &here, cloud, problems);
        subnet_ways_out(subnet, networking, &here, cloud, problems);
    }
    regions(networking, &at, cloud, problems);
    topology(spec, groups, &at.key("topology"), problems);
}

/// Checks the CIDRs of the network.
fn blocks(networking: &Networking, at: &Path, cloud: &CloudDefaults, problems: &mut Problems) {
    let first = networking.network_cidr.iter().map(|cidr| (at.key("networkCIDR"), cidr));
    let others = networking.additional_network_cidrs.iter().enumerate();
    let others = others.map(|(number, cidr)| (at.key("additionalNetworkCIDRs").index(number), cidr));
    let all: Vec<(Path, &IpNet)> = first.chain(others).collect();
    for (number, (here, cidr)) in all.iter().enumerate() {
        host_bits(cidr, here, problems);
        if let Some((shortest, longest)) = cloud.network_prefixes
            && !(shortest..=longest).contains(&cidr.prefix_len())
        {
            problems.error(
                here.clone(),
                format!("{cidr} is not between /{shortest} and /{longest}"),
                format!("use a block such as {}", cloud.network_cidr.unwrap_or("10.0.0.0/16")),
            );
        }
        if let Some((_, other)) = all[..number].iter().find(|(_, other)| overlap(other, cidr)) {
            problems.error(
                here.clone(),
                format!("{cidr} overlaps {other}"),
                "use blocks that do not overlap",
            );
        }
    }
    if networking.network_cidr.is_none()
        && !networking.additional_network_cidrs.is_empty()
        && networking.network_id.is_none()
    {
        problems.error(
            at.key("networkCIDR"),
            "is required with additional CIDRs",
            "specify the network's primary CIDR",
        );
    }
}

/// Checks the CIDRs of pods and services.
fn inner_ranges(networking: &Networking, at: &Path, problems: &mut Problems) {
    let ranges = [
        ("nonMasqueradeCIDR", networking.non_masquerade_cidr),
        ("serviceClusterIPRange", networking.service_cluster_ip_range),
        ("podCIDR", networking.pod_cidr),
    ];
    let shares_network = pods_live_in_the_network(networking);
    for (name, range) in ranges {
        let Some(range) = range else { continue };
        host_bits(&range, &at.key(name), problems);
        // Services may lie in the network wherever no subnet is, which the checks of subnets see to.
        let may_share = shares_network || name == "serviceClusterIPRange";
        if let Some(block) = networking.network_cidrs().find(|block| overlap(block, &range))
            && !may_share
            && range.prefix_len() > 0
        {
            problems.error(
                at.key(name),
                format!("{range} overlaps the network {block}"),
                "use a range of its own, such as one within 100.64.0.0/10",
            );
        }
    }
    if let (Some(services), Some(pods)) = (networking.service_cluster_ip_range, networking.pod_cidr)
        && overlap(&services, &pods)
    {
        problems.warn(
            at.key("podCIDR"),
            format!("{pods} overlaps the services' {services}"),
            "use ranges that do not overlap, unless the cluster exists already and runs with them",
        );
    }
    let Some(all) = networking.non_masquerade_cidr else { return };
    for (name, range) in &ranges[1..] {
        if let Some(range) = range.filter(|range| same_family(range, &all) && !all.contains(range))
            && !shares_network
        {
            problems.error(
                at.key(*name),
                format!("{range} is outside {all}"),
                "use a range within nonMasqueradeCIDR, or widen that",
            );
        }
    }
}

/// Whether pods have addresses of the network.
fn pods_live_in_the_network(networking: &Networking) -> bool {
    let cilium_eni = |settings: &crate::spec::Opaque| {
        settings.0.get("ipam").and_then(serde_json::Value::as_str) == Some("eni")
    };
    networking.amazonvpc.is_some() || networking.cilium.as_ref().is_some_and(cilium_eni)
}

fn same_family(a: &IpNet, b: &IpNet) -> bool {
    matches!((a, b), (IpNet::V4(_), IpNet::V4(_)) | (IpNet::V6(_), IpNet::V6(_)))
}

fn plugin(networking: &Networking, at: &Path, problems: &mut Problems) {
    let chosen: Vec<&str> = networking.plugins().map(|(name, _)| name).collect();
    let removed: Vec<&str> = networking.removed_plugins().collect();
    for name in &removed {
        problems.error(
            at.key(*name),
            format!("{name} does not run with any supported version of Kubernetes"),
            format!("use one of {} instead", Networking::PLUGINS.join(", ")),
        );
    }
    if chosen.is_empty() && !removed.is_empty() {
        return;
    }
    if chosen.len() == 1 {
        return;
    }
    let all = Networking::PLUGINS.join(", ");
    if chosen.is_empty() {
        problems.error(
            at.clone(),
            "no network plugin is set",
            format!("set exactly one of {all}: cilium: {{}}"),
        );
    } else {
        problems.error(
            at.clone(),
            format!("{} are mutually exclusive", chosen.join(" and ")),
            "keep exactly one of them",
        );
    }
}

/// Checks a subnet's name, zone and region.
fn subnet_place(
    subnet: &SubnetSpec,
    before: &[SubnetSpec],
    at: &Path,
    cloud: &CloudDefaults,
    problems: &mut Problems,
) {
    if subnet.name.is_empty() {
        problems.error(
            at.key("name"),
            "the subnet has no name",
            "specify a name, for example that of its zone",
        );
    } else if subnet.name.chars().any(char::is_control) || subnet.name.trim() != subnet.name {
        // Anything else is a name, as in kOps; what a cloud makes of it in its objects' names is the cloud's affair.
        problems.error(
            at.key("name"),
            format!("{:?} is not a name: it has control characters, or blanks around it", subnet.name),
            "use a name such as us-east-1a",
        );
    } else if before.iter().any(|other| other.name == subnet.name) {
        problems.error(
            at.key("name"),
            format!("another subnet is also named {}", subnet.name),
            "use a different name for each",
        );
    }
    if cloud.regional_subnets {
        if subnet.region.is_none() {
            problems.error(at.key("region"), "the subnet has no region", "specify its region");
        }
        return;
    }
    match subnet.zone.as_deref() {
        // It is looked up.
        None | Some("") if subnet.is_shared() => {}
        None | Some("") => problems.error(
            at.key("zone"),
            "the subnet has no zone",
            format!("specify its zone, such as {}", cloud.zone_example),
        ),
        Some(zone) if (cloud.region_of)(zone).is_none() => problems.error(
            at.key("zone"),
            format!("{zone:?} is not the name of a zone"),
            format!("use a name such as {}", cloud.zone_example),
        ),
        Some(_) => {}
    }
}

/// Checks a subnet's CIDRs.
fn subnet_addresses(
    subnet: &SubnetSpec,
    networking: &Networking,
    number: usize,
    at: &Path,
    cloud: &CloudDefaults,
    problems: &mut Problems,
) {
    if let Some(ipv6) = &subnet.ipv6_cidr
        && !ipv6.starts_with("/64#")
        && !matches!(ipv6.parse(), Ok(IpNet::V6(_)))
    {
        problems.error(
            at.key("ipv6CIDR"),
            format!("{ipv6:?} is not an IPv6 CIDR"),
            "use one such as 2001:db8::/64, or /64#0 for the first /64 of the network's CIDR",
        );
    }
    let here = at.key("cidr");
    let Some(cidr) = subnet.cidr else {
        // Once for all of them: either all get a CIDR, or none.
        if wants_cidr(subnet) && !networking.subnets[..number].iter().any(wants_cidr) {
            let (message, fix) = no_room(networking.network_cidr, &networking.subnets, cloud);
            problems.error(here, message, fix);
        }
        return;
    };
    host_bits(&cidr, &here, problems);
    let mut blocks = networking.network_cidrs().peekable();
    if let Some(network) = blocks.peek().copied().copied()
        && !blocks.any(|block| block.contains(&cidr))
    {
        problems.error(
            here.clone(),
            format!("{cidr} is outside the network {network}"),
            "use addresses of the network",
        );
    }
    if cidr.prefix_len() > cloud.longest_subnet_prefix && matches!(cidr, IpNet::V4(_)) {
        problems.error(
            here.clone(),
            format!("{cidr} is too small"),
            format!("use a /{} or larger", cloud.longest_subnet_prefix),
        );
    }
    let others = networking.subnets[..number].iter();
    if let Some((other, theirs)) =
        others.filter_map(|other| Some((other, other.cidr?))).find(|(_, it)| overlap(it, &cidr))
    {
        problems.error(
            here.clone(),
            format!("{cidr} overlaps {theirs} of subnet {}", other.name),
            "use ranges that do not overlap",
        );
    }
    let pods = networking.pod_cidr.filter(|_| !pods_live_in_the_network(networking));
    for (what, range) in [("pods", pods), ("services", networking.service_cluster_ip_range)] {
        if let Some(range) = range.filter(|range| overlap(range, &cidr) && range.prefix_len() > 0) {
            problems.error(
                here.clone(),
                format!("{cidr} of subnet {} overlaps {range}, where {what} are", subnet.name),
                "use other addresses for one of them",
            );
        }
    }
}

/// Why subnets have no CIDRs, and what to do.
pub(crate) fn no_room(
    network: Option<IpNet>,
    subnets: &[SubnetSpec],
    cloud: &CloudDefaults,
) -> (String, String) {
    let count = subnets.iter().filter(|subnet| wants_cidr(subnet)).count();
    let what = if count == 1 { "its subnet".to_owned() } else { format!("its {count} subnets") };
    let Some(network) = network else {
        let why = "its CIDR cannot be allocated, because the network's is not known";
        return (why.to_owned(), "specify its CIDR, or the network's".to_owned());
    };
    let message = format!("{network} has no room for {what}");
    let fix = match longest_network_prefix(subnets, cloud.longest_subnet_prefix) {
        Some(prefix) if prefix < network.prefix_len() => {
            format!("use a network of /{prefix} or larger, or specify the CIDRs of subnets")
        }
        _ => "use a larger network, or specify the CIDRs of subnets".to_owned(),
    };
    (message, fix)
}

/// Checks existing subnets, egress and routes.
fn subnet_ways_out(
    subnet: &SubnetSpec,
    networking: &Networking,
    at: &Path,
    cloud: &CloudDefaults,
    problems: &mut Problems,
) {
    if subnet.is_shared() && networking.network_id.is_none() {
        problems.error(
            at.key("id"),
            "an existing subnet requires an existing network",
            "specify that network in networkID, or remove the id to create a new subnet",
        );
    }
    if let Some(egress) = subnet.egress.as_deref() {
        // Somebody else sees to the routes of such a subnet.
        if subnet.is_public() && egress != "External" {
            problems.error(
                at.key("egress"),
                "a public subnet cannot have an egress",
                "remove it, or use External if its routes are not the cluster's",
            );
        }
        if egress != "External" && is_other_id(egress, cloud.egress) {
            problems.error(
                at.key("egress"),
                format!("{egress:?} is not a valid egress"),
                format!("use External, or an id that begins with one of {}", cloud.egress.join(", ")),
            );
        }
    }
    if let Some(address) = &subnet.public_ip
        && address.parse::<std::net::IpAddr>().is_err()
    {
        problems.error(
            at.key("publicIP"),
            format!("{address:?} is not an address"),
            mend_address(address).unwrap_or_else(|| "use an address such as 203.0.113.7".to_owned()),
        );
    }
    for (number, route) in subnet.additional_routes.iter().enumerate() {
        let here = at.key("additionalRoutes").index(number);
        if subnet.is_shared() {
            problems.error(
                here.clone(),
                "an existing subnet keeps its own routes",
                "add the route to its route table",
            );
        }
        match &route.cidr {
            None => problems.error(here.key("cidr"), "the route has no destination", "specify a CIDR"),
            Some(cidr) => {
                host_bits(cidr, &here.key("cidr"), problems);
                if networking.network_cidrs().any(|block| block.contains(cidr)) {
                    problems.error(
                        here.key("cidr"),
                        format!("{cidr} is within the network"),
                        "route to other addresses",
                    );
                }
            }
        }
        if is_other_id(&route.target, cloud.route_targets) {
            problems.error(
                here.key("target"),
                format!("{:?} is not a valid route target", route.target),
                format!("use an id that begins with one of {}", cloud.route_targets.join(", ")),
            );
        }
    }
}

/// Whether an id has none of the known prefixes; always false if the cloud's prefixes are not known.
fn is_other_id(id: &str, beginnings: &[&str]) -> bool {
    !beginnings.is_empty() && !beginnings.iter().any(|beginning| id.starts_with(beginning))
}

/// Checks that all subnets are in one region.
fn regions(networking: &Networking, at: &Path, cloud: &CloudDefaults, problems: &mut Problems) {
    if !cloud.zones_name_regions {
        return;
    }
    let regions: BTreeSet<String> = networking
        .subnets
        .iter()
        .filter_map(|subnet| subnet.region.clone().or_else(|| (cloud.region_of)(subnet.zone.as_deref()?)))
        .collect();
    if regions.len() > 1 {
        let all = regions.iter().map(String::as_str).collect::<Vec<_>>().join(" and ");
        problems.error(
            at.key("subnets"),
            format!("they are in {all}"),
            "a cluster must be in one region: use zones of the same region",
        );
    }
}

fn topology(spec: &ClusterSpec, groups: &[InstanceGroup], at: &Path, problems: &mut Problems) {
    let cloud = CloudDefaults::of(spec.cloud_provider.as_ref());
    let networking = &spec.networking;
    let of = |r#type| networking.subnets.iter().any(|subnet| subnet.r#type == Some(r#type));
    let private = of(SubnetType::Private) || of(SubnetType::DualStack);

    for (number, subnet) in networking.subnets.iter().enumerate() {
        let needs_front =
            subnet.r#type == Some(SubnetType::Private) && !subnet.is_shared() && subnet.egress.is_none();
        let has_front = networking.subnets.iter().any(|other| other.is_public() && other.zone == subnet.zone);
        if needs_front && !has_front && cloud.utility_subnets {
            let zone = subnet.zone.as_deref().unwrap_or("its zone");
            problems.error(
                Path::of("spec.networking.subnets").index(number),
                format!("this private subnet has no egress: there is no utility subnet in {zone}"),
                format!("add a subnet of type Utility in {zone}, or set egress"),
            );
        }
    }
    let Some(topology) = &networking.topology else { return };
    for (name, kind) in [("controlPlane", &topology.control_plane), ("nodes", &topology.nodes)] {
        match kind.as_deref() {
            Some("private") if !private => problems.error(
                at.key(name),
                "private machines need private subnets",
                "add subnets of type Private and Utility, or set it to public",
            ),
            None | Some("private" | "public") => {}
            Some(other) => {
                problems.error(at.key(name), format!("{other:?} is not supported"), "use public or private");
            }
        }
    }
    let bastions = groups.iter().any(InstanceGroup::is_bastion);
    if let Some(bastion) = &topology.bastion {
        if !bastions {
            problems.error(
                at.key("bastion"),
                "no instance group has role Bastion",
                "add an instance group with role Bastion, or remove this",
            );
        }
        if let Some(name) = &bastion.public_name
            && let Some(why) = not_dns_name(name)
        {
            problems.error(
                at.key("bastion").key("publicName"),
                format!("{name:?} is not a DNS name: {why}"),
                "use a name such as bastion.demo.example.com",
            );
        }
    }
}
