//! Step 3, lowering: agnostic tasks become tasks of the cloud's own kinds.
//!
//! Pure, and complete: every problem of the graph is told at once, and what the cloud cannot do is refused here,
//! before anything is made.

use std::sync::Arc;

use kops_core::cloud::DynHandler;
use kops_core::graph::{Document, Edge, Handle, Id, Input, Key, Open, Setting, Task, TaskGraph, Wait};
use kops_core::resource::{DnsRecord, DnsTarget, DnsZone, Resource};
use kops_core::{Error, ErrorKind, Result};

use crate::kinds::{Entry, Zone};

pub(crate) fn lower(graph: &TaskGraph, handlers: &[Arc<dyn DynHandler>]) -> Result<TaskGraph> {
    let mut native = TaskGraph::builder();
    let mut problems = Vec::new();
    for task in graph.tasks() {
        let is_native = handlers.iter().any(|handler| handler.kind() == task.key.kind());
        // Somebody else's object has no specification, and tasks of our own kinds pass through.
        let spec = if is_native || task.spec.is_null() { Ok(task.spec.clone()) } else { specification(task) };
        match spec {
            Ok(spec) => native.insert(Task {
                key: native_key(&task.key),
                spec,
                lifecycle: task.lifecycle.clone(),
                edges: task
                    .edges
                    .iter()
                    .map(|edge| Edge { on: native_key(&edge.on), wait: edge.wait })
                    .collect(),
            }),
            Err(error) => problems.push(error.with_task(&task.key).to_string()),
        }
    }
    if problems.is_empty() {
        native.build()
    } else {
        Err(Error::new(ErrorKind::Unsupported, problems.join("; ")))
    }
}

/// The key of the task that stands for another.
fn native_key(key: &Key) -> Key {
    match key.kind() {
        DnsZone::KIND => Key::new(Zone::KIND, key.name()),
        DnsRecord::KIND => Key::new(Entry::KIND, key.name()),
        _ => key.clone(),
    }
}

fn specification(task: &Task) -> Result<Document> {
    let unsupported =
        |what: &str| Err(Error::new(ErrorKind::Unsupported, format!("this cloud has no {what}")));
    match task.key.kind() {
        DnsZone::KIND => {
            let zone: DnsZone = task.spec_as()?;
            if zone.network.is_some() {
                return unsupported("private zones");
            }
            Document::of(&Zone::<Open> { name: zone.name, transfer_key: Setting::Unmanaged })
        }
        DnsRecord::KIND => {
            let record: DnsRecord = task.spec_as()?;
            let DnsTarget::Values(values) = record.target else { return unsupported("load balancers") };
            let DnsRecord { name, record_type, ttl, .. } = record;
            Document::of(&Entry::<Open> { zone: native_zone(record.zone), name, record_type, ttl, values })
        }
        kind => unsupported(&format!("objects of the kind {kind}")),
    }
}

/// A reference to an agnostic zone as one to the zone that stands for it.
fn native_zone(zone: Input<Id<DnsZone>>) -> Input<Id<Zone>> {
    match zone {
        Input::Known(id) => Input::Known(Id::new(id.into_string())),
        Input::Output(output) => {
            let zone = Handle::<Zone>::named(output.task.name());
            if output.wait == Wait::Ready { zone.ready().id() } else { zone.id() }
        }
        Input::Concat(parts) => Input::Concat(parts),
    }
}
