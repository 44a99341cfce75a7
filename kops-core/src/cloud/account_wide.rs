//! Kinds whose listings are not confined to a region.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde_json::Value;

use super::{
    Adopt, Context, Create, Delete, Deletion, Handler, IdentityClass, Mutability, Object, Query, Replacement,
    Resolved, Scope, Timing, Update,
};
use crate::Result;
use crate::graph::Reference;

/// The handler of a kind whose listings are not confined to the region that the cloud is connected to, but cover an
/// account, project or subscription. The mark of such an object therefore has to contain the region; so the handler
/// is called with [the scope of the region](super::Scope::at). An object of a scope of the same name in another
/// region is then [`Owner::Other`](super::Owner::Other) without further effort.
///
/// A provider wraps the handlers of such kinds; [`Mark`](super::Mark) and [`MarkTags`](super::MarkTags) write and
/// read the region.
#[derive(Clone, Debug)]
pub struct AccountWide<H> {
    handler: H,
    region: String,
}

impl<H> AccountWide<H> {
    /// Wraps a handler for the scopes of a region.
    pub fn new(region: impl Into<String>, handler: H) -> Self {
        Self { handler, region: region.into() }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "methods that are not forwarded would be lost")]
impl<H: Handler> Handler for AccountWide<H> {
    type Kind = H::Kind;

    fn identity(&self) -> IdentityClass {
        self.handler.identity()
    }

    fn mutability(&self, field: &str) -> Mutability {
        Handler::mutability(&self.handler, field)
    }

    fn mutability_of(&self, field: &str, before: &Value, after: &Value) -> Mutability {
        Handler::mutability_of(&self.handler, field, before, after)
    }

    fn replacement(&self) -> Replacement {
        Handler::replacement(&self.handler)
    }

    fn delete_after(&self) -> &'static [&'static str] {
        Handler::delete_after(&self.handler)
    }

    fn volatile_outputs(&self, changed: &BTreeSet<String>) -> &'static [&'static str] {
        Handler::volatile_outputs(&self.handler, changed)
    }

    fn extra_references(&self, spec: &Resolved<Self>) -> Vec<Reference> {
        self.handler.extra_references(spec)
    }

    fn timing(&self) -> Timing {
        Handler::timing(&self.handler)
    }

    async fn prefetch(&self, scope: &Scope, cx: &Context) -> Result<()> {
        Handler::prefetch(&self.handler, &scope.at(&self.region), cx).await
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Resolved<Self>>>> {
        let scope = query.scope.at(&self.region);
        Handler::list(&self.handler, &Query { scope: &scope, ..query.clone() }).await
    }

    async fn create(&self, request: Create<'_, Resolved<Self>>) -> Result<Object<Resolved<Self>>> {
        let scope = request.scope.at(&self.region);
        Handler::create(&self.handler, Create { scope: &scope, ..request }).await
    }

    async fn update(&self, request: Update<'_, Resolved<Self>>) -> Result<Object<Resolved<Self>>> {
        let scope = request.scope.at(&self.region);
        Handler::update(&self.handler, Update { scope: &scope, ..request }).await
    }

    fn can_adopt(&self) -> bool {
        Handler::can_adopt(&self.handler)
    }

    async fn adopt(&self, request: Adopt<'_, Resolved<Self>>) -> Result<Object<Resolved<Self>>> {
        let scope = request.scope.at(&self.region);
        Handler::adopt(&self.handler, Adopt { scope: &scope, ..request }).await
    }

    async fn delete(&self, request: Delete<'_, Resolved<Self>>) -> Result<Deletion> {
        let scope = request.scope.at(&self.region);
        Handler::delete(&self.handler, Delete { scope: &scope, ..request }).await
    }
}
