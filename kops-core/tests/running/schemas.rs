//! What is emitted is valid by the schemas in the repository.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jsonschema::Validator;
use kops_core::apply::{EVENT_FORMAT, Event, EventSink, REPORT_FORMAT, Report};
use kops_core::graph::TaskGraph;
use kops_core::testing::{Fault, Latencies, MemoryCloud, Op};
use kops_core::{ErrorKind, RunOptions};
use serde_json::{Value, json};

use super::strict::validator;
use super::{engine, graph};

fn require_valid(validator: &Validator, document: &Value) {
    let errors: Vec<_> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{document:#}");
}

/// Whatever can happen, in a few runs.
async fn runs() -> (Vec<Event>, Vec<Report>) {
    let latencies = Latencies::default().call(Duration::from_secs(1));
    let latencies = latencies.settling("Network", Duration::from_secs(20));
    let cloud = MemoryCloud::builder().latencies(latencies).build();
    cloud.inject(|call| match (call.op, call.kind, call.nth) {
        (Op::Create, "Network", 1) => Some(Fault::Refuse(ErrorKind::Throttled)),
        (Op::Create, "Network", 2) => Some(Fault::Refuse(ErrorKind::Quota)),
        _ => None,
    });
    let engine = engine(&cloud);
    let events = Arc::new(Mutex::new(Vec::new()));
    let mut reports = Vec::new();
    let stale = engine.plan(&graph()).await.unwrap();
    let nothing = TaskGraph::default();
    for (graph, deadline) in [(&graph(), 600_000), (&graph(), 500), (&graph(), 600_000), (&nothing, 600_000)]
    {
        let heard = events.clone();
        let sink = EventSink::from_fn(move |event| heard.lock().unwrap().push(event.clone()));
        let options = RunOptions::new().events(sink).deadline(Duration::from_millis(deadline));
        let plan = engine.plan(graph).await.unwrap();
        reports.push(engine.apply_now_with(&plan, options.clone()).await.unwrap());
        if let Ok(report) = engine.apply_with(&stale, options).await {
            reports.push(report);
        }
    }
    let events = events.lock().unwrap().clone();
    (events, reports)
}

#[tokio::test(start_paused = true)]
async fn events_and_reports_are_valid_by_their_schemas() {
    let event = validator(include_str!("../../../schemas/event.v1.json"));
    let report = validator(include_str!("../../../schemas/report.v1.json"));
    let (events, reports) = runs().await;
    let mut kinds = BTreeSet::new();
    for told in &events {
        let document = serde_json::to_value(told).unwrap();
        assert_eq!(document["format"], EVENT_FORMAT);
        require_valid(&event, &document);
        kinds.insert(document["event"].as_str().unwrap().to_owned());
    }
    let all = [
        "blocked",
        "cancelled",
        "ended",
        "failed",
        "finished",
        "refused",
        "retrying",
        "run_started",
        "settling",
        "started",
    ];
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), all, "every event was tried");
    let mut told = BTreeSet::new();
    for it in &reports {
        let document = serde_json::to_value(it).unwrap();
        assert_eq!(document["format"], REPORT_FORMAT);
        assert_eq!(document["complete"], it.is_complete());
        require_valid(&report, &document);
        for part in ["done", "failed", "cancelled", "blocked", "not_started"] {
            if !document[part].as_array().unwrap().is_empty() {
                told.insert(part);
            }
        }
    }
    assert_eq!(told.len(), 5, "every part of a report was tried: {told:?}");
}

#[tokio::test(start_paused = true)]
async fn the_schemas_refuse_what_is_not_emitted() {
    let event = validator(include_str!("../../../schemas/event.v1.json"));
    let report = validator(include_str!("../../../schemas/report.v1.json"));
    let (events, reports) = runs().await;
    let spoil = |document: &Value, member: &str, value: Value| {
        let mut spoilt = document.clone();
        spoilt[member] = value;
        spoilt
    };
    for told in &events {
        let document = serde_json::to_value(told).unwrap();
        for (member, value) in [
            ("format", json!("kops.event/v2")),
            ("run", json!("me")),
            ("scope", json!(null)),
            ("at", json!(12)),
            ("event", json!("vanished")),
        ] {
            assert!(!event.is_valid(&spoil(&document, member, value)), "{member} of {document:#}");
        }
        assert!(!event.is_valid(&spoil(&document, "new", json!(1))), "a new member of {document:#}");
        for member in document.as_object().unwrap().keys() {
            let mut spoilt = document.clone();
            spoilt.as_object_mut().unwrap().remove(member);
            assert!(!event.is_valid(&spoilt), "without {member}: {document:#}");
        }
    }
    for it in &reports {
        let document = serde_json::to_value(it).unwrap();
        assert!(!report.is_valid(&spoil(&document, "new", json!(1))), "a new member of {document:#}");
        assert!(!report.is_valid(&spoil(&document, "took_ms", json!(1.5))));
        assert!(!report.is_valid(&spoil(&document, "stopped", json!("by hand"))));
        assert!(!report.is_valid(&spoil(&document, "failed", json!([{ "task": "A/b" }]))));
    }
}

#[test]
fn the_report_in_an_event_is_a_report() {
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let event = parse(include_str!("../../../schemas/event.v1.json"));
    let report = parse(include_str!("../../../schemas/report.v1.json"));
    for (name, definition) in report["$defs"].as_object().unwrap() {
        assert_eq!(&event["$defs"][name], definition, "{name}");
    }
    let inner = event["$defs"]["report"].as_object().unwrap();
    for member in ["type", "required", "properties"] {
        assert_eq!(inner[member], report[member], "{member}");
    }
}
