//! How long an application takes, in virtual time, against what is possible.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use kops_core::Engine;
use kops_core::cloud::Scope;
use kops_core::store::Journal;
use kops_core::testing::{Latencies, MemoryCloud};

use crate::{graphs, planning, waves};

pub(crate) fn run(runtime: &dyn Fn() -> tokio::runtime::Runtime, quick: bool) {
    println!("\nmakespan, virtual seconds (calls 250 ms, NAT gateway 95 s, load balancer 120 s, join 86 s)");
    println!(
        "{:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>6}",
        "clusters", "path", "bucket", "ours", "waves", "ratio"
    );
    for clusters in if quick { vec![1] } else { vec![1, 50] } {
        let paced = clusters > 1;
        let outcome = runtime().block_on(ours(clusters, paced));
        let waves = runtime().block_on(in_waves(clusters, paced));
        let floor = outcome.path.max(outcome.bucket);
        let s = |time: Duration| format!("{:.1}", time.as_secs_f64());
        println!(
            "{clusters:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>6.3}",
            s(outcome.path),
            s(outcome.bucket),
            s(outcome.took),
            s(waves),
            outcome.took.as_secs_f64() / floor.as_secs_f64()
        );
    }
    println!(
        "path: the longest chain; bucket: calls over refill of the fullest bucket; ratio: ours over the larger"
    );
}

struct Outcome {
    path: Duration,
    bucket: Duration,
    took: Duration,
}

fn cloud(paced: bool) -> MemoryCloud {
    let builder = MemoryCloud::builder().latencies(Latencies::realistic());
    let cloud = if paced { builder.throttling().paced(64).build() } else { builder.build() };
    planning::plant_zone(&cloud);
    cloud
}

fn engine(cloud: &MemoryCloud, number: usize) -> Engine {
    Engine::new(Arc::new(cloud.clone()), Scope::new(format!("c{number}.example.com")))
        .journal(Arc::new(Journal::in_memory()))
}

/// All clusters at once, in one account.
async fn ours(clusters: usize, paced: bool) -> Outcome {
    let cloud = cloud(paced);
    let mut plans = Vec::new();
    for number in 0..clusters {
        let engine = engine(&cloud, number);
        let plan = engine.plan(&graphs::cluster(&format!("c{number}.example.com"))).await.unwrap();
        plans.push((engine, plan));
    }
    let path = plans.iter().map(|(_, plan)| plan.critical_path()).max().unwrap();
    refill().await;
    let before = cloud.calls();
    let reports = join_all(plans.iter().map(|(engine, plan)| engine.apply_now(plan))).await;
    let took = reports.into_iter().map(|report| report.unwrap().into_result().unwrap().took).max().unwrap();
    let bucket = cloud.least_time(&cloud.calls().since(&before));
    Outcome { path, bucket, took }
}

async fn in_waves(clusters: usize, paced: bool) -> Duration {
    let cloud = cloud(paced);
    let runs = (0..clusters).map(|number| {
        let engine = engine(&cloud, number);
        async move { waves::apply(&engine, &graphs::cluster(&format!("c{number}.example.com"))).await }
    });
    join_all(runs).await.into_iter().max().unwrap()
}

/// Lets the buckets fill up after planning, so that only the application is measured.
#[expect(clippy::disallowed_methods, reason = "virtual time")]
async fn refill() {
    tokio::time::sleep(Duration::from_mins(10)).await;
}
