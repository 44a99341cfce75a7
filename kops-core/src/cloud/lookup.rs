//! Kinds that are only looked up, such as images, which are never created.

use std::sync::Arc;

use super::{Create, Delete, Deletion, DynHandler, Filter, Handler, IdentityClass, Object, Query, Update};
use crate::resource::Resource;
use crate::{Error, ErrorKind, Result};
use async_trait::async_trait;

/// Looks up objects by selector: images, zones, machine types. [`lookup`] converts it to a handler that rejects
/// creating, updating and deleting.
#[async_trait]
pub trait Lookup: Send + Sync + 'static {
    /// The kind.
    type Kind: Resource;

    /// The objects that match the selectors, with a single call if the API allows that; those that do not exist are
    /// omitted.
    async fn look_up(
        &self,
        selectors: &[&str],
        query: &Query<'_>,
    ) -> Result<Vec<Object<<Self::Kind as Resource>::Resolved>>>;
}

/// The handler of a kind that is only looked up.
pub fn lookup(lookup: impl Lookup) -> Arc<dyn DynHandler> {
    Arc::new(LookedUp(lookup))
}

struct LookedUp<L>(L);

type Resolved<L> = <<L as Lookup>::Kind as Resource>::Resolved;

#[async_trait]
impl<L: Lookup> Handler for LookedUp<L> {
    type Kind = L::Kind;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Resolved<L>>>> {
        let selectors = match query.filter {
            Filter::Scope { shared, .. } => shared.to_vec(),
            Filter::Ids(ids) => ids.iter().map(String::as_str).collect(),
        };
        if selectors.is_empty() {
            return Ok(Vec::new());
        }
        self.0.look_up(&selectors, query).await
    }

    async fn create(&self, _: Create<'_, Resolved<L>>) -> Result<Object<Resolved<L>>> {
        Err(not_ours::<L>())
    }

    async fn update(&self, _: Update<'_, Resolved<L>>) -> Result<Object<Resolved<L>>> {
        Err(not_ours::<L>())
    }

    async fn delete(&self, _: Delete<'_, Resolved<L>>) -> Result<Deletion> {
        Err(not_ours::<L>())
    }
}

fn not_ours<L: Lookup>() -> Error {
    let kind = L::Kind::KIND;
    Error::new(ErrorKind::Unsupported, format!("objects of kind {kind} can only be looked up"))
        .with_hint("add the task with GraphBuilder::share")
}
