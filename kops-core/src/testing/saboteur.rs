//! Fault injection for any cloud.
//!
//! # Known weaknesses
//! Faults occur before or after a call of a handler: a handler that makes two requests is not interrupted in between.
//! According to the contract, a creation makes only one, and tests that kill a process detect violations.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::fault::{Call, Fault, Op};
use super::tap::{Calls, Tap};
use crate::Result;
use crate::clock::Clock;
use crate::cloud::Native;
use crate::cloud::{
    Adopt, Capabilities, Class, Cloud, Context, Create, Delete, Deletion, DynHandler, IdentityClass,
    Machines, Mutability, Observed, Permissions, Query, Replacement, Scope, Timing, Update,
};
use crate::graph::{Document, TaskGraph};

/// Wraps a cloud and makes calls of its handlers fail, lose their response, or never return.
///
/// It works for every cloud, because it uses handlers only: a call is one call of a handler, regardless of the number
/// of requests.
#[derive(Clone)]
pub struct Saboteur {
    cloud: Arc<dyn Cloud>,
    tap: Arc<Tap>,
    handlers: Arc<[Arc<dyn DynHandler>]>,
}

impl fmt::Debug for Saboteur {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saboteur").field("cloud", &self.cloud).field("tap", &self.tap).finish_non_exhaustive()
    }
}

impl Saboteur {
    /// Wraps a cloud; no faults yet.
    pub fn new(cloud: Arc<dyn Cloud>) -> Self {
        let tap = Arc::new(Tap::default());
        let sabotaged = |inner: &Arc<dyn DynHandler>| -> Arc<dyn DynHandler> {
            Arc::new(Sabotaged { inner: inner.clone(), tap: tap.clone() })
        };
        let handlers = cloud.handlers().iter().map(sabotaged).collect();
        Self { cloud, tap, handlers }
    }

    /// Injects the faults of a script from now on; counts start at zero.
    pub fn inject(&self, script: impl FnMut(&Call<'_>) -> Option<Fault> + Send + 'static) {
        self.tap.inject(Box::new(script));
    }

    /// Stops injecting faults; counts start at zero.
    pub fn heal(&self) {
        self.tap.reset();
    }

    /// The calls of handlers since the last [`inject`](Self::inject) or [`heal`](Self::heal).
    pub fn calls(&self) -> Calls {
        self.tap.calls()
    }

    /// The calls of handlers that change something, since then; a call that is retried counts once.
    pub fn steps(&self) -> u64 {
        self.tap.mutations()
    }

    /// Returns as soon as a call has crashed. From then on, no call returns: drop the code that makes them, then
    /// [`revive`](Self::revive) the cloud.
    pub async fn crashed(&self) {
        self.tap.crashed().await;
    }

    /// Lets calls through again after a crash.
    pub fn revive(&self) {
        self.tap.revive();
    }
}

#[deny(clippy::missing_trait_methods, reason = "methods that are not forwarded would be lost")]
impl Cloud for Saboteur {
    fn name(&self) -> &str {
        self.cloud.name()
    }

    fn location(&self) -> String {
        self.cloud.location()
    }

    fn capabilities(&self) -> Capabilities {
        self.cloud.capabilities()
    }

    fn handlers(&self) -> &[Arc<dyn DynHandler>] {
        &self.handlers
    }

    fn class(&self, kind: &str) -> Option<Class> {
        self.cloud.class(kind)
    }

    fn lower(&self, graph: &TaskGraph, scope: &Scope, own: &[&str]) -> Result<Native> {
        self.cloud.lower(graph, scope, own)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.cloud.clock()
    }

    fn machines(&self) -> Option<&dyn Machines> {
        self.cloud.machines()
    }

    fn permissions(&self) -> Option<&dyn Permissions> {
        self.cloud.permissions()
    }
}

struct Sabotaged {
    inner: Arc<dyn DynHandler>,
    tap: Arc<Tap>,
}

#[deny(clippy::missing_trait_methods, reason = "methods that are not forwarded would be lost")]
#[async_trait]
impl DynHandler for Sabotaged {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn outputs(&self) -> &'static [&'static str] {
        self.inner.outputs()
    }

    fn identity(&self) -> IdentityClass {
        self.inner.identity()
    }

    fn mutability(&self, field: &str) -> Mutability {
        self.inner.mutability(field)
    }

    fn mutability_of(&self, field: &str, before: &Value, after: &Value) -> Mutability {
        self.inner.mutability_of(field, before, after)
    }

    fn replacement(&self) -> Replacement {
        self.inner.replacement()
    }

    fn delete_after(&self) -> &'static [&'static str] {
        self.inner.delete_after()
    }

    fn volatile_outputs(&self, changed: &BTreeSet<String>) -> &'static [&'static str] {
        self.inner.volatile_outputs(changed)
    }

    fn timing(&self) -> Timing {
        self.inner.timing()
    }

    fn canonical(&self, document: &Document) -> Result<Document> {
        self.inner.canonical(document)
    }

    async fn prefetch(&self, scope: &Scope, cx: &Context) -> Result<()> {
        self.inner.prefetch(scope, cx).await
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Observed>> {
        self.tap.call(self.kind(), Op::List, None, |_| self.inner.list(query)).await
    }

    async fn create(&self, request: Create<'_, Document>) -> Result<Observed> {
        let token = request.token;
        self.tap.call(self.kind(), Op::Create, Some(token), |_| self.inner.create(request)).await
    }

    async fn update(&self, request: Update<'_, Document>) -> Result<Observed> {
        let token = request.token;
        self.tap.call(self.kind(), Op::Update, Some(token), |_| self.inner.update(request)).await
    }

    fn can_adopt(&self) -> bool {
        self.inner.can_adopt()
    }

    async fn adopt(&self, request: Adopt<'_, Document>) -> Result<Observed> {
        let id = request.object.id.as_str();
        self.tap.call(self.kind(), Op::Update, Some(id), |_| self.inner.adopt(request)).await
    }

    async fn delete(&self, request: Delete<'_, Document>) -> Result<Deletion> {
        let id = request.object.id.as_str();
        self.tap.call(self.kind(), Op::Delete, Some(id), |_| self.inner.delete(request)).await
    }
}
