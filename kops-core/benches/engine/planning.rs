//! The local part of planning: comparing, deciding, ordering, and the fingerprint.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kops_core::cloud::Scope;
use kops_core::graph::TaskGraph;
use kops_core::lower::Native;
use kops_core::resource::DnsZone;
use kops_core::testing::MemoryCloud;
use kops_core::{Engine, Snapshot};

use crate::graphs;

pub(crate) fn run(runtime: &tokio::runtime::Runtime, quick: bool) {
    println!("local planning, median of several runs, real milliseconds");
    println!("{:>8}  {:>10}  {:>10}  {:>10}", "tasks", "unchanged", "create", "delete");
    let sizes: &[usize] = if quick { &[100] } else { &[100, 1_000, 10_000] };
    for &size in sizes {
        let graph = Arc::new(graphs::of_size(size));
        let (engine, snapshot) = runtime.block_on(applied(&graph));
        let snapshot = Arc::new(snapshot);
        let native = Arc::new(Native::from(graph.clone()));
        let empty = Arc::new(runtime.block_on(foreign_only(&engine, &graph)));
        let unchanged = median(quick, || engine.plan_from(native.clone(), snapshot.clone()).unwrap());
        let create = median(quick, || engine.plan_from(native.clone(), empty.clone()).unwrap());
        let delete = median(quick, || engine.plan_from(TaskGraph::default(), snapshot.clone()).unwrap());
        let ms = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1e3);
        println!("{:>8}  {:>10}  {:>10}  {:>10}", graph.len(), ms(unchanged), ms(create), ms(delete));
    }
}

/// The graph applied to a cloud that takes no time.
async fn applied(graph: &TaskGraph) -> (Engine, Snapshot) {
    let cloud = MemoryCloud::new();
    plant_zone(&cloud);
    let engine = Engine::new(Arc::new(cloud), Scope::new("bench"))
        .journal(Arc::new(kops_core::store::Journal::in_memory()));
    let plan = engine.plan(graph).await.unwrap();
    engine.apply_now(&plan).await.unwrap().into_result().unwrap();
    let snapshot = engine.observe(graph).await.unwrap();
    assert!(engine.plan(graph).await.unwrap().is_empty());
    (engine, snapshot)
}

/// What the cloud holds before anything is made.
async fn foreign_only(engine: &Engine, graph: &TaskGraph) -> Snapshot {
    let cloud = MemoryCloud::new();
    plant_zone(&cloud);
    let fresh = Engine::new(Arc::new(cloud), engine.scope().clone());
    fresh.observe(graph).await.unwrap()
}

pub(crate) fn plant_zone(cloud: &MemoryCloud) {
    cloud.plant::<DnsZone>("zone", &DnsZone::new("example.com")).unwrap();
}

/// The median time of a run, without dropping its result.
#[expect(clippy::disallowed_methods, reason = "this measures real time")]
fn median<T>(quick: bool, mut run: impl FnMut() -> T) -> Duration {
    let rounds = if quick { 1 } else { 9 };
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            let result = run();
            let time = start.elapsed();
            drop(result);
            time
        })
        .collect();
    times.sort();
    times[rounds / 2]
}
