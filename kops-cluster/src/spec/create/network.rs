//! The network of a new cluster.

use std::collections::BTreeSet;

use super::{NewCluster, TopologyKind, option};
use crate::spec::defaults::{CloudDefaults, assign_cidrs};
use crate::spec::problem::Problems;
use crate::spec::types::{Bastion, ClusterSpec, DnsType, SubnetSpec, SubnetType, Topology};

/// The zones of nodes and control plane, sorted: one subnet for each, or for each of their regions.
fn all_zones(options: &NewCluster) -> BTreeSet<&str> {
    options.zones.iter().chain(&options.control_plane_zones).map(String::as_str).collect()
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
    networking.network_id.clone_from(&options.network_id);
    networking.network_cidr = match &options.network_cidr {
        Some(cidr) => Some(*cidr),
        None if options.network_id.is_none() => cloud.network_cidr.and_then(|cidr| cidr.parse().ok()),
        None => None,
    };
    networking.additional_network_cidrs.clone_from(&options.additional_network_cidrs);

    let private = options.topology == TopologyKind::Private;
    let zones = all_zones(options);
    let places: BTreeSet<String> = zones.iter().map(|zone| subnet_of(zone, cloud)).collect();
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
    if options.network_id.is_none() && !(options.subnets.is_empty() && options.utility_subnets.is_empty()) {
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
        assign_cidrs(pool, &mut networking.subnets, cloud.longest_subnet_prefix);
    }
}

/// One subnet for each place; existing ones by their ids, in the same order.
fn subnets(
    places: &BTreeSet<String>,
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
    let made = places.iter().enumerate().map(|(at, place)| SubnetSpec {
        name: format!("{prefix}{place}"),
        zone: (!cloud.regional_subnets).then(|| place.clone()),
        region: cloud.regional_subnets.then(|| place.clone()),
        id: ids.get(at).cloned(),
        r#type: Some(r#type),
        ..SubnetSpec::default()
    });
    made.collect()
}
