//! What the services' collections of objects have in common: `GET /networks`, `POST /networks`,
//! `PUT /networks/{id}`, `DELETE /networks/{id}`.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::try_join_all;
use kops_core::cloud::{Adopt, Context, Deletion, Filter, Mark, Object, Query, Scope};
use kops_core::{ErrorKind, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::clients::{Call, Clients, Service};
use crate::tags::{self, Tags};

/// The number of identifiers in one query: they have 36 characters each, and proxies limit lines to some 8
/// KiB.
const MOST_IDS: usize = 100;

/// A collection of objects of a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Collection {
    pub(crate) service: Service,
    /// Its path.
    pub(crate) path: &'static str,
    /// The field of a listing that contains the objects.
    pub(crate) items: &'static str,
    /// The field that contains a single object.
    pub(crate) item: &'static str,
}

impl Collection {
    /// A collection of Networking.
    pub(crate) const fn network(items: &'static str, item: &'static str) -> Self {
        Self { service: Service::Network, path: items, items, item }
    }

    /// A collection of the load balancing service.
    pub(crate) const fn balancing(path: &'static str, items: &'static str, item: &'static str) -> Self {
        Self { service: Service::LoadBalancer, path, items, item }
    }

    fn at(&self, id: &str) -> String {
        format!("{}/{id}", self.path)
    }

    /// All objects that match a query.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        clients: &Clients,
        cx: &Context,
        query: &[(&str, String)],
    ) -> Result<Vec<T>> {
        clients.all(cx, Call::get(self.service, self.path).query(query), self.items).await
    }

    /// The project's objects, listed once per observation: kinds that use the same listing share it.
    pub(crate) async fn of_project<T>(&self, clients: &Clients, query: &Query<'_>) -> Result<Arc<Vec<T>>>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        // A missing service has no objects; creating one reports that it is missing.
        if !clients.has(self.service) {
            return Ok(Arc::default());
        }
        let project = [("project_id", clients.project().to_owned())];
        let key = format!("{}/{}", self.service.name(), self.path);
        query.cx.memo.get_or_try(&key, async || self.list(clients, query.cx, &project).await).await
    }

    /// The objects with these identifiers, of any project.
    pub(crate) async fn with_ids<T: DeserializeOwned, I: AsRef<str>>(
        &self,
        clients: &Clients,
        cx: &Context,
        ids: &[I],
    ) -> Result<Vec<T>> {
        let pages = ids.chunks(MOST_IDS).map(|ids| {
            let query: Vec<_> = ids.iter().map(|id| ("id", id.as_ref().to_owned())).collect();
            async move { self.list(clients, cx, &query).await }
        });
        Ok(try_join_all(pages).await?.into_iter().flatten().collect())
    }

    /// The objects that a handler is asked for: the project's and those that selectors refer to, or those
    /// with certain identifiers.
    pub(crate) async fn asked_for<T>(&self, clients: &Clients, query: &Query<'_>) -> Result<Vec<T>>
    where
        T: DeserializeOwned + Clone + Send + Sync + 'static,
    {
        match query.filter {
            Filter::Scope { shared, .. } => {
                let mut all = (*self.of_project::<T>(clients, query).await?).clone();
                if !shared.is_empty() {
                    all.extend(self.with_ids(clients, query.cx, shared).await?);
                }
                Ok(all)
            }
            Filter::Ids(ids) => self.with_ids(clients, query.cx, ids).await,
        }
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        clients: &Clients,
        cx: &Context,
        id: &str,
    ) -> Result<T> {
        clients.fetch(cx, Call::get(self.service, self.at(id)), self.item).await
    }

    pub(crate) async fn create<T: DeserializeOwned>(
        &self,
        clients: &Clients,
        cx: &Context,
        body: Value,
    ) -> Result<T> {
        let call = Call::post(self.service, self.path, json!({ (self.item): body }));
        clients.fetch(cx, call, self.item).await
    }

    pub(crate) async fn update<T: DeserializeOwned>(
        &self,
        clients: &Clients,
        cx: &Context,
        id: &str,
        body: Value,
    ) -> Result<T> {
        let call = Call::put(self.service, self.at(id), json!({ (self.item): body }));
        clients.fetch(cx, call, self.item).await
    }

    /// Deletes an object; it is not an error if it is gone already.
    pub(crate) async fn delete(&self, clients: &Clients, cx: &Context, id: &str) -> Result<()> {
        gone_is_fine(clients.send(cx, Call::delete(self.service, self.at(id))).await)
    }

    /// Sets tags of a Networking object; other tags are kept.
    pub(crate) async fn set_tags(
        &self,
        clients: &Clients,
        cx: &Context,
        id: &str,
        mark: &Mark,
        further: &Tags,
    ) -> Result<()> {
        let path = format!("{}/tags", self.at(id));
        let present: Vec<String> = clients.fetch(cx, Call::get(self.service, path.as_str()), "tags").await?;
        let body = json!({ "tags": tags::with_mark(mark, further, &present) });
        clients.send(cx, Call::put(self.service, path, body)).await?;
        Ok(())
    }
}

impl Collection {
    /// Marks a Networking object as the scope's by its tags; the description is left as it is.
    pub(crate) async fn adopt<S: Clone>(
        &self,
        clients: &Clients,
        request: &Adopt<'_, S>,
    ) -> Result<Object<S>> {
        let path = format!("{}/tags", self.at(&request.object.id));
        let present: Vec<String> =
            clients.fetch(request.cx, Call::get(self.service, path.as_str()), "tags").await?;
        let mark = request.mark(tags::other(request.scope, &present, None))?;
        let body = json!({ "tags": tags::with_mark(&mark, &Tags::new(), &present) });
        clients.send(request.cx, Call::put(self.service, path, body)).await?;
        Ok(request.adopted())
    }
}

/// The response to a deletion, where a missing object is not an error.
pub(crate) fn gone_is_fine(answer: Result<Value>) -> Result<()> {
    match answer {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        answer => answer.map(drop),
    }
}

/// The response to a deletion that is complete once it is answered.
pub(crate) fn done(answer: Result<()>) -> Result<Deletion> {
    answer.map(|()| Deletion::Done)
}

/// Each object once, although both listings may have found it.
pub(crate) fn each_once<S>(mut objects: Vec<Object<S>>) -> Vec<Object<S>> {
    let mut seen = HashSet::new();
    objects.retain(|object| seen.insert(object.id.clone()));
    objects
}

/// The fields that objects of Networking and of load balancing have in common.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Common {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    #[serde(default)]
    project_id: Option<String>,
}

impl Common {
    /// Its mark; marks on objects of other projects do not count.
    pub(crate) fn mark(&self, clients: &Clients, scope: &Scope) -> Option<Mark> {
        if self.is_ours(clients) { tags::mark(scope, &self.tags, self.description.as_deref()) } else { None }
    }

    /// The object, with its specification.
    pub(crate) fn object<S>(&self, clients: &Clients, scope: &Scope, spec: S) -> Object<S> {
        let object = tags::object(self.mark(clients, scope), &self.id, spec);
        if !self.is_ours(clients) {
            return object.unadoptable("it is in another project".to_owned());
        }
        object.held_by(self.other(clients, scope))
    }

    /// The other scope that owns it.
    pub(crate) fn other(&self, clients: &Clients, scope: &Scope) -> Option<Scope> {
        if !self.is_ours(clients) {
            return None;
        }
        tags::other(scope, &self.tags, self.description.as_deref())
    }

    fn is_ours(&self, clients: &Clients) -> bool {
        self.project_id.as_deref().is_none_or(|project| project == clients.project())
    }

    /// Its additional tags, for comparison.
    pub(crate) fn further_tags(&self) -> Tags {
        tags::further(&self.tags)
    }
}

/// A creating call of Networking sets the mark as the description; tags take a call of their own, also in
/// releases with the extension `tag-creation`, which is for ports only.
pub(crate) fn marked(mark: &Mark, mut body: Value) -> Value {
    body["description"] = mark.text().into();
    body
}
