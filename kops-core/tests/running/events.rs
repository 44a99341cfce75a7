//! Who hears what.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use kops_core::apply::{Event, EventKind, EventSink, EventStream};
use kops_core::plan::Action;
use kops_core::testing::{Fault, Latencies, MemoryCloud, Op};
use kops_core::{Engine, ErrorKind, RunOptions};

use super::{engine, graph, key};

/// The network's first call is throttled, the volume's is refused.
fn rough() -> MemoryCloud {
    let latencies = Latencies::default().settling("Network", Duration::from_secs(20));
    let cloud = MemoryCloud::builder().latencies(latencies).build();
    cloud.inject(|call| match (call.op, call.kind, call.nth) {
        (Op::Create, "Network", 1) => Some(Fault::Refuse(ErrorKind::Throttled)),
        (Op::Create, "Volume", _) => Some(Fault::Refuse(ErrorKind::Quota)),
        _ => None,
    });
    cloud
}

async fn apply(engine: &Engine) -> Vec<Event> {
    let plan = engine.plan(&graph()).await.unwrap();
    let (sink, stream) = EventSink::channel();
    let kept = sink.clone();
    let report = engine.apply_with(&plan, RunOptions::new().events(sink)).await.unwrap();
    // It ends although a sink is left.
    let events: Vec<Event> = stream.collect().await;
    drop(kept);
    let EventKind::Ended { report: told } = &events.last().unwrap().kind else { panic!("{events:?}") };
    assert_eq!(told.to_string(), report.to_string());
    events
}

#[tokio::test(start_paused = true)]
async fn a_step_tells_what_becomes_of_it() {
    let events = apply(&engine(&rough())).await;
    assert!(matches!(events[0].kind, EventKind::RunStarted { steps: 3 }), "{:?}", events[0]);
    let mut network = Vec::new();
    for event in &events {
        let (task, what) = match &event.kind {
            EventKind::Started { task, .. } => (task, "started".to_owned()),
            EventKind::Retrying { task, attempt, error, action, .. } => {
                assert_eq!((*action, error.kind()), (Action::Create, ErrorKind::Throttled));
                (task, format!("retrying {attempt}"))
            }
            EventKind::Settling { task, .. } => (task, "settling".to_owned()),
            EventKind::Finished { task, attempts, took, .. } => {
                if *task == key("Network/main") {
                    assert!(*took >= Duration::from_secs(20), "{took:?}");
                }
                (task, format!("finished after {attempts}"))
            }
            EventKind::Failed { error, attempts, .. } => {
                assert_eq!((error.kind(), *attempts), (ErrorKind::Quota, 1));
                continue;
            }
            _ => continue,
        };
        if *task == key("Network/main") {
            network.push(what);
        }
    }
    assert_eq!(network, ["started", "retrying 2", "settling", "finished after 2"]);
}

#[tokio::test(start_paused = true)]
async fn events_of_different_runs_can_be_told_apart() {
    let engine = engine(&rough());
    let (first, second) = (apply(&engine).await, apply(&engine).await);
    for events in [&first, &second] {
        assert!(events.iter().all(|event| event.run == events[0].run && &*event.scope == "shop"));
        assert!(events.iter().zip(&events[1..]).all(|(earlier, later)| earlier.at <= later.at));
    }
    assert_ne!(first[0].run, second[0].run);
}

#[tokio::test]
async fn a_function_hears_events_and_two_sinks_hear_the_same() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = heard.clone();
    let function =
        EventSink::from_fn(move |event: &Event| listener.lock().unwrap().push(format!("{:?}", event.kind)));
    let (channel, stream) = EventSink::channel();
    let engine = engine(&MemoryCloud::new());
    let plan = engine.plan(&graph()).await.unwrap();
    engine.apply_with(&plan, RunOptions::new().events(function.and(channel))).await.unwrap();
    let streamed: Vec<_> = stream.map(|event| format!("{:?}", event.kind)).collect().await;
    assert_eq!(*heard.lock().unwrap(), streamed);
    assert!(streamed.len() > 6);
}

#[tokio::test]
async fn who_does_not_read_stalls_nobody() {
    let engine = engine(&MemoryCloud::new());
    let plan = engine.plan(&graph()).await.unwrap();
    let (sink, mut unread) = EventSink::channel();
    let (other, gone): (EventSink, EventStream) = EventSink::channel();
    drop(gone);
    let options = RunOptions::new().events(sink).events(other);
    engine.apply_with(&plan, options).await.unwrap().into_result().unwrap();
    assert!(unread.next().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_a_run_that_is_dropped() {
    let engine = engine(&rough());
    let plan = engine.plan(&graph()).await.unwrap();
    let (sink, mut stream) = EventSink::channel();
    let run = engine.apply_with(&plan, RunOptions::new().events(sink));
    assert!(tokio::time::timeout(Duration::from_secs(10), run).await.is_err());
    let mut last = None;
    while let Some(event) = stream.next().await {
        last = Some(event.kind);
    }
    assert!(!last.unwrap().is_last());
}

#[tokio::test(start_paused = true)]
async fn the_report_names_a_task_once() {
    let engine = engine(&rough());
    let report = engine.apply(&engine.plan(&graph()).await.unwrap()).await.unwrap();
    let text = report.to_string();
    assert_eq!(text.matches("Volume/data").count(), 1, "{text}");
    assert!(text.contains("cannot create Volume/data: memory:Volume:create: quota exceeded"), "{text}");
}
