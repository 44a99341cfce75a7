//! Applying a plan that a client has seen.

use std::convert::Infallible;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::sse::{Event as ServerSent, KeepAlive, Sse};
use futures_util::{Stream, StreamExt as _, stream};
use kops_core::apply::{Event, EventKind, EventSink};
use kops_core::store::{Holder, LeaseRequest};
use kops_core::{CancellationToken, Error, ErrorKind, Report, Result, RunOptions};
use serde::Deserialize;

use crate::{Failure, Service, Target};

/// The plan that a client has approved.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approval {
    fingerprint: String,
    /// The approver, shown to others while the cluster is locked.
    by: String,
}

/// Acquires the cluster's lease, plans again, and applies the plan if it is the one that was approved. Failures
/// before the run starts determine the status of the response; from then on there are events, the last of which
/// contains the report.
pub(crate) async fn apply(
    State(service): State<Service>,
    Path(name): Path<String>,
    Json(approval): Json<Approval>,
) -> Result<Sse<impl Stream<Item = Result<ServerSent, Infallible>>>, Failure> {
    let target = service.target(&name).await?;
    let cancel = CancellationToken::new();
    // Dropped with the response: a client that disconnects cancels its run.
    let connected = cancel.clone().drop_guard();
    let (sink, mut events) = EventSink::channel();
    let metrics = service.metrics.clone();
    let sink = sink.and(EventSink::from_fn(move |event| metrics.count(event)));
    // A separate task: if the client disconnects, the run ends in an orderly way instead of during a call.
    let run = tokio::spawn(run(target, approval, cancel, sink));
    let Some(first) = events.next().await else {
        let outcome = run.await.map_err(|error| Error::internal("the run was aborted").with_source(error))?;
        return Err(outcome.err().unwrap_or_else(|| Error::internal("the run has no result")).into());
    };
    if let EventKind::Refused { error } = &first.kind {
        return Err(Error::clone(error).into());
    }
    let events = stream::once(async { first }).chain(events).map(move |event| {
        let _connected = &connected;
        Ok(server_sent(&event))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

async fn run(
    target: Target,
    approval: Approval,
    cancel: CancellationToken,
    sink: EventSink,
) -> Result<Report> {
    let Target { store, engine, graph } = target;
    let request = LeaseRequest::new(Holder::new(approval.by, "apply"));
    let work = |operation: kops_core::store::Operation| async move {
        let options = RunOptions::new().cancel(operation.cancel());
        let plan = engine.plan_with(&graph, options.clone()).await?;
        if plan.fingerprint != approval.fingerprint {
            return Err(Error::new(ErrorKind::Conflict, "the plan is no longer the one that was approved")
                .with_hint(format!("review it again: {}", plan.headline())));
        }
        // The lease is held since before the plan was created.
        engine.apply_now_with(&plan, options.events(sink)).await
    };
    store.operate(request, cancel, work).await
}

/// The event in its JSON form, under its own name.
fn server_sent(event: &Event) -> ServerSent {
    let document = serde_json::to_value(event).unwrap_or_default();
    let name = document["event"].as_str().unwrap_or("event").to_owned();
    ServerSent::default().event(name).data(document.to_string())
}
