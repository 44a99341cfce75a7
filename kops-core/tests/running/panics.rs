//! Providers that panic.

use kops_core::ErrorKind;
use kops_core::graph::TaskGraph;
use kops_core::testing::{MemoryCloud, Op};

use super::{engine, graph, key};

#[tokio::test]
async fn a_panic_fails_its_own_step_and_nothing_else() {
    let cloud = MemoryCloud::new();
    cloud.inject(|call| {
        assert!(!(call.op == Op::Create && call.kind == "Network"), "no index 7");
        None
    });
    let engine = engine(&cloud);
    let report = engine.apply(&engine.plan(&graph()).await.unwrap()).await.unwrap();
    assert_eq!(report.done.iter().map(|it| &it.task).collect::<Vec<_>>(), [&key("Volume/data")]);
    assert_eq!(report.blocked[0].task, key("Subnet/front"));
    let [failed] = report.failed.as_slice() else { panic!("{report}") };
    assert_eq!((&failed.task, failed.error.kind()), (&key("Network/main"), ErrorKind::Internal));
    assert_eq!(failed.error.task(), Some("Network/main"));
    assert_eq!(failed.error.message(), "the provider panicked: no index 7");

    // The next run does what is left.
    cloud.heal();
    engine.apply(&engine.plan(&graph()).await.unwrap()).await.unwrap().into_result().unwrap();
}

#[tokio::test]
async fn a_panic_while_listing_is_an_error_of_the_plan() {
    let cloud = MemoryCloud::new();
    cloud.inject(|call| {
        assert!(call.kind != "Volume", "no page");
        None
    });
    let error = engine(&cloud).plan(&TaskGraph::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.task()), (ErrorKind::Internal, Some("listing Volume")));
}
