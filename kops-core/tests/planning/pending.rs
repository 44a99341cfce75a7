//! Objects that exist and are not ready yet are waited for, whether something is to be changed or not.

use std::time::Duration;

use kops_core::Engine;
use kops_core::cloud::{Scope, State};
use kops_core::graph::{Key, TaskGraph};
use kops_core::resource::{Resource as _, Volume};
use kops_core::testing::{Latencies, MemoryCloud};

use crate::site;

const SETTLING: Duration = Duration::from_mins(20);

fn volume() -> TaskGraph {
    let mut graph = TaskGraph::builder();
    graph.add("slow", Volume::new("a", 1));
    graph.build().unwrap()
}

/// A volume that was made by a program that did not wait for it.
async fn left_pending() -> (MemoryCloud, Engine) {
    let cloud =
        MemoryCloud::builder().latencies(Latencies::default().settling(Volume::KIND, SETTLING)).build();
    let engine = site::engine(&cloud, Scope::new("shop"));
    let plan = engine.plan(&volume()).await.unwrap();
    assert_eq!(plan.pending, []);
    tokio::time::timeout(Duration::from_mins(1), engine.apply(&plan)).await.unwrap_err();
    (cloud, engine)
}

fn state(cloud: &MemoryCloud) -> State {
    cloud.objects().unwrap().into_iter().find(|it| it.kind == Volume::KIND).unwrap().state
}

#[tokio::test(start_paused = true)]
async fn a_plan_without_changes_waits_for_what_is_pending() {
    let (cloud, engine) = left_pending().await;
    assert_eq!(state(&cloud), State::Pending);
    let plan = engine.plan(&volume()).await.unwrap();
    assert!(plan.is_empty());
    assert_eq!(plan.pending, [Key::new(Volume::KIND, "slow")]);
    assert_eq!(plan.headline(), "shop on memory: nothing to change; waiting for 1; 1 unchanged.");
    assert!(plan.to_string().contains("Not ready yet; applying waits for them:\n  Volume/slow\n"), "{plan}");

    let before = cloud.calls();
    engine.apply(&plan).await.unwrap().into_result().unwrap();
    assert_eq!(state(&cloud), State::Ready);
    assert_eq!(cloud.calls().since(&before).mutating(), 0);
    let after = engine.plan(&volume()).await.unwrap();
    assert_eq!(after.pending, []);
    assert_eq!(after.headline(), "shop on memory: nothing to do; 1 unchanged.");
    assert_eq!(after.fingerprint, plan.fingerprint, "a plan does not go stale by waiting");
}

#[tokio::test(start_paused = true)]
async fn what_changes_does_not_wait_for_what_it_does_not_need() {
    let (cloud, engine) = left_pending().await;
    let mut graph = TaskGraph::builder();
    graph.add("slow", Volume::new("a", 1));
    graph.add("shop", site::network());
    let plan = engine.plan(&graph.build().unwrap()).await.unwrap();
    assert_eq!(plan.headline(), "shop on memory: 1 to create; waiting for 1; 1 unchanged.");
    let report = engine.apply(&plan).await.unwrap().into_result().unwrap();
    assert!(report.done[0].took < Duration::from_secs(1), "{report:?}");
    assert!(report.took > Duration::from_mins(15), "{report:?}");
    assert_eq!(state(&cloud), State::Ready);
}

#[tokio::test(start_paused = true)]
async fn what_is_deleted_is_not_waited_for() {
    let (cloud, engine) = left_pending().await;
    let plan = engine.plan(&TaskGraph::default()).await.unwrap();
    assert_eq!((plan.summary.delete, plan.pending.len()), (1, 0));
    engine.apply(&plan).await.unwrap().into_result().unwrap();
    assert!(cloud.objects().unwrap().is_empty());
}
