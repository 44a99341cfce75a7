//! Handlers without their types, for the engine: documents in, documents out.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    Context, Create, Delete, Deletion, Handler, IdentityClass, Mutability, Object, Query, Replacement,
    Resolved, Scope, Timing, Update,
};
use crate::graph::{Document, Reference, references};
use crate::resource::Resource;
use crate::{Error, Result};

/// An object as a document, with the objects it refers to.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The object.
    pub object: Object<Document>,
    /// What it refers to.
    pub references: Vec<Reference>,
}

/// A [`Handler`] without its type; implemented for every handler, never by hand.
#[async_trait]
pub trait DynHandler: Send + Sync {
    /// The name of the kind.
    fn kind(&self) -> &'static str;
    /// See [`Handler::identity`].
    fn identity(&self) -> IdentityClass;
    /// See [`Handler::mutability`].
    fn mutability(&self, field: &str) -> Mutability;
    /// See [`Handler::replacement`].
    fn replacement(&self) -> Replacement;
    /// See [`Handler::delete_after`].
    fn delete_after(&self) -> &'static [&'static str];
    /// See [`Handler::volatile_outputs`].
    fn volatile_outputs(&self, changed: &BTreeSet<String>) -> &'static [&'static str];
    /// See [`Handler::timing`].
    fn timing(&self) -> Timing;
    /// The document in the one form that documents of this kind are compared in: sets sorted, members in
    /// the kind's order. Outputs that are not known yet may occur in it.
    fn canonical(&self, document: &Document) -> Result<Document>;
    /// See [`Handler::prefetch`].
    async fn prefetch(&self, scope: &Scope, cx: &Context) -> Result<()>;
    /// See [`Handler::list`].
    async fn list(&self, query: &Query<'_>) -> Result<Vec<Observed>>;
    /// See [`Handler::create`].
    async fn create(&self, request: Create<'_, Document>) -> Result<Observed>;
    /// See [`Handler::update`].
    async fn update(&self, request: Update<'_, Document>) -> Result<Observed>;
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
        Error::internal(format!("{kind}: the specification is no document")).with_source(error)
    })
}

fn typed<T: DeserializeOwned>(kind: &str, document: &Document) -> Result<T> {
    T::deserialize(&**document).map_err(|error| {
        Error::internal(format!("{kind}: the document does not fit the kind: {error}")).with_source(error)
    })
}

fn erase<H: Handler>(handler: &H, object: Object<Resolved<H>>) -> Result<Observed> {
    let mut references = references(&object.spec);
    references.extend(handler.further_references(&object.spec));
    let spec = document(H::Kind::KIND, &object.spec)?;
    Ok(Observed { object: object.map(|_| spec), references })
}

fn unerase<H: Handler>(object: &Object<Document>) -> Result<Object<Resolved<H>>> {
    let spec = typed(H::Kind::KIND, &object.spec)?;
    Ok(object.clone().map(|_| spec))
}

#[async_trait]
impl<H: Handler> DynHandler for H {
    fn kind(&self) -> &'static str {
        H::Kind::KIND
    }

    fn identity(&self) -> IdentityClass {
        Handler::identity(self)
    }

    fn mutability(&self, field: &str) -> Mutability {
        Handler::mutability(self, field)
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
        let objects = Handler::list(self, query).await?;
        objects.into_iter().map(|object| erase(self, object)).collect()
    }

    async fn create(&self, request: Create<'_, Document>) -> Result<Observed> {
        let Create { scope, name, spec, retained, token, cx } = request;
        let spec = typed(H::Kind::KIND, spec)?;
        let object = Handler::create(self, Create { scope, name, spec: &spec, retained, token, cx }).await?;
        erase(self, object)
    }

    async fn update(&self, request: Update<'_, Document>) -> Result<Observed> {
        let Update { scope, name, object, spec, changed, token, cx } = request;
        let (object, spec) = (unerase::<H>(object)?, typed(H::Kind::KIND, spec)?);
        let request = Update { scope, name, object: &object, spec: &spec, changed, token, cx };
        erase(self, Handler::update(self, request).await?)
    }

    async fn delete(&self, request: Delete<'_, Document>) -> Result<Deletion> {
        let Delete { scope, object, cx } = request;
        let object = unerase::<H>(object)?;
        Handler::delete(self, Delete { scope, object: &object, cx }).await
    }
}
