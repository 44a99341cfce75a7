//! Kinds that a cloud lists beyond one region.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::{
    Adopt, Context, Create, Delete, Deletion, Handler, IdentityClass, Mutability, Object, Query, Replacement,
    Resolved, Scope, Timing, Update,
};
use crate::Result;
use crate::graph::Reference;

/// The handler of a kind whose objects a cloud lists beyond the region that it is connected to: for a whole account,
/// project or subscription. Whose such an object is, its mark has to tell together with the region; so the scope that
/// the handler gets is [that of the region](super::Scope::at). An object of a scope of the same name in another
/// region is then [`Owner::Other`](super::Owner::Other), by the handler's usual means.
///
/// A provider wraps the handlers of such kinds where it lists them; [`Mark`](super::Mark) and
/// [`MarkTags`](super::MarkTags) write and read the region.
#[derive(Clone, Debug)]
pub struct AccountWide<H> {
    handler: H,
    region: String,
}

impl<H> AccountWide<H> {
    /// The handler, for the scopes of a region.
    pub fn new(region: impl Into<String>, handler: H) -> Self {
        Self { handler, region: region.into() }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "what is not handed on gets lost")]
impl<H: Handler> Handler for AccountWide<H> {
    type Kind = H::Kind;

    fn identity(&self) -> IdentityClass {
        self.handler.identity()
    }

    fn mutability(&self, field: &str) -> Mutability {
        Handler::mutability(&self.handler, field)
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
