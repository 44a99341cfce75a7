//! Observing a scope: one listing for each kind, all concurrently.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::{join, join_all};

use crate::apply::{content_digest, guarded};
use crate::cloud::{Cloud, Context, DynHandler, Filter, Observed, Owner, Query, Scope, Wanted};
use crate::graph::{Key, Lifecycle, TaskGraph};
use crate::retry::{Attempts, RetryPolicy};
use crate::store::{Intent, IntentLog};
use crate::{Error, ErrorKind, Result, Snapshot};

/// The tasks that objects were created for, by kind and identifier, for objects that cannot carry a mark.
type Makers = HashMap<(String, String), Key>;

/// Lists every kind of the cloud once.
///
/// `graph` is native; it determines the shared objects to look up and the names that are requested. A kind that is
/// not `used` and that the credentials may not list is omitted, which the snapshot records.
///
/// # Errors
/// Those of the listings, each cause once; `Denied` if nothing at all may be listed.
pub(crate) async fn observe(
    cloud: &dyn Cloud,
    scope: &Scope,
    graph: &TaskGraph,
    used: &HashSet<&str>,
    journal: &dyn IntentLog,
    retry: RetryPolicy,
    cx: &Context,
) -> Result<Snapshot> {
    let listings = cloud.handlers().iter().map(|handler| list(cloud, handler, scope, graph, retry, cx));
    let (entries, listings) = join(journal.entries(), join_all(listings)).await;
    let entries = entries?;
    let mut makers = Makers::new();
    let mut open = Vec::new();
    for intent in &entries {
        let key: Key = intent.key().parse()?;
        match intent.object() {
            Some(id) => drop(makers.insert((key.kind().to_owned(), id.to_owned()), key)),
            None => open.push((key, intent)),
        }
    }
    let mut snapshot = Snapshot::default();
    let (mut failures, mut denied) = (Vec::new(), Vec::new());
    for (handler, listing) in cloud.handlers().iter().zip(listings) {
        match listing {
            Ok(mut objects) => {
                for (key, intent) in open.iter().filter(|(key, _)| key.kind() == handler.kind()) {
                    if let Some(id) = made_for(&**handler, intent, &objects, &makers) {
                        makers.insert((handler.kind().to_owned(), id), key.clone());
                    }
                }
                for object in &mut objects {
                    attribute(handler.kind(), object, &makers);
                }
                snapshot.insert(handler.kind(), objects);
            }
            Err(error) if error.kind() == ErrorKind::Denied && !used.contains(handler.kind()) => {
                tracing::warn!(kind = handler.kind(), %error, "a kind that is not in use may not be listed");
                snapshot.leave_out(handler.kind(), error.without_task().to_string());
                denied.push(error);
            }
            Err(error) => {
                tracing::warn!(kind = handler.kind(), %error, "listing failed");
                failures.push(error);
            }
        }
    }
    if !denied.is_empty() && denied.len() == cloud.handlers().len() {
        failures = denied;
    }
    if failures.is_empty() { Ok(snapshot) } else { Err(most_telling(failures)) }
}

/// The object that an interrupted run created for an intent: it has the same content, and did not exist before.
fn made_for(
    handler: &dyn DynHandler,
    intent: &Intent,
    objects: &[Observed],
    makers: &Makers,
) -> Option<String> {
    objects
        .iter()
        .map(|observed| &observed.object)
        .filter(|object| object.owner == Owner::Unknown && object.state.is_live())
        .filter(|object| !intent.existing().contains(&object.id))
        .filter(|object| !makers.contains_key(&(handler.kind().to_owned(), object.id.clone())))
        .find(|object| content_digest(handler, &object.spec) == intent.content_digest())
        .map(|object| object.id.clone())
}

/// Sets the owner of an object that cannot carry a mark.
fn attribute(kind: &str, observed: &mut Observed, makers: &Makers) {
    let object = &mut observed.object;
    if object.owner != Owner::Unknown {
        return;
    }
    match makers.get(&(kind.to_owned(), object.id.clone())) {
        Some(key) => {
            object.owner = Owner::Scope;
            object.name = Some(key.name().to_owned());
        }
        None => object.owner = Owner::Other,
    }
}

async fn list(
    cloud: &dyn Cloud,
    handler: &Arc<dyn DynHandler>,
    scope: &Scope,
    graph: &TaskGraph,
    retry: RetryPolicy,
    cx: &Context,
) -> Result<Vec<Observed>> {
    let mut wanted = Vec::new();
    let mut shared = Vec::new();
    for task in graph.tasks().filter(|task| task.key.kind() == handler.kind()) {
        match &task.lifecycle {
            Lifecycle::Shared { selector } => {
                shared.push(selector.as_str());
                shared.extend(task.options.alternatives.iter().map(String::as_str));
            }
            Lifecycle::Adopted { selector } => {
                shared.push(selector.as_str());
                wanted.push(Wanted { name: task.key.name(), spec: &task.spec });
            }
            _ => wanted.push(Wanted { name: task.key.name(), spec: &task.spec }),
        }
    }
    let filter = Filter::Scope { wanted: &wanted, shared: &shared, dissolving: graph.is_empty() };
    let query = Query { scope, filter, cx };
    let clock = cloud.clock();
    let mut attempts = Attempts::new(retry.for_reading());
    loop {
        let error = match guarded(handler.list(&query)).await {
            Ok(objects) => return Ok(objects),
            Err(error) => error,
        };
        match attempts.after(&error, clock.elapsed()) {
            Some(wait) => clock.sleep(wait).await,
            None => return Err(attempts.exhausted(error).with_task(format!("listing {}", handler.kind()))),
        }
    }
}

/// If everything fails, it is usually for one reason: each is reported once.
fn most_telling(mut failures: Vec<Error>) -> Error {
    // Errors that the user has to fix come before those that may pass.
    failures.sort_by_key(|error| error.kind().is_transient());
    let mut told = HashSet::new();
    failures.retain(|error| told.insert((error.kind(), error.message().to_owned())));
    Error::from_many(failures)
}
