//! What ends a run, or a wait, early.

use std::time::Duration;

use kops_core::apply::{EventKind, EventSink, Stopped};
use kops_core::testing::{Latencies, MemoryCloud, Op};
use kops_core::{ErrorKind, RunOptions};
use tokio_util::sync::CancellationToken;

use super::{engine, graph, key, volume};

/// A cloud on which a volume takes 45 minutes, and may take so many.
fn slow(deadline: u64) -> MemoryCloud {
    let latencies = Latencies::default().call(Duration::from_millis(100));
    let latencies = latencies.settling("Volume", Duration::from_mins(45));
    MemoryCloud::builder().latencies(latencies.deadline("Volume", Duration::from_mins(deadline))).build()
}

#[tokio::test(start_paused = true)]
async fn a_kind_may_take_as_long_as_its_deadline_says() {
    let engine = engine(&slow(60));
    let report = engine.apply(&engine.plan(&volume()).await.unwrap()).await.unwrap().into_result().unwrap();
    assert!(report.took >= Duration::from_mins(45), "{:?}", report.took);
}

#[tokio::test(start_paused = true)]
async fn what_takes_longer_fails_and_the_next_run_keeps_waiting() {
    let engine = engine(&slow(30));
    let report = engine.apply(&engine.plan(&volume()).await.unwrap()).await.unwrap();
    let [failed] = report.failed.as_slice() else { panic!("{report}") };
    assert_eq!(failed.error.kind(), ErrorKind::DeadlineExceeded);
    assert!(failed.error.hint().unwrap().contains("run again to keep waiting"), "{}", failed.error);
    assert!(failed.took >= Duration::from_mins(30) && report.stopped.is_none());

    let plan = engine.plan(&volume()).await.unwrap();
    assert!(plan.is_empty(), "it was made: {plan}");
    assert_eq!(plan.pending, [key("Volume/data")]);
    let report = engine.apply(&plan).await.unwrap().into_result().unwrap();
    assert!(report.took > Duration::from_mins(10), "{:?}", report.took);
    assert_eq!(report.done[0].task, key("Volume/data"));
    // And now there is nothing to wait for.
    let report = engine.apply(&engine.plan(&volume()).await.unwrap()).await.unwrap();
    assert!(report.done.is_empty() && report.took < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_of_the_run_is_told_from_a_failure_and_from_cancelling() {
    let engine = engine(&slow(60));
    let plan = engine.plan(&graph()).await.unwrap();
    let options = RunOptions::new().deadline(Duration::from_mins(5));
    let report = engine.apply_with(&plan, options).await.unwrap();
    assert_eq!(report.stopped, Some(Stopped::DeadlineExceeded));
    assert!(
        report.took >= Duration::from_mins(4) && report.took <= Duration::from_mins(5),
        "{:?}",
        report.took
    );
    assert!(report.failed.is_empty(), "{report}");
    let [cancelled] = report.cancelled.as_slice() else { panic!("{report}") };
    assert_eq!(cancelled.task, key("Volume/data"));
    assert_eq!(report.done.len(), 2);
    let error = report.into_result().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    assert!(error.to_string().contains("the run's deadline was exceeded"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn planning_ends_with_its_deadline() {
    let latencies = Latencies::default().call(Duration::from_mins(1));
    let engine = engine(&MemoryCloud::builder().latencies(latencies).build());
    let options = || RunOptions::new().deadline(Duration::from_secs(5));
    let error = engine.plan_with(&graph(), options()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    let error = engine.observe_with(&graph(), options()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn cancelling_lets_calls_in_flight_finish_and_fails_nothing() {
    let latencies = Latencies::default().call(Duration::from_millis(100));
    let cloud = MemoryCloud::builder().latencies(latencies).build();
    let engine = engine(&cloud);
    let plan = engine.plan(&graph()).await.unwrap();
    let cancel = CancellationToken::new();
    let trigger = cancel.clone();
    // The network's call is on its way then.
    cloud.inject(move |call| {
        if (call.op, call.kind) == (Op::Create, "Network") {
            trigger.cancel();
        }
        None
    });
    let (sink, mut events) = EventSink::channel();
    let report = engine.apply_now_with(&plan, RunOptions::new().cancel(cancel).events(sink)).await.unwrap();
    assert_eq!(report.stopped, Some(Stopped::Cancelled));
    assert!(report.failed.is_empty() && report.blocked.is_empty(), "{report}");
    assert!(report.done.iter().any(|it| it.task == key("Network/main")), "{report}");
    assert!(report.not_started.contains(&key("Subnet/front")), "{report}");
    assert_eq!(report.clone().into_result().unwrap_err().kind(), ErrorKind::Cancelled);
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event.kind);
    }
    let Some(EventKind::Ended { report: told }) = last else { panic!("{last:?}") };
    assert_eq!(told.stopped, Some(Stopped::Cancelled));
    assert!(cloud.objects().unwrap().iter().any(|it| it.kind == "Network"));
}

#[tokio::test(start_paused = true)]
async fn a_failure_decides_the_kind_also_of_a_run_that_was_stopped() {
    use kops_core::testing::Fault;
    let cloud = slow(60);
    cloud.inject(|call| {
        ((call.op, call.kind) == (Op::Create, "Network")).then_some(Fault::Refuse(ErrorKind::Quota))
    });
    let engine = engine(&cloud);
    let plan = engine.plan(&graph()).await.unwrap();
    let report = engine.apply_with(&plan, RunOptions::new().deadline(Duration::from_mins(1))).await.unwrap();
    assert_eq!((report.failed.len(), report.cancelled.len(), report.blocked.len()), (1, 1, 1));
    let error = report.into_result().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Quota);
    assert_eq!(error.errors().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_is_given_up_is_cancelled_not_failed() {
    use kops_core::testing::Fault;
    let cloud = MemoryCloud::new();
    cloud.inject(|call| (call.op == Op::Create).then_some(Fault::Refuse(ErrorKind::Throttled)));
    let engine = engine(&cloud);
    let plan = engine.plan(&volume()).await.unwrap();
    let report = engine.apply_with(&plan, RunOptions::new().deadline(Duration::from_mins(1))).await.unwrap();
    let [cancelled] = report.cancelled.as_slice() else { panic!("{report}") };
    assert!(cancelled.attempts > 1 && report.failed.is_empty());
}

#[tokio::test]
async fn who_is_cancelled_before_begins_nothing() {
    let cloud = MemoryCloud::new();
    let engine = engine(&cloud);
    let plan = engine.plan(&graph()).await.unwrap();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let (sink, mut events) = EventSink::channel();
    let options = RunOptions::new().cancel(cancel).events(sink);
    assert_eq!(engine.apply_with(&plan, options).await.unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(matches!(events.next().await.unwrap().kind, EventKind::Refused { .. }));
    assert!(events.next().await.is_none());
    assert_eq!(cloud.calls().mutating(), 0);
}
