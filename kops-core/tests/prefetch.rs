//! What is fetched ahead is not asked for again, and serves nobody but whom it was fetched for.

#![expect(clippy::disallowed_methods, reason = "tokio's paused clock is the test's own")]
#![expect(clippy::unwrap_used, reason = "a test can do no better")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kops_core::clock::{Clock, SystemClock};
use kops_core::cloud::{
    Capabilities, Class, Cloud, Context, Create, Delete, Deletion, DynHandler, Handler, IdentityClass,
    Object, Query, Scope, Update,
};
use kops_core::graph::TaskGraph;
use kops_core::lower::Native;
use kops_core::resource::Resource;
use kops_core::{Engine, Error, ErrorKind, Result, RunOptions, async_trait};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

/// How long a call takes.
const CALL: Duration = Duration::from_millis(50);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Thing {}

impl Resource for Thing {
    const KIND: &'static str = "Thing";
    type Resolved = Self;
}

/// Things, whose listing takes two calls, one after the other.
#[derive(Clone, Debug, Default)]
struct Things {
    calls: Arc<AtomicUsize>,
    failures: Arc<Mutex<Vec<Error>>>,
}

impl Things {
    async fn ids(&self, cx: &Context) -> Result<Arc<Vec<String>>> {
        let call = async || {
            self.calls.fetch_add(1, Ordering::Relaxed);
            sleep(CALL).await;
            self.failures.lock().unwrap().pop().map_or_else(|| Ok(vec!["thing-1".to_owned()]), Err)
        };
        cx.memo.get_or_try("ids", call).await
    }
}

#[async_trait]
impl Handler for Things {
    type Kind = Thing;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Tagged
    }

    async fn prefetch(&self, _: &Scope, cx: &Context) -> Result<()> {
        self.ids(cx).await.map(drop)
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Thing>>> {
        let ids = self.ids(query.cx).await?;
        sleep(CALL).await;
        Ok(ids.iter().map(|id| Object::owned(id, "thing", Thing {})).collect())
    }

    async fn create(&self, _: Create<'_, Thing>) -> Result<Object<Thing>> {
        Err(Error::internal("planning creates nothing"))
    }

    async fn update(&self, _: Update<'_, Thing>) -> Result<Object<Thing>> {
        Err(Error::internal("planning changes nothing"))
    }

    async fn delete(&self, _: Delete<'_, Thing>) -> Result<Deletion> {
        Err(Error::internal("planning deletes nothing"))
    }
}

#[derive(Debug)]
struct Shelf {
    handlers: [Arc<dyn DynHandler>; 1],
    clock: Arc<SystemClock>,
}

impl Shelf {
    fn of(things: &Things) -> Arc<Self> {
        Arc::new(Self { handlers: [Arc::new(things.clone())], clock: Arc::new(SystemClock::new()) })
    }
}

impl Cloud for Shelf {
    fn name(&self) -> &'static str {
        "shelf"
    }

    fn location(&self) -> String {
        String::new()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn handlers(&self) -> &[Arc<dyn DynHandler>] {
        &self.handlers
    }

    fn lower(&self, graph: &TaskGraph, _: &Scope, _: &[&str]) -> Result<Native> {
        Ok(graph.clone().into())
    }

    fn class(&self, _: &str) -> Option<Class> {
        Some(Class::Other)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn the_cloud_is_looked_at_while_the_graph_is_made() {
    let things = Things::default();
    let engine = Engine::new(Shelf::of(&things), Scope::new("demo"));
    let start = Instant::now();
    let prefetch = engine.prefetch();
    // The state store answers.
    sleep(CALL).await;
    let plan = engine.plan_prefetched(&TaskGraph::default(), prefetch, RunOptions::new()).await.unwrap();
    assert_eq!(plan.summary.delete, 1);
    assert_eq!(start.elapsed(), 2 * CALL, "the store's call, and beside it the first of the cloud's two");
    assert_eq!(things.calls.load(Ordering::Relaxed), 1);
    // The next plan looks anew.
    engine.plan(&TaskGraph::default()).await.unwrap();
    assert_eq!(things.calls.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_fetched_ahead_is_asked_for_again() {
    let things = Things::default();
    things.failures.lock().unwrap().push(Error::new(ErrorKind::Denied, "not yet"));
    let engine = Engine::new(Shelf::of(&things), Scope::new("demo"));
    let prefetch = engine.prefetch();
    sleep(2 * CALL).await;
    assert_eq!(
        engine
            .plan_prefetched(&TaskGraph::default(), prefetch, RunOptions::new())
            .await
            .unwrap()
            .summary
            .delete,
        1
    );
    assert_eq!(things.calls.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_fetched_for_one_scope_or_cloud_serves_no_other() {
    let things = Things::default();
    let engine = Engine::new(Shelf::of(&things), Scope::new("demo"));
    for other in [
        Engine::new(engine.cloud().clone(), Scope::new("other")),
        Engine::new(Shelf::of(&things), Scope::new("demo")),
    ] {
        let error = other
            .plan_prefetched(&TaskGraph::default(), engine.prefetch(), RunOptions::new())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_it_breaks_the_calls_off() {
    let things = Things::default();
    let engine = Engine::new(Shelf::of(&things), Scope::new("demo"));
    let prefetch = engine.prefetch();
    tokio::task::yield_now().await;
    assert_eq!(Arc::strong_count(&things.calls), 2);
    let cloud = Arc::downgrade(engine.cloud());
    drop((prefetch, engine));
    tokio::task::yield_now().await;
    assert_eq!(cloud.strong_count(), 0, "a call under way keeps the cloud");
}
