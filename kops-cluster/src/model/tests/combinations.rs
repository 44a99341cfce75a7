//! Whatever `kops create cluster` can make becomes a graph.

use super::support::{facts, machines, names, regional, zonal};
use crate::cloud::{CLUSTER_FIELDS, Dialect, GROUP_FIELDS};
use crate::model::{Blueprint, build};
use crate::spec::{
    DnsType, LoadBalancerType, Networking, NewCluster, TopologyKind, new_cluster, populate, validate,
};
use kops_core::cloud::Capabilities;

/// Claims every setting of every cloud.
#[derive(Debug)]
struct Polyglot;

impl Dialect for Polyglot {
    fn group_fields(&self) -> &[&str] {
        GROUP_FIELDS
    }

    fn cluster_fields(&self) -> &[&str] {
        CLUSTER_FIELDS
    }
}

/// The clouds served, with zones and what there is.
fn clouds() -> Vec<(&'static str, [&'static str; 3], Capabilities)> {
    let router = zonal().nat_gateways(false).zonal_nat_gateways(false);
    vec![
        ("aws", ["us-east-1a", "us-east-1b", "us-east-1c"], zonal()),
        ("memory", ["zone-1a", "zone-1b", "zone-1c"], zonal()),
        ("gce", ["us-central1-a", "us-central1-b", "us-central1-c"], regional()),
        ("azure", ["eastus-1", "eastus-2", "eastus-3"], regional()),
        ("openstack", ["nova-a", "nova-b", "nova-c"], router),
    ]
}

fn combinations(cloud: &str, zones: [&str; 3]) -> Vec<NewCluster> {
    let mut all = Vec::new();
    for zones in [&zones[..1], &zones[..]] {
        for control_planes in [1, 3, 5] {
            for topology in [TopologyKind::Public, TopologyKind::Private] {
                for dns in [DnsType::Public, DnsType::Private, DnsType::None] {
                    for balancer in [None, Some(LoadBalancerType::Public), Some(LoadBalancerType::Internal)] {
                        // Each plugin has its turn.
                        let plugin = Networking::PLUGINS[all.len() % Networking::PLUGINS.len()];
                        let mut new = NewCluster::new("all.example.com", cloud)
                            .zones(zones.iter().map(|zone| (*zone).to_owned()))
                            .control_plane_count(control_planes)
                            .control_plane_size("large")
                            .node_size("large")
                            .image("image")
                            .topology(topology)
                            .bastion(topology == TopologyKind::Private)
                            .api_load_balancer(balancer)
                            .dns(dns)
                            .networking(plugin);
                        new.dns_zone = (dns != DnsType::None).then(|| "example.com".to_owned());
                        all.push(new);
                    }
                }
            }
        }
    }
    all
}

#[test]
fn whatever_can_be_made_becomes_a_graph() {
    let mut built = 0;
    for (cloud, zones, capabilities) in clouds() {
        let before = built;
        for options in combinations(cloud, zones) {
            // Some combinations are refused as they are made.
            let Ok((cluster, groups)) = new_cluster(&options) else { continue };
            let (cluster, mut groups) = populate(&cluster, &groups);
            for group in &mut groups {
                group.spec.machine_type.get_or_insert_with(|| "small".to_owned());
            }
            if validate(&cluster, &groups).has_errors() {
                continue;
            }
            let (bootstrap, facts) = (machines(), facts());
            let blueprint = Blueprint::new(
                &cluster,
                &groups,
                &[],
                capabilities.clone(),
                &Polyglot,
                &bootstrap,
                Ok(&facts),
            );
            let graph = build(&blueprint).unwrap_or_else(|problems| panic!("{options:#?}\n{problems}")).graph;
            assert_eq!(names(&graph, "InstanceGroup").len(), groups.len());
            assert!(graph.specs::<kops_core::resource::InstanceGroup>().unwrap().iter().all(|(_, group)| {
                !group.subnets.is_empty() && !group.image.is_empty() && group.identity.is_some()
            }));
            built += 1;
        }
        assert!(built - before > 50, "{cloud}: {} graphs", built - before);
    }
}
