//! The network of a new cluster.

use std::collections::BTreeMap;

use super::{NewCluster, TopologyKind, option};
use ipnet::IpNet;

use crate::spec::defaults::{CloudDefaults, assign_cidrs_beside, wants_cidr};
use crate::spec::problem::Problems;
use crate::spec::types::{Bastion, ClusterSpec, DnsType, SubnetSpec, SubnetType, Topology};
use crate::spec::validate::no_room;

/// The places of subnets, in the order in which existing subnets are listed: the zones of the nodes, then those of the
/// control plane that are not among them, or the regions of both.
fn all_places(options: &NewCluster, cloud: &CloudDefaults) -> Vec<String> {
    let mut places: Vec<String> = Vec::new();
    for zone in options.zones.iter().chain(&options.control_plane_zones) {
        let place = subnet_of(zone, cloud);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

/// The name of the subnet for machines in a zone.
pub(super) fn subnet_of(zone: &str, cloud: &CloudDefaults) -> String {
    if cloud.regional_subnets {
        (cloud.region_of)(zone).unwrap_or_else(|| zone.to_owned())
    } else {
        zone.to_owned()
    }
}

pub(super) fn fill(
    spec: &mut ClusterSpec,
    options: &NewCluster,
    cloud: &CloudDefaults,
    problems: &mut Problems,
) {
    let networking = &mut spec.networking;
    let existing = options.existing_network.as_ref();
    networking.network_id = options.network_id.clone().or_else(|| existing.map(|it| it.id.clone()));
    networking.network_cidr = match &options.network_cidr {
        Some(cidr) => Some(*cidr),
        None if existing.is_some() => existing.and_then(|it| it.cidrs.first().copied()),
        None if options.network_id.is_none() => cloud.network_cidr.and_then(|cidr| cidr.parse().ok()),
        None => None,
    };
    networking.additional_network_cidrs.clone_from(&options.additional_network_cidrs);
    if let (Some(existing), [], None) =
        (existing, &options.additional_network_cidrs[..], options.network_cidr)
    {
        networking.additional_network_cidrs.extend(existing.cidrs.iter().skip(1));
    }

    let private = options.topology == TopologyKind::Private;
    let places = all_places(options, cloud);
    let r#type = if private { SubnetType::Private } else { SubnetType::Public };
    networking.subnets = subnets(&places, "", r#type, &options.subnets, "subnets", cloud, problems);
    if private && cloud.utility_subnets {
        networking.subnets.extend(subnets(
            &places,
            "utility-",
            SubnetType::Utility,
            &options.utility_subnets,
            "utility-subnets",
            cloud,
            problems,
        ));
    }
    if networking.network_id.is_none() && !(options.subnets.is_empty() && options.utility_subnets.is_empty())
    {
        problems.error(
            option("network-id"),
            "existing subnets require an existing network",
            "specify that network",
        );
    }
    let mut topology = Topology { dns: Some(options.dns), ..Topology::default() };
    if options.bastion && options.dns != DnsType::None {
        topology.bastion =
            Some(Bastion { public_name: Some(format!("bastion.{}", options.name)), ..Bastion::default() });
    }
    networking.topology = Some(topology);
    let pool = networking.network_cidr.or_else(|| cloud.subnet_pool.and_then(|pool| pool.parse().ok()));
    if let Some(pool) = pool {
        let taken: Vec<IpNet> =
            existing.iter().flat_map(|it| &it.subnets).map(|subnet| subnet.cidr).collect();
        let further = networking.additional_network_cidrs.iter().copied();
        for block in std::iter::once(pool).chain(further) {
            assign_cidrs_beside(block, &taken, &mut networking.subnets, cloud.longest_subnet_prefix);
        }
        if networking.subnets.iter().any(wants_cidr) {
            let (message, fix) = no_room(Some(pool), &networking.subnets, cloud);
            problems.error(option("network-cidr"), message, fix);
        }
    }
}

/// One subnet for each place, sorted; existing ones by their ids, in the order of the places.
fn subnets(
    places: &[String],
    prefix: &str,
    r#type: SubnetType,
    ids: &[String],
    name: &str,
    cloud: &CloudDefaults,
    problems: &mut Problems,
) -> Vec<SubnetSpec> {
    if !ids.is_empty() && ids.len() != places.len() {
        let all = places.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        problems.error(
            option(name),
            format!("there are {} subnets for {} zones or regions", ids.len(), places.len()),
            format!("specify one for each of {all}, in this order"),
        );
    }
    let sorted: BTreeMap<&String, usize> = places.iter().enumerate().map(|(at, place)| (place, at)).collect();
    let made = sorted.into_iter().map(|(place, at)| SubnetSpec {
        name: format!("{prefix}{place}"),
        zone: (!cloud.regional_subnets).then(|| place.clone()),
        region: cloud.regional_subnets.then(|| place.clone()),
        id: ids.get(at).cloned(),
        r#type: Some(r#type),
        ..SubnetSpec::default()
    });
    made.collect()
}
