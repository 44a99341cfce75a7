//! Clusters as users specify them, made on the in-memory cloud: planned, applied, changed and deleted.

#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::BTreeMap;
use std::sync::Arc;

use kops_cluster::{
    ClusterFiles, ClusterGraph, DnsType, LoadBalancerType, NewCluster, SshCredential, TopologyKind,
    cluster_graph, new_cluster,
};
use kops_core::Engine;
use kops_core::graph::TaskGraph;
use kops_core::resource::{DnsZone, Network};
use kops_core::testing::MemoryCloud;

fn ha() -> NewCluster {
    NewCluster::new("ha.example.com", "memory")
        .zones(["zone-1a", "zone-1b", "zone-1c"])
        .control_plane_count(3)
        .topology(TopologyKind::Private)
        .bastion(true)
        .api_load_balancer(LoadBalancerType::Public)
        .dns(DnsType::Public)
        .dns_zone("example.com")
}

fn files(options: &NewCluster) -> ClusterFiles {
    let (cluster, instance_groups) = new_cluster(options).unwrap_or_else(|problems| panic!("{problems}"));
    let mut key = SshCredential::default();
    "admin".clone_into(&mut key.metadata.name);
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ann@desk"
        .clone_into(&mut key.spec.public_key);
    ClusterFiles::new(cluster, instance_groups, [key])
}

fn planned(files: &ClusterFiles, cloud: &MemoryCloud) -> ClusterGraph {
    cluster_graph(files, cloud).unwrap_or_else(|problems| panic!("{problems}"))
}

/// What the cloud holds, by identifier.
fn contents(cloud: &MemoryCloud) -> BTreeMap<String, String> {
    let objects = cloud.objects().unwrap();
    objects.into_iter().map(|object| (object.id.clone(), format!("{object:?}"))).collect()
}

/// A cloud in which somebody has a zone and a network already.
fn cloud() -> MemoryCloud {
    let cloud = MemoryCloud::new();
    cloud.plant::<DnsZone>("example.com", &DnsZone::new("example.com")).unwrap();
    let network = Network::new(["10.0.0.0/16".parse().unwrap()]);
    cloud.plant::<Network>("theirs", &network).unwrap();
    cloud
}

#[tokio::test]
async fn a_cluster_comes_changes_and_goes() {
    let cloud = cloud();
    let before = contents(&cloud);
    let mut files = files(&ha());
    let ClusterGraph { scope, graph, .. } = planned(&files, &cloud);
    let engine = Engine::new(Arc::new(cloud.clone()), scope);

    let plan = engine.plan(&graph).await.unwrap();
    engine.apply(&plan).await.unwrap().into_result().unwrap();
    let second = engine.plan(&graph).await.unwrap();
    assert!(second.is_empty(), "{second}");

    // One group grows, one goes, one comes: exactly that is planned.
    files.instance_groups[3].spec.max_size = Some(7);
    let gone = files.instance_groups.remove(4);
    let mut come = gone.clone();
    "more".clone_into(&mut come.metadata.name);
    files.instance_groups.push(come);
    let graph = planned(&files, &cloud).graph;
    let plan = engine.plan(&graph).await.unwrap();
    let summary = &plan.summary;
    assert_eq!((summary.create, summary.update, summary.delete, summary.replace), (1, 1, 1, 0), "{plan}");
    engine.apply(&plan).await.unwrap().into_result().unwrap();
    assert!(engine.plan(&graph).await.unwrap().is_empty());

    let plan = engine.plan(&TaskGraph::default()).await.unwrap();
    engine.apply(&plan).await.unwrap().into_result().unwrap();
    assert_eq!(contents(&cloud), before, "the cloud is as it was");
}

#[tokio::test]
async fn every_topology_is_made_and_is_then_as_specified() {
    for dns in [DnsType::Public, DnsType::None] {
        for balancer in [LoadBalancerType::Public, LoadBalancerType::Internal] {
            for topology in [TopologyKind::Public, TopologyKind::Private] {
                let mut options = ha().dns(dns).api_load_balancer(balancer).topology(topology).bastion(false);
                options.dns_zone = (dns != DnsType::None).then(|| "example.com".to_owned());
                let cloud = cloud();
                let ClusterGraph { scope, graph, .. } = planned(&files(&options), &cloud);
                let engine = Engine::new(Arc::new(cloud.clone()), scope);
                let plan = engine.plan(&graph).await.unwrap();
                engine.apply(&plan).await.unwrap().into_result().unwrap();
                let second = engine.plan(&graph).await.unwrap();
                assert!(second.is_empty(), "{dns} {balancer} {topology}: {second}");
            }
        }
    }
}

#[test]
fn what_is_wrong_is_told_once_and_all_at_once() {
    let mut files = files(&ha());
    files.cluster.spec.networking.subnets[0].cidr = Some("10.9.0.0/24".parse().unwrap());
    files.instance_groups[3].spec.subnets = vec!["elsewhere".to_owned()];
    files.instance_groups[3].spec.tenancy = Some("host".to_owned());
    let problems = cluster_graph(&files, &MemoryCloud::new()).unwrap_err();
    let told: Vec<_> = problems.errors().map(|it| format!("{} {}", it.object, it.path)).collect();
    for place in [
        "Cluster/ha.example.com spec.subnets[0].cidr",
        "InstanceGroup/nodes-zone-1a spec.subnets[0]",
        "InstanceGroup/nodes-zone-1a spec.tenancy",
    ] {
        assert_eq!(told.iter().filter(|it| *it == place).count(), 1, "{place} in {told:#?}");
    }

    files.cluster.spec.cloud_provider = kops_cluster::CloudProvider::by_name("aws");
    let problems = cluster_graph(&files, &MemoryCloud::new()).unwrap_err();
    assert!(problems.to_string().contains("the cluster is for cloud aws, but the given cloud is memory"));
}
