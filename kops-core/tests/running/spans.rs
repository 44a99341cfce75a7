//! What is told to `tracing`.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use kops_core::ErrorKind;
use kops_core::graph::{Secret, TaskGraph};
use kops_core::resource::{Network, Resource as _};
use kops_core::testing::{Fault, MemoryCloud, Op};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use super::{Password, engine};

/// Fields as `name=value`.
#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

/// A line for each event: its level, its spans from the outermost, and its fields.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Collector {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        cx.span(id).unwrap().extensions_mut().insert(fields);
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let mut line = event.metadata().level().to_string();
        for span in cx.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            let _ = write!(line, " {}{{{}}}", span.name(), span.extensions().get::<Fields>().unwrap().0);
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        line.push_str(&fields.0);
        self.0.lock().unwrap().push(line);
    }
}

fn graph() -> TaskGraph {
    let mut graph = TaskGraph::builder();
    graph.add("main", Network::new(["10.0.0.0/16".parse().unwrap()]));
    graph.add("root", Password { value: Secret::new("hunter2") });
    graph.build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn runs_and_steps_are_spans_failed_calls_are_events_and_secrets_are_nowhere() {
    let collector = Collector::default();
    // With a single subscriber in the process, whether an event is enabled follows from the thread that comes to it first,
    // which may be another test's.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(collector.clone()));
    let cloud = MemoryCloud::builder().kind::<Password>().build();
    cloud.inject(|call| match (call.op, call.kind, call.nth) {
        (Op::Create, Network::KIND, 1) => Some(Fault::Refuse(ErrorKind::Throttled)),
        (Op::Create, Password::KIND, 1) => Some(Fault::Refuse(ErrorKind::Quota)),
        (Op::List, "Volume", _) => Some(Fault::Refuse(ErrorKind::Denied)),
        _ => None,
    });
    let engine = engine(&cloud);
    engine.apply(&engine.plan(&graph()).await.unwrap()).await.unwrap();
    let lines = collector.0.lock().unwrap().clone();
    let find = |parts: &[&str]| {
        let found = lines.iter().find(|line| parts.iter().all(|part| line.contains(part)));
        found.unwrap_or_else(|| panic!("{parts:?} in {lines:#?}"))
    };
    let step = "scope=\"shop\" cloud=\"memory\"} kops.step{ task=Network/main action=create}";
    find(&["WARN kops.run{ run=", step, "attempt=2", "kind=throttled"]);
    find(&["INFO kops.run{ run=", step, "attempts=2", "step done"]);
    find(&["ERROR kops.run{", "task=Password/root", "kind=quota exceeded", "step failed"]);
    find(&["WARN kops.observe{ scope=\"shop\" cloud=\"memory\"}", "kind=\"Volume\"", "permission denied"]);
    find(&["INFO kops.run{", "failed=1", "run ended"]);
    assert!(lines.iter().all(|line| !line.contains("hunter2")), "{lines:#?}");
}
