//! What the objects of the load balancing service have in common.

use kops_core::cloud::{Adopt, Context, Deletion, Filter, Mark, Object, Query, Scope, State, Timing};
use kops_core::{ErrorKind, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;

use super::rest::{Collection, Common};
use crate::clients::Clients;
use crate::tags::{self, Tags};

/// The fields that each of them has.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Balanced {
    #[serde(flatten)]
    pub(crate) common: Common,
    #[serde(default)]
    provisioning_status: String,
}

impl Balanced {
    pub(crate) fn object<S>(&self, clients: &Clients, scope: &Scope, spec: S) -> Object<S> {
        self.common.object(clients, scope, spec).state(state(&self.provisioning_status))
    }
}

/// <https://docs.openstack.org/api-ref/load-balancer/v2/#provisioning-status-codes>
pub(crate) fn state(provisioning_status: &str) -> State {
    match provisioning_status {
        "PENDING_CREATE" | "PENDING_UPDATE" => State::Pending,
        "PENDING_DELETE" => State::Deleting,
        "DELETED" => State::Gone,
        "ERROR" => State::Failed("the load balancing service could not provision it".to_owned()),
        _ => State::Ready,
    }
}

/// Any change of a load balancer reconfigures the whole of it, which takes some seconds; other changes are
/// rejected in the meantime, and retried.
pub(crate) fn timing() -> Timing {
    Timing::new()
        .call(Duration::from_millis(500))
        .settle(Duration::from_secs(3))
        .vanish(Duration::from_secs(3))
        .poll(Duration::from_secs(2))
}

/// Those of the project's objects that a query asks for.
pub(crate) async fn asked_for<T>(
    collection: &Collection,
    clients: &Clients,
    query: &Query<'_>,
    common: impl Fn(&T) -> &Common,
) -> Result<Vec<T>>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    let all = collection.of_project::<T>(clients, query).await?;
    let is_asked_for = |it: &&T| {
        let common = common(it);
        match query.filter {
            Filter::Ids(ids) => ids.contains(&common.id),
            Filter::Scope { shared, .. } => {
                shared.contains(&common.id.as_str()) || common.mark(clients, query.scope).is_some()
            }
        }
    };
    Ok(all.iter().filter(is_asked_for).cloned().collect())
}

/// Adds the mark to the body of a creating call.
pub(crate) fn marked(mark: &Mark, further: &Tags, mut body: Value) -> Value {
    body["tags"] = tags::with_mark(mark, further, &[]).into();
    body
}

/// Deletes an object, which is gone some seconds later.
///
/// Reads it first: retrying a deletion after a lost response must not make Octavia start a second one.
/// Octavia may accept that while it finishes the first, then find nothing to delete, and leave the whole load
/// balancer in `PENDING_UPDATE` forever (`delete_pool` of its `controller_worker.py`).
pub(crate) async fn delete(
    collection: &Collection,
    clients: &Clients,
    cx: &Context,
    id: &str,
) -> Result<Deletion> {
    match collection.get::<Balanced>(clients, cx, id).await {
        Ok(found) => match state(&found.provisioning_status) {
            State::Deleting => return Ok(Deletion::Pending),
            State::Gone => return Ok(Deletion::Done),
            _ => {}
        },
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Deletion::Done),
        Err(error) => return Err(error),
    }
    collection.delete(clients, cx, id).await?;
    Ok(Deletion::Pending)
}

/// Marks an object as the scope's by its tags.
pub(crate) async fn adopt<S: Clone>(
    collection: &Collection,
    clients: &Clients,
    request: &Adopt<'_, S>,
) -> Result<Object<S>> {
    let (cx, id) = (request.cx, &request.object.id);
    let present: Balanced = collection.get(clients, cx, id).await?;
    let mark = request.mark(present.common.other(clients, request.scope))?;
    let body = json!({ "tags": tags_of(&mark, &Tags::new(), &present.common.tags) });
    let changed: Balanced = collection.update(clients, cx, id, body).await?;
    Ok(request.adopted().state(state(&changed.provisioning_status)))
}

/// The body of a change of tags; other tags are kept.
pub(crate) fn tags_of(mark: &Mark, further: &Tags, present: &[String]) -> Value {
    json!(tags::with_mark(mark, further, present))
}
