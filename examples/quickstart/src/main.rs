//! A highly available cluster on the in-memory cloud: planned, applied, changed, deleted.
//!
//! Needs no service and no credentials: `cargo run -p quickstart`. With another `Cloud` in place of
//! `MemoryCloud` the same program provisions that cloud.

#![expect(clippy::print_stdout, reason = "a program shows what it does")]

use std::error::Error;
use std::sync::Arc;

use kops_cluster::{
    ClusterFiles, DnsType, LoadBalancerType, NewCluster, TopologyKind, cluster_graph, new_cluster,
};
use kops_core::graph::TaskGraph;
use kops_core::resource::DnsZone;
use kops_core::store::Journal;
use kops_core::testing::MemoryCloud;
use kops_core::{Engine, Report};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let cloud = MemoryCloud::new();
    // The names of the cluster are in a zone that exists already and is kept.
    cloud.plant::<DnsZone>("example.com", &DnsZone::new("example.com"))?;

    step("A specification, as `kops create cluster` writes it");
    let (cluster, instance_groups) = new_cluster(
        &NewCluster::new("ha.example.com", "memory")
            .zones(["zone-a", "zone-b", "zone-c"])
            .control_plane_count(3)
            .topology(TopologyKind::Private)
            .bastion(true)
            .api_load_balancer(LoadBalancerType::Public)
            .dns(DnsType::Public)
            .dns_zone("example.com"),
    )?;
    println!("{} groups of machines", instance_groups.len());
    let mut files = ClusterFiles::new(cluster, instance_groups, []);

    let planned = cluster_graph(&files, &cloud)?;
    let engine = Engine::new(Arc::new(cloud.clone()), planned.scope).journal(Arc::new(Journal::in_memory()));

    step("Planned");
    let plan = engine.plan(&planned.graph).await?;
    print!("{plan}");

    step("Applied");
    report(&engine.apply(&plan).await?.into_result()?);

    step("Planned again: nothing to do");
    let calls = cloud.calls();
    print!("{}", engine.plan(&planned.graph).await?);
    println!(
        "{} calls, {} of them changed something",
        cloud.calls().since(&calls).total(),
        cloud.calls().since(&calls).mutating()
    );

    step("Changed: more nodes in one zone, of another type");
    let nodes = files.instance_groups.iter_mut().find(|group| group.name() == "nodes-zone-b");
    let nodes = nodes.ok_or("there is no group nodes-zone-b")?;
    nodes.spec.max_size = Some(5);
    nodes.spec.machine_type = Some("large".into());
    let graph = cluster_graph(&files, &cloud)?.graph;
    let plan = engine.plan(&graph).await?;
    print!("{plan}");
    report(&engine.apply(&plan).await?.into_result()?);

    step("Deleted: planned as the empty graph");
    let plan = engine.plan(&TaskGraph::default()).await?;
    println!("{}", plan.headline());
    report(&engine.apply(&plan).await?.into_result()?);
    for left in cloud.objects()? {
        println!("kept, because the cluster does not own it: {} {}", left.kind, left.id);
    }
    Ok(())
}

fn step(title: &str) {
    println!("\n=== {title}");
}

fn report(report: &Report) {
    println!("{report}");
}
