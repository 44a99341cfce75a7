//! Type-erased handlers, for the engine: documents in, documents out.
//!
//! This is also where a scope's place becomes part of names: handlers see the name of each task *within the place*,
//! so that everything derived from it (unique names, marks) differs between places, in every provider.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Adopt, Context, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Object, Query,
    Replacement, Resolved, Scope, Timing, Update, Wanted,
};
use crate::graph::{Document, Key, OutputRef, Reference, references};
use crate::resource::Resource;
use crate::{Error, Result};

/// An object as a document, with its references.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Observed {
    /// The object.
    pub object: Object<Document>,
    /// The objects it refers to.
    pub references: Vec<Reference>,
}

impl Observed {
    /// An object with its references.
    pub fn new(object: Object<Document>, references: Vec<Reference>) -> Self {
        Self { object, references }
    }
}

/// A [`Handler`] without its type; implemented for every handler, not to be implemented directly.
#[async_trait]
pub trait DynHandler: Send + Sync {
    /// The name of the kind.
    fn kind(&self) -> &'static str;
    /// The names of the kind's outputs: see [`Resource::OUTPUTS`].
    fn outputs(&self) -> &'static [&'static str];
    /// See [`Handler::identity`].
    fn identity(&self) -> IdentityClass;
    /// See [`Handler::mutability`].
    fn mutability(&self, field: &str) -> Mutability;
    /// See [`Handler::mutability_of`].
    fn mutability_of(&self, field: &str, before: &Value, after: &Value) -> Mutability;
    /// See [`Handler::replacement`].
    fn replacement(&self) -> Replacement;
    /// See [`Handler::delete_after`].
    fn delete_after(&self) -> &'static [&'static str];
    /// See [`Handler::volatile_outputs`].
    fn volatile_outputs(&self, changed: &BTreeSet<String>) -> &'static [&'static str];
    /// See [`Handler::timing`].
    fn timing(&self) -> Timing;
    /// The document in canonical form, in which documents of this kind are compared: sets are sorted, members are in
    /// the kind's order. It may contain outputs that are not known yet.
    fn canonical(&self, document: &Document) -> Result<Document>;
    /// See [`Handler::prefetch`].
    async fn prefetch(&self, scope: &Scope, cx: &Context) -> Result<()>;
    /// See [`Handler::list`].
    async fn list(&self, query: &Query<'_>) -> Result<Vec<Observed>>;
    /// See [`Handler::create`].
    async fn create(&self, request: Create<'_, Document>) -> Result<Observed>;
    /// See [`Handler::update`].
    async fn update(&self, request: Update<'_, Document>) -> Result<Observed>;
    /// See [`Handler::can_adopt`].
    fn can_adopt(&self) -> bool;
    /// See [`Handler::adopt`].
    async fn adopt(&self, request: Adopt<'_, Document>) -> Result<Observed>;
    /// See [`Handler::delete`].
    async fn delete(&self, request: Delete<'_, Document>) -> Result<Deletion>;
}

impl std::fmt::Debug for dyn DynHandler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "handler of {}", self.kind())
    }
}

fn document<T: Serialize>(kind: &str, spec: &T) -> Result<Document> {
    Document::of(spec).map_err(|error| {
        Error::internal(format!("{kind}: the specification is {}", error.message())).with_source(error)
    })
}

fn typed<T: DeserializeOwned>(kind: &str, document: &Document) -> Result<T> {
    document
        .decode()
        .map_err(|error| Error::internal(format!("{kind}: {}", error.message())).with_source(error))
}

/// The output of a task, with the task's name as seen by handlers.
fn within(scope: &Scope, output: OutputRef) -> OutputRef {
    let task = Key::new(output.task.kind(), &scope.placed(output.task.name()));
    OutputRef { task, ..output }
}

fn erase<H: Handler>(handler: &H, scope: &Scope, mut object: Object<Resolved<H>>) -> Result<Observed> {
    if let Some(name) = &mut object.name
        && scope.task(name).len() != name.len()
    {
        *name = scope.task(name).to_owned();
    }
    let mut references = references(&object.spec);
    references.extend(handler.extra_references(&object.spec));
    let spec = document(H::Kind::KIND, &object.spec)?;
    Ok(Observed { object: object.map(|_| spec), references })
}

fn unerase<H: Handler>(object: &Object<Document>, scope: &Scope) -> Result<Object<Resolved<H>>> {
    let spec = typed(H::Kind::KIND, &object.spec)?;
    let name = object.name.as_deref().map(|name| scope.placed(name));
    Ok(Object { name, ..object.clone().map(|_| spec) })
}

#[async_trait]
impl<H: Handler> DynHandler for H {
    fn kind(&self) -> &'static str {
        H::Kind::KIND
    }

    fn outputs(&self) -> &'static [&'static str] {
        H::Kind::OUTPUTS
    }

    fn identity(&self) -> IdentityClass {
        Handler::identity(self)
    }

    fn mutability(&self, field: &str) -> Mutability {
        Handler::mutability(self, field)
    }

    fn mutability_of(&self, field: &str, before: &Value, after: &Value) -> Mutability {
        Handler::mutability_of(self, field, before, after)
    }

    fn replacement(&self) -> Replacement {
        Handler::replacement(self)
    }

    fn delete_after(&self) -> &'static [&'static str] {
        Handler::delete_after(self)
    }

    fn volatile_outputs(&self, changed: &BTreeSet<String>) -> &'static [&'static str] {
        Handler::volatile_outputs(self, changed)
    }

    fn timing(&self) -> Timing {
        Handler::timing(self)
    }

    fn canonical(&self, value: &Document) -> Result<Document> {
        document(H::Kind::KIND, &typed::<H::Kind>(H::Kind::KIND, value)?)
    }

    async fn prefetch(&self, scope: &Scope, cx: &Context) -> Result<()> {
        Handler::prefetch(self, scope, cx).await
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Observed>> {
        let scope = query.scope;
        let objects = match query.filter {
            Filter::Scope { wanted, shared, dissolving } if scope.place().is_some() => {
                // References in a specification use the names of tasks as in marks, too, so that handlers can match
                // objects with the objects that contain them.
                let placed: Vec<(String, Document)> = wanted
                    .iter()
                    .map(|it| (scope.placed(it.name), it.spec.map_outputs(&|output| within(scope, output))))
                    .collect();
                let wanted: Vec<Wanted<'_>> =
                    placed.iter().map(|(name, spec)| Wanted { name, spec }).collect();
                let filter = Filter::Scope { wanted: &wanted, shared, dissolving };
                Handler::list(self, &Query { scope, filter, cx: query.cx }).await?
            }
            _ => Handler::list(self, query).await?,
        };
        objects.into_iter().map(|object| erase(self, scope, object)).collect()
    }

    async fn create(&self, request: Create<'_, Document>) -> Result<Observed> {
        let Create { scope, name, spec, retained, token, cx } = request;
        let (name, spec) = (&*scope.placed(name), typed(H::Kind::KIND, spec)?);
        let object = Handler::create(self, Create { scope, name, spec: &spec, retained, token, cx }).await?;
        erase(self, scope, object)
    }

    async fn update(&self, request: Update<'_, Document>) -> Result<Observed> {
        let Update { scope, name, object, spec, changed, token, cx } = request;
        let (object, spec) = (unerase::<H>(object, scope)?, typed(H::Kind::KIND, spec)?);
        let name = &*scope.placed(name);
        let request = Update { scope, name, object: &object, spec: &spec, changed, token, cx };
        erase(self, scope, Handler::update(self, request).await?)
    }

    fn can_adopt(&self) -> bool {
        Handler::can_adopt(self)
    }

    async fn adopt(&self, request: Adopt<'_, Document>) -> Result<Observed> {
        let Adopt { scope, name, object, retained, cx } = request;
        let object = unerase::<H>(object, scope)?;
        let name = &*scope.placed(name);
        let request = Adopt { scope, name, object: &object, retained, cx };
        erase(self, scope, Handler::adopt(self, request).await?)
    }

    async fn delete(&self, request: Delete<'_, Document>) -> Result<Deletion> {
        let Delete { scope, object, cx } = request;
        let object = unerase::<H>(object, scope)?;
        Handler::delete(self, Delete { scope, object: &object, cx }).await
    }
}
