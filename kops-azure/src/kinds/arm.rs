//! What all kinds of Azure Resource Manager have in common: one handler for every kind that is a resource of
//! its own.
//!
//! A kind ([`ArmKind`]) defines which calls list, read, write and delete its resources, and how to convert
//! between a specification and the SDK's model. The rest is here.
//!
//! # PUT replaces
//! ARM has one call to create and to update, PUT, and it replaces an existing resource, whoever owns it. So
//! - *create* reads first, or uses `If-None-Match: *` if the API supports it (DNS, scale sets); an existing
//!   resource is [`AlreadyExists`](ErrorKind::AlreadyExists), and the engine then checks its owner. If the
//!   API has no such condition, there is a window of one round trip between reading and writing in which
//!   someone else could create a resource of that name and have it replaced.
//! - *update* reads, changes the fields that the specification manages, and writes everything back: foreign
//!   settings are kept. The network and compute providers are given the version that was read (`If-Match`),
//!   and reject the write if the resource has changed since; then it is read again. A network's document
//!   contains its subnets: without the condition, a subnet that was deleted between reading and writing would
//!   be created again.
//!
//! # Operations continue
//! PUT and DELETE return when ARM has accepted them. Whether a resource is ready is its `provisioningState`,
//! which the engine finds by listing all resources of a kind at once. If a response contained a URL for the
//! operation's status, it is read once if the operation has failed, for the reason.

use std::collections::{HashMap, HashSet};
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::{Method, Response};
use azure_mgmt_resources::models::tags_patch_resource::Operation;
use azure_mgmt_resources::models::{Tags as TagsOfResource, TagsPatchResource, TagsResource};
use futures_util::future::try_join_all;
use kops_core::cloud::{
    Adopt, Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Memo, Mutability, Object,
    Owner, Query, Replacement, Resolved, Scope, State, Timing, Update,
};
use kops_core::resource::Resource;
use kops_core::{Error, ErrorKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::clients::{Clients, Pages, Sent};
use crate::ids;
use crate::tags::{self, Tags};

const TAGS_READ: &str = "Microsoft.Resources/tags/read";
const TAGS_WRITE: &str = "Microsoft.Resources/tags/write";

/// The names of a kind's calls: their permissions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calls {
    pub(crate) read: &'static str,
    pub(crate) write: &'static str,
    pub(crate) delete: &'static str,
}

/// The calls of a resource type.
macro_rules! calls {
    ($type:literal) => {
        $crate::kinds::arm::Calls {
            read: concat!($type, "/read"),
            write: concat!($type, "/write"),
            delete: concat!($type, "/delete"),
        }
    };
}
pub(crate) use calls;

/// The fields that every resource has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) tags: Tags,
    /// `provisioningState`; resources without one are ready at once.
    pub(crate) state: Option<String>,
}

/// One of the SDK's models of a resource.
pub(crate) trait Model: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    fn head(&self) -> Head;
    fn set_tags(&mut self, tags: &Tags);
}

/// The text of one of the SDK's enumerations, which represent unknown values as they are.
pub(crate) fn text<T: Serialize>(value: Option<&T>) -> Option<String> {
    serde_json::to_value(value?).ok()?.as_str().map(str::to_owned)
}

/// A kind whose objects are resources of their own in a resource group.
#[async_trait]
pub(crate) trait ArmKind: Send + Sync + 'static {
    type Kind: Resource;
    type Model: Model;
    /// Additional data that is needed to interpret a model.
    type Around: Send + Sync;

    const TYPE: &'static str;
    const CALLS: Calls;
    /// Whether the PUT of a new resource is conditional on its absence.
    const CONDITIONAL: bool = false;

    /// The name of a task's resource.
    fn name(task: &str) -> String {
        crate::names::plain(task, 80)
    }
    /// Whether a resource called `called` can be a task's.
    fn is_named_after(task: &str, called: &str) -> bool {
        Self::name(task).eq_ignore_ascii_case(called)
    }
    /// The name of a resource that is about to be created.
    async fn free_name(
        _clients: &Clients,
        _cx: &Context,
        _group: &str,
        request: &Create<'_, <Self::Kind as Resource>::Resolved>,
    ) -> Result<String> {
        Ok(Self::name(request.name))
    }
    fn mutability(field: &str) -> Mutability;
    fn replacement() -> Replacement {
        Replacement::DeleteFirst
    }
    fn timing() -> Timing;
    fn volatile_outputs(_changed: &std::collections::BTreeSet<String>) -> &'static [&'static str] {
        &[]
    }
    /// Whether a resource whose last operation failed should be written again rather than replaced.
    fn mends() -> bool {
        false
    }

    fn list(clients: &Clients, group: &str) -> Pages<Self::Model>;
    fn get(clients: &Clients, group: &str, name: &str) -> Sent;
    /// Writes a model; `fresh` if the resource must not exist yet.
    fn put(clients: &Clients, group: &str, name: &str, model: Self::Model, fresh: bool) -> Result<Sent>;
    fn delete(clients: &Clients, group: &str, name: &str) -> Sent;

    /// An empty model.
    fn blank(location: &str) -> Self::Model;
    /// Sets the fields that the specification manages.
    fn fill(
        spec: &<Self::Kind as Resource>::Resolved,
        model: &mut Self::Model,
        site: &Site<'_>,
    ) -> Result<()>;
    /// Tags of the specification.
    fn tags(spec: &<Self::Kind as Resource>::Resolved) -> Tags;
    /// Converts a model to an object of a scope.
    fn observe(
        site: &Site<'_>,
        head: &Head,
        model: &Self::Model,
        around: &Self::Around,
    ) -> Result<Object<<Self::Kind as Resource>::Resolved>>;

    async fn around(clients: &Clients, cx: &Context, group: &str) -> Result<Self::Around>;
}

/// The location of a resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site<'a> {
    pub(crate) clients: &'a Clients,
    pub(crate) scope: &'a Scope,
    /// The scope's resource group.
    pub(crate) group: &'a str,
    pub(crate) name: &'a str,
}

impl Site<'_> {
    /// An identifier in the engine's spelling.
    pub(crate) fn id(&self, id: Option<&str>) -> String {
        ids::canonical(id.unwrap_or_default(), self.group)
    }

    /// The identifier of a resource's group.
    pub(crate) fn group_of<R>(&self, head: &Head) -> kops_core::graph::Id<R> {
        let id = self.id(Some(&head.id));
        kops_core::graph::Id::new(self.clients.group_id(ids::group(&id).unwrap_or(self.group)))
    }

    /// The object of a head.
    pub(crate) fn object<S>(&self, head: &Head, spec: S) -> Object<S> {
        let id = self.id(Some(&head.id));
        let object = tags::object(self.scope, &id, &head.name, &head.tags, spec).alias(head.name.clone());
        match ids::group(&id) {
            Some(group) if !ids::same(group, self.group) => object.unadoptable(format!(
                "it is in the resource group {group}, but the scope's objects are looked for in {}",
                self.group
            )),
            _ => object,
        }
    }
}

/// The handler of a kind.
pub(crate) struct Arm<K>(pub(crate) Clients, PhantomData<fn() -> K>);

impl<K> Arm<K> {
    pub(crate) fn new(clients: &Clients) -> Self {
        Self(clients.clone(), PhantomData)
    }
}

type Spec<K> = <<K as ArmKind>::Kind as Resource>::Resolved;

/// All resources of a kind in a group, listed once per observation: kinds that use the same listing share it.
pub(crate) async fn all<K: ArmKind>(
    clients: &Clients,
    cx: &Context,
    group: &str,
) -> Result<Arc<Vec<K::Model>>> {
    let key = format!("{} {}", K::TYPE, group.to_ascii_lowercase());
    cx.memo.get_or_try(&key, async || clients.list(cx, K::CALLS.read, K::list(clients, group)).await).await
}

/// The state of a resource.
pub(crate) fn state(provisioning: Option<&str>) -> State {
    match provisioning {
        None | Some("Succeeded") => State::Ready,
        Some("Deleting") => State::Deleting,
        Some(failed @ ("Failed" | "Canceled")) => State::Failed(failed.to_owned()),
        Some(_) => State::Pending,
    }
}

/// The query with a context of its own if it asks for the state of objects: results from a moment ago are of
/// no use then.
pub(crate) fn looking_anew<'a>(query: &Query<'a>, cx: &'a mut Context) -> Query<'a> {
    *cx = query.cx.clone();
    if matches!(query.filter, Filter::Ids(_)) {
        cx.memo = Memo::default();
    }
    Query::new(query.scope, query.filter, cx)
}

/// The resource groups to search: the scope's own, and those of resources that selectors name.
pub(crate) fn groups(clients: &Clients, query: &Query<'_>) -> Vec<String> {
    let own = clients.group(query.scope);
    let named: Vec<&str> = match query.filter {
        Filter::Scope { shared, .. } => shared.to_vec(),
        Filter::Ids(ids) => ids.iter().map(String::as_str).collect(),
    };
    let others = named.into_iter().filter_map(ids::group).filter(|group| !ids::same(group, &own));
    let others: HashSet<String> = others.map(str::to_ascii_lowercase).collect();
    match query.filter {
        Filter::Ids(ids) if ids.iter().all(|id| ids::group(id).is_some_and(|it| !ids::same(it, &own))) => {
            others.into_iter().collect()
        }
        _ => std::iter::once(own).chain(others).collect(),
    }
}

/// The objects that a query asks for; `called` is the name of a task's object in the scope's group.
pub(crate) fn asked_for<S>(
    query: &Query<'_>,
    own: &str,
    objects: Vec<Object<S>>,
    called: impl Fn(&str) -> String,
) -> Vec<Object<S>> {
    match query.filter {
        Filter::Ids(wanted) => {
            let wanted: HashSet<String> = wanted.iter().map(|id| id.to_ascii_lowercase()).collect();
            objects.into_iter().filter(|object| wanted.contains(&object.id.to_ascii_lowercase())).collect()
        }
        Filter::Scope { wanted, shared, .. } => {
            let names: HashMap<String, &str> =
                wanted.iter().map(|task| (called(task.name).to_ascii_lowercase(), task.name)).collect();
            let keep = |mut object: Object<S>| {
                if object.owner == Owner::Scope {
                    return Some(object);
                }
                let here = ids::group(&object.id).is_some_and(|group| ids::same(group, own));
                if let Some(task) = names.get(&ids::name(&object.id).to_ascii_lowercase()).filter(|_| here) {
                    object.name = Some((*task).to_owned());
                    return Some(object);
                }
                let meant = |selector: &&&str| object.matches(selector) || ids::same(&object.id, selector);
                let selector = shared.iter().find(meant).map(|it| (*it).to_owned())?;
                Some(object.alias(selector))
            };
            objects.into_iter().filter_map(keep).collect()
        }
    }
}

impl<K: ArmKind> Arm<K> {
    async fn object(
        &self,
        cx: &Context,
        site: &Site<'_>,
        model: &K::Model,
        around: &K::Around,
        polling: bool,
    ) -> Result<Object<Spec<K>>> {
        let head = model.head();
        let mut object = K::observe(site, &head, model, around)?;
        // Machines of a scale set and their disks inherit its tags, including the task's. An object that was
        // created for a task is named after it, unless it was adopted.
        if object.name.as_deref().is_some_and(|task| !K::is_named_after(task, &head.name))
            && !tags::is_adopted(&head.tags, &head.name)
        {
            object = object.name(None).owner(Owner::Other);
        }
        Ok(match state(head.state.as_deref()) {
            State::Failed(_) if K::mends() && !polling => object,
            State::Failed(_) => {
                let why = self.0.failure(cx, &head.id).await;
                object.state(State::Failed(why))
            }
            state => object.state(state),
        })
    }

    /// The object after a PUT: as in the response or, if that is empty, as requested.
    async fn written(
        &self,
        cx: &Context,
        site: &Site<'_>,
        asked: K::Model,
        request: Sent,
    ) -> Result<Object<Spec<K>>> {
        let id = ids::of(&self.0.subscription, site.group, K::TYPE, site.name);
        let answer: Response = self.0.call(cx, K::CALLS.write, request).await?;
        self.0.remember(&id, &answer);
        let bytes = answer.into_body().collect().await;
        let bytes = bytes.map_err(|error| crate::error::from_sdk(K::CALLS.write, None, error))?;
        let shown = if bytes.is_empty() {
            None
        } else {
            let model = serde_json::from_slice::<K::Model>(&bytes).map_err(|error| {
                Error::internal("malformed response").with_call(K::CALLS.write).with_source(error)
            })?;
            Some(model)
        };
        let fresh = cx.fresh();
        let around = K::around(&self.0, &fresh, site.group).await?;
        if let Some(model) = shown {
            return self.object(cx, site, &model, &around, true).await;
        }
        let head = Head { id, name: site.name.to_owned(), ..asked.head() };
        Ok(K::observe(site, &head, &asked, &around)?.state(State::Pending))
    }
}

#[async_trait]
impl<K: ArmKind> Handler for Arm<K> {
    type Kind = K::Kind;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    fn mutability(&self, field: &str) -> Mutability {
        K::mutability(field)
    }

    fn replacement(&self) -> Replacement {
        K::replacement()
    }

    fn volatile_outputs(&self, changed: &std::collections::BTreeSet<String>) -> &'static [&'static str] {
        K::volatile_outputs(changed)
    }

    fn timing(&self) -> Timing {
        K::timing()
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Resolved<Self>>>> {
        let mut cx = Context::default();
        let query = &looking_anew(query, &mut cx);
        let own = self.0.group(query.scope);
        let polling = matches!(query.filter, Filter::Ids(_));
        let of_group = async |group: String| {
            let found = all::<K>(&self.0, query.cx, &group).await?;
            if found.is_empty() {
                return Ok(Vec::new());
            }
            let around = K::around(&self.0, query.cx, &group).await?;
            let objects = found.iter().map(async |model| {
                let site = Site { clients: &self.0, scope: query.scope, group: &own, name: "" };
                self.object(query.cx, &site, model, &around, polling).await
            });
            try_join_all(objects).await
        };
        let found = try_join_all(groups(&self.0, query).into_iter().map(of_group)).await?;
        Ok(asked_for(query, &own, found.into_iter().flatten().collect(), K::name))
    }

    async fn create(&self, request: Create<'_, Resolved<Self>>) -> Result<Object<Resolved<Self>>> {
        let group = self.0.group(request.scope);
        let name = K::free_name(&self.0, request.cx, &group, &request).await?;
        let site = Site { clients: &self.0, scope: request.scope, group: &group, name: &name };
        if !K::CONDITIONAL {
            match self.0.call(request.cx, K::CALLS.read, K::get(&self.0, &group, &name)).await {
                Ok(_) => return Err(exists(&name).with_call(K::CALLS.write)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        let mut model = K::blank(&self.0.location);
        model.set_tags(&tags::of_new(&request, &K::tags(request.spec)));
        K::fill(request.spec, &mut model, &site)?;
        let put = K::put(&self.0, &group, &name, model.clone(), true)?;
        self.written(request.cx, &site, model, put).await.map_err(|error| match error.kind() {
            ErrorKind::Conflict if K::CONDITIONAL => {
                exists(&name).with_call(K::CALLS.write).with_source(error)
            }
            _ => error,
        })
    }

    async fn update(&self, request: Update<'_, Resolved<Self>>) -> Result<Object<Resolved<Self>>> {
        let id = &request.object.id;
        let group = ids::group(id).unwrap_or_default().to_owned();
        let name = ids::name(id).to_owned();
        let site = Site { clients: &self.0, scope: request.scope, group: &group, name: &name };
        let get = K::get(&self.0, &group, &name);
        let mut model: K::Model = self.0.fetch(request.cx, K::CALLS.read, get).await?;
        let mut tags = model.head().tags;
        tags.extend(K::tags(request.spec));
        model.set_tags(&tags);
        K::fill(request.spec, &mut model, &site)?;
        let put = K::put(&self.0, &group, &name, model.clone(), false)?;
        self.written(request.cx, &site, model, put).await.map_err(|error| match error.kind() {
            // Nothing was written: the current state is read when the engine retries.
            ErrorKind::Conflict if crate::error::is_precondition(&error) => {
                Error::new(ErrorKind::DependencyViolation, format!("{name} was changed in the meantime"))
                    .with_call(K::CALLS.write)
                    .with_source(error)
            }
            _ => error,
        })
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(&self, request: Adopt<'_, Resolved<Self>>) -> Result<Object<Resolved<Self>>> {
        adopt(&self.0, &request).await
    }

    async fn delete(&self, request: Delete<'_, Resolved<Self>>) -> Result<Deletion> {
        let id = &request.object.id;
        let call = K::delete(&self.0, ids::group(id).unwrap_or_default(), ids::name(id));
        deleted(&self.0, request.cx, K::CALLS.delete, id, call).await
    }
}

/// The API version that azure_mgmt_network 0.21 uses.
pub(crate) const NETWORK_API: &str = "2024-03-01";

/// One of the SDK's models as a document.
pub(crate) fn document<M: Serialize>(model: &M) -> Result<Value> {
    serde_json::to_value(model)
        .map_err(|error| Error::internal("an SDK model cannot be serialised").with_source(error))
}

/// A PUT conditional on the version at which a document was read; the SDK cannot express that.
pub(crate) fn put_over(
    clients: &Clients,
    path: &str,
    api_version: &str,
    mut document: Value,
) -> Result<Sent> {
    let etag = document.as_object_mut().and_then(|members| members.remove("etag"));
    let condition = etag.as_ref().and_then(Value::as_str).map(|etag| ("if-match", etag));
    clients.raw(Method::Put, path, api_version, condition.as_slice(), Some(&document))
}

/// Marks a resource as the scope's. Its tags are merged by the service for tags, so that nothing else is written.
pub(crate) async fn adopt<S: Clone>(clients: &Clients, request: &Adopt<'_, S>) -> Result<Object<S>> {
    let (cx, id) = (request.cx, &request.object.id);
    let (client, at) = (clients.resources.tags_client(), id.trim_start_matches('/'));
    let get = client.get_at_scope(at);
    let present: TagsResource = clients.fetch(cx, TAGS_READ, crate::clients::sent(get.send())).await?;
    let tags = tags::of_adopted(request, ids::name(id), &tags::read(present.properties.tags.as_ref()))?;
    let patch = TagsPatchResource {
        operation: Some(Operation::Merge),
        properties: Some(TagsOfResource { tags: Some(tags::write(&tags)) }),
    };
    let update = client.update_at_scope(at, patch);
    clients.call(cx, TAGS_WRITE, crate::clients::sent(update.send())).await?;
    Ok(request.adopted())
}

/// Makes a deleting call.
pub(crate) async fn deleted(
    clients: &Clients,
    cx: &Context,
    call: &'static str,
    id: &str,
    request: Sent,
) -> Result<Deletion> {
    let answer = clients.call(cx, call, request).await?;
    clients.remember(id, &answer);
    Ok(if answer.status() == azure_core::StatusCode::Accepted { Deletion::Pending } else { Deletion::Done })
}

/// The error of a resource name that is taken.
pub(crate) fn exists(name: &str) -> Error {
    Error::new(ErrorKind::AlreadyExists, format!("a resource named {name} already exists"))
}

/// The calls of a kind of the network provider, all of which are generated in the same form.
macro_rules! network {
    ($client:ident) => {
        fn list(clients: &Clients, group: &str) -> Pages<Self::Model> {
            let list = clients.network.$client().list(group, &clients.subscription);
            $crate::clients::pages(list.into_stream(), |page| page.value)
        }

        fn get(clients: &Clients, group: &str, name: &str) -> Sent {
            $crate::clients::sent(clients.network.$client().get(group, name, &clients.subscription).send())
        }

        fn put(
            clients: &Clients,
            group: &str,
            name: &str,
            model: Self::Model,
            _: bool,
        ) -> kops_core::Result<Sent> {
            if model.etag.is_some() {
                let path = $crate::ids::of(&clients.subscription, group, Self::TYPE, name);
                let document = $crate::kinds::arm::document(&model)?;
                return $crate::kinds::arm::put_over(
                    clients,
                    &path,
                    $crate::kinds::arm::NETWORK_API,
                    document,
                );
            }
            let put = clients.network.$client().create_or_update(group, name, model, &clients.subscription);
            Ok($crate::clients::sent(put.send()))
        }

        fn delete(clients: &Clients, group: &str, name: &str) -> Sent {
            $crate::clients::sent(clients.network.$client().delete(group, name, &clients.subscription).send())
        }
    };
}
pub(crate) use network;

/// The head of a model whose base is called `resource` and whose `properties` contain the state.
macro_rules! model {
    ($model:ty) => {
        impl $crate::kinds::arm::Model for $model {
            fn head(&self) -> $crate::kinds::arm::Head {
                let properties = self.properties.as_ref();
                $crate::kinds::arm::Head {
                    id: self.resource.id.clone().unwrap_or_default(),
                    name: self.resource.name.clone().unwrap_or_default(),
                    tags: $crate::tags::read(self.resource.tags.as_ref()),
                    state: $crate::kinds::arm::text(properties.and_then(|it| it.provisioning_state.as_ref())),
                }
            }

            fn set_tags(&mut self, tags: &$crate::tags::Tags) {
                self.resource.tags = Some($crate::tags::write(tags));
            }
        }
    };
}
pub(crate) use model;
