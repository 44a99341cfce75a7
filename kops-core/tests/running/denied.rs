//! Kinds that may not be listed.

use kops_core::ErrorKind;
use kops_core::graph::TaskGraph;
use kops_core::testing::{Fault, MemoryCloud, Op};

use super::{engine, graph, volume};

fn deny(cloud: &MemoryCloud, kinds: &'static [&'static str]) {
    cloud.inject(move |call| {
        (call.op == Op::List && kinds.contains(&call.kind)).then_some(Fault::Refuse(ErrorKind::Denied))
    });
}

#[tokio::test]
async fn a_kind_that_is_not_in_use_is_a_warning_and_nothing_of_it_is_deleted() {
    let cloud = MemoryCloud::new();
    let engine = engine(&cloud);
    engine.apply(&engine.plan(&graph()).await.unwrap()).await.unwrap().into_result().unwrap();

    deny(&cloud, &["Subnet", "LoadBalancer"]);
    let plan = engine.plan(&volume()).await.unwrap();
    let left_out: Vec<_> = plan.left_out().map(|(kind, _)| kind).collect();
    assert_eq!(left_out, ["LoadBalancer", "Subnet"]);
    let warning = plan.warnings.iter().find(|it| it.starts_with("Subnet ")).unwrap();
    assert!(warning.starts_with("Subnet was not listed: memory:Subnet:list: permission denied"), "{warning}");
    assert!(warning.ends_with("; no object of this kind is deleted"), "{warning}");
    // The network would be deleted, the subnet is not known of.
    assert_eq!(plan.summary.delete, 1);
    assert!(plan.changes.iter().all(|change| change.task.kind() != "Subnet"));
}

#[tokio::test]
async fn a_kind_in_use_has_to_be_listed() {
    let cloud = MemoryCloud::new();
    let engine = engine(&cloud);
    deny(&cloud, &["Subnet"]);
    let error = engine.plan(&graph()).await.unwrap_err();
    assert_eq!((error.kind(), error.task()), (ErrorKind::Denied, Some("listing Subnet")));
    // So has one of whose objects some are to be deleted.
    let error = engine.plan_deletion(&[super::key("Subnet/front")].into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
}

#[tokio::test]
async fn who_may_list_nothing_is_not_told_that_there_is_nothing() {
    let cloud = MemoryCloud::new();
    cloud.inject(|_| Some(Fault::Refuse(ErrorKind::Denied)));
    let error = engine(&cloud).plan(&TaskGraph::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
}

#[tokio::test]
async fn a_permission_that_is_lost_after_planning_makes_the_plan_stale() {
    let cloud = MemoryCloud::new();
    let engine = engine(&cloud);
    engine.apply(&engine.plan(&graph()).await.unwrap()).await.unwrap().into_result().unwrap();
    let plan = engine.plan(&volume()).await.unwrap();
    assert_eq!(plan.summary.delete, 2);
    deny(&cloud, &["Subnet"]);
    let error = engine.apply(&plan).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(cloud.calls().mutating(), 0);
}

#[tokio::test]
async fn all_causes_are_told_and_each_once() {
    let cloud = MemoryCloud::new();
    cloud.inject(|call| match call.kind {
        "Subnet" => Some(Fault::Refuse(ErrorKind::Denied)),
        "Network" | "Volume" => Some(Fault::Refuse(ErrorKind::Unauthenticated)),
        _ => None,
    });
    let error = engine(&cloud).plan(&graph()).await.unwrap_err();
    let mut kinds: Vec<_> = error.errors().iter().map(|it| it.kind().to_string()).collect();
    kinds.sort();
    assert_eq!(kinds, ["not authenticated", "permission denied"], "{error}");
    assert_eq!(error.hint(), None);
}
