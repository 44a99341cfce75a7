//! Kinds that need a journal.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use kops_core::cloud::IdentityClass;
use kops_core::graph::TaskGraph;
use kops_core::resource::{Address, Resource as _};
use kops_core::store::{Intent, IntentLog, Journal};
use kops_core::testing::MemoryCloud;
use kops_core::{ErrorKind, Result};

use super::{engine, volume};

/// Counts how often it is read.
#[derive(Debug)]
struct Counted(Journal, AtomicUsize);

#[async_trait]
impl IntentLog for Counted {
    async fn intend(&self, key: &str, content_digest: &str, existing: &[String]) -> Result<Intent> {
        self.0.intend(key, content_digest, existing).await
    }

    async fn done(&self, intent: &Intent, object: &str) -> Result<()> {
        self.0.done(intent, object).await
    }

    async fn abandon(&self, intent: &Intent) -> Result<()> {
        self.0.abandon(intent).await
    }

    async fn forget(&self, object: &str) -> Result<()> {
        self.0.forget(object).await
    }

    async fn entries(&self) -> Result<Vec<Intent>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.entries().await
    }
}

fn addresses() -> TaskGraph {
    let mut graph = TaskGraph::builder();
    graph.add("front", Address::new());
    graph.add("back", Address::new());
    graph.build().unwrap()
}

#[tokio::test]
async fn a_plan_that_needs_a_journal_is_refused_without_one() {
    let cloud = MemoryCloud::builder().identity(Address::KIND, IdentityClass::Journal).build();
    let engine = engine(&cloud);
    let error = engine.plan(&addresses()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let told: Vec<_> = error.errors().iter().filter_map(|it| it.task()).collect();
    assert_eq!(told, ["Address/front", "Address/back"]);
    assert!(error.to_string().contains("Engine::journal"), "{error}");
    assert_eq!(cloud.calls().total(), 0, "refused before the cloud was asked");

    let engine = engine.journal(Arc::new(Journal::in_memory()));
    engine.apply(&engine.plan(&addresses()).await.unwrap()).await.unwrap().into_result().unwrap();
}

#[tokio::test]
async fn a_journal_is_read_only_on_clouds_with_kinds_that_need_it() {
    for (class, is_read) in [(IdentityClass::Tagged, false), (IdentityClass::Journal, true)] {
        let cloud = MemoryCloud::builder().identity(Address::KIND, class).build();
        let journal = Arc::new(Counted(Journal::in_memory(), AtomicUsize::new(0)));
        let engine = engine(&cloud).journal(journal.clone());
        engine.apply(&engine.plan(&volume()).await.unwrap()).await.unwrap().into_result().unwrap();
        assert_eq!(journal.1.load(Ordering::Relaxed) > 0, is_read, "{class:?}");
    }
}
