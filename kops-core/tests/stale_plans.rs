//! A plan is applied to the cloud that it was made for.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::sync::Arc;

use kops_core::cloud::Scope;
use kops_core::graph::{Id, TaskGraph};
use kops_core::resource::{Address, Network};
use kops_core::store::Journal;
use kops_core::testing::{MemoryCloud, MemoryKind};
use kops_core::{Engine, ErrorKind};

/// A network, and two addresses that nothing refers to.
fn graph() -> TaskGraph {
    let mut graph = TaskGraph::builder();
    graph.add("shop", Network::new(["10.0.0.0/16".parse().unwrap()]));
    graph.add("front", Address::new());
    graph.add("back", Address::new());
    graph.build().unwrap()
}

fn only_the_network() -> TaskGraph {
    let mut graph = TaskGraph::builder();
    graph.add("shop", Network::new(["10.0.0.0/16".parse().unwrap()]));
    graph.build().unwrap()
}

struct Site {
    cloud: MemoryCloud,
    engine: Engine,
}

impl Site {
    async fn with_all() -> Self {
        let cloud = MemoryCloud::new();
        let engine = Engine::new(Arc::new(cloud.clone()), Scope::new("shop"));
        let engine = engine.journal(Arc::new(Journal::in_memory()));
        let site = Self { cloud, engine };
        let plan = site.engine.plan(&graph()).await.unwrap();
        site.engine.apply(&plan).await.unwrap().into_result().unwrap();
        site
    }

    /// Somebody deletes the first object of a kind.
    fn lose<R: MemoryKind>(&self) {
        let all = self.cloud.objects().unwrap();
        let object = all.iter().find(|it| it.kind == R::KIND).unwrap();
        self.cloud.remove::<R>(&Id::new(&object.id)).unwrap();
    }
}

#[tokio::test]
async fn a_deletion_that_has_happened_meanwhile_leaves_the_plan_good() {
    let site = Site::with_all().await;
    let plan = site.engine.plan(&only_the_network()).await.unwrap();
    assert_eq!(plan.summary.delete, 2);
    site.lose::<Address>();
    site.engine.apply(&plan).await.unwrap().into_result().unwrap();
    assert_eq!(site.cloud.objects().unwrap().len(), 1);
    // All deletions have happened: nothing is left to do.
    site.engine.apply(&plan).await.unwrap().into_result().unwrap();
}

#[tokio::test]
async fn what_the_plan_keeps_must_still_be_there() {
    let site = Site::with_all().await;
    let plan = site.engine.plan(&only_the_network()).await.unwrap();
    site.lose::<Network>();
    let error = site.engine.apply(&plan).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(site.cloud.objects().unwrap().len(), 2, "nothing was deleted");
}

#[tokio::test]
async fn what_the_plan_does_not_know_must_not_have_come() {
    let site = Site::with_all().await;
    let plan = site.engine.plan(&only_the_network()).await.unwrap();
    site.lose::<Address>();
    let more = Network::new(["10.1.0.0/16".parse().unwrap()]);
    let mut graph = TaskGraph::builder();
    graph.add("shop", Network::new(["10.0.0.0/16".parse().unwrap()]));
    graph.add("mall", more);
    graph.add("front", Address::new());
    graph.add("back", Address::new());
    let other = site.engine.plan(&graph.build().unwrap()).await.unwrap();
    site.engine.apply(&other).await.unwrap().into_result().unwrap();
    let error = site.engine.apply(&plan).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
}
