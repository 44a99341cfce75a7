//! Clusters as users specify them.

use kops_cluster::{
    ClusterFiles, DnsType, LoadBalancerType, NewCluster, SshCredential, TopologyKind, cluster_graph,
    new_cluster,
};
use kops_core::Engine;
use kops_core::graph::TaskGraph;
use kops_gce_emulator::IMAGE;

use crate::lab::{CLUSTER, Lab, ZONES};
use crate::site::KEY;

/// A highly available cluster: three control planes and three groups of nodes in a private subnet, a bastion, a
/// load balancer, and names in a public zone.
fn ha(balancer: LoadBalancerType, dns: DnsType) -> ClusterFiles {
    ha_in(balancer, TopologyKind::Private, dns)
}

/// The same in another topology.
pub(crate) fn ha_in(balancer: LoadBalancerType, topology: TopologyKind, dns: DnsType) -> ClusterFiles {
    let options = NewCluster::new(CLUSTER, "gce")
        .zones(ZONES)
        .control_plane_count(3)
        .control_plane_size("n2-standard-2")
        .node_size("n2-standard-2")
        .node_count(3)
        .image(IMAGE)
        .project("any")
        .topology(topology)
        .bastion(topology == TopologyKind::Private)
        .api_load_balancer(balancer)
        .dns(dns)
        .dns_zone("example.com");
    let (cluster, instance_groups) = new_cluster(&options).unwrap_or_else(|problems| panic!("{problems}"));
    let mut key = SshCredential::default();
    "admin".clone_into(&mut key.metadata.name);
    KEY.clone_into(&mut key.spec.public_key);
    ClusterFiles::new(cluster, instance_groups, [key])
}

/// The graph of a cluster with so many more groups of nodes, and a lab whose scope is the cluster's.
pub(crate) fn graph_of(lab: &mut Lab, files: &ClusterFiles) -> TaskGraph {
    let planned = cluster_graph(files, &*lab.gce).unwrap_or_else(|problems| panic!("{problems}"));
    lab.engine = Engine::new(lab.gce.clone(), planned.scope);
    planned.graph
}

pub(crate) fn with_groups(files: &mut ClusterFiles, count: usize) {
    let nodes = files.instance_groups.iter().find(|group| group.name().starts_with("nodes")).unwrap().clone();
    for number in 0..count {
        let mut group = nodes.clone();
        group.metadata.name = format!("more-{number}");
        files.instance_groups.push(group);
    }
}

pub(crate) fn usual() -> ClusterFiles {
    ha(LoadBalancerType::Public, DnsType::Public)
}

#[tokio::test]
async fn a_cluster_comes_settles_and_goes() {
    let mut lab = Lab::new().await;
    let graph = graph_of(&mut lab, &usual());
    lab.apply(&graph).await;
    lab.delete().await;
}

#[tokio::test]
async fn an_internal_load_balancer_and_no_names_do_as_well() {
    let mut lab = Lab::new().await;
    let graph = graph_of(&mut lab, &ha(LoadBalancerType::Internal, DnsType::None));
    lab.apply(&graph).await;
    lab.delete().await;
}
