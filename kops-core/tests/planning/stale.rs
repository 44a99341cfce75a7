//! A plan is applied as it was shown, to the scope and the cloud that it was made for, or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use kops_core::clock::Clock;
use kops_core::cloud::{Capabilities, Class, Cloud, DynHandler, Scope};
use kops_core::graph::{Id, Setting, TaskGraph};
use kops_core::lower::Native;
use kops_core::resource::{Address, DnsRecord, Network, Resource as _};
use kops_core::store::Journal;
use kops_core::testing::{MemoryCloud, MemoryKind};
use kops_core::{Engine, Error, ErrorKind, Plan, Result};

use crate::site::{self, Host};

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

/// The in-memory cloud under another name.
#[derive(Debug)]
struct Renamed(MemoryCloud);

impl Cloud for Renamed {
    fn name(&self) -> &'static str {
        "elsewhere"
    }

    fn location(&self) -> String {
        self.0.location()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn handlers(&self) -> &[Arc<dyn DynHandler>] {
        self.0.handlers()
    }

    fn class(&self, kind: &str) -> Option<Class> {
        self.0.class(kind)
    }

    fn lower(&self, graph: &TaskGraph, scope: &Scope, own: &[&str]) -> Result<Native> {
        self.0.lower(graph, scope, own)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.0.clock()
    }
}

/// That an engine applies the plan by no way, and makes no call to find that out.
async fn refused(cloud: &MemoryCloud, engine: &Engine, plan: &Plan, named: [&str; 2]) {
    let before = cloud.calls();
    let graph = site::one_network();
    let errors: [Error; 3] = [
        engine.apply(plan).await.unwrap_err(),
        engine.apply_now(plan).await.unwrap_err(),
        engine.apply_saved(&plan.saved(), &graph).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        for name in named {
            assert!(error.to_string().contains(name), "{name}: {error}");
        }
    }
    assert_eq!(cloud.calls(), before, "calls were made");
}

#[tokio::test]
async fn a_plan_for_another_scope_is_refused() {
    let cloud = MemoryCloud::new();
    let (prod, dev) = (site::engine(&cloud, Scope::new("prod")), site::engine(&cloud, Scope::new("dev")));
    let plan = prod.plan(&site::one_network()).await.unwrap();
    refused(&cloud, &dev, &plan, ["prod", "dev"]).await;
    let theirs = dev.plan(&site::one_network()).await.unwrap();
    assert_ne!(plan.fingerprint, theirs.fingerprint);
    assert_eq!(plan.fingerprint, prod.plan(&site::one_network()).await.unwrap().fingerprint);
}

#[tokio::test]
async fn a_plan_with_other_labels_is_refused() {
    let cloud = MemoryCloud::new();
    let labelled = |team: &str| {
        let labels: BTreeMap<_, _> = [("team".to_owned(), team.to_owned())].into();
        site::engine(&cloud, Scope::new("shop").labels(labels))
    };
    let plan = labelled("red").plan(&site::one_network()).await.unwrap();
    refused(&cloud, &labelled("blue"), &plan, ["red", "blue"]).await;
    let theirs = labelled("blue").plan(&site::one_network()).await.unwrap();
    assert_ne!(plan.fingerprint, theirs.fingerprint);
}

#[tokio::test]
async fn a_plan_for_another_cloud_is_refused() {
    let cloud = MemoryCloud::new();
    let here = site::engine(&cloud, Scope::new("shop"));
    let there = Engine::new(Arc::new(Renamed(cloud.clone())), Scope::new("shop"));
    let plan = here.plan(&site::one_network()).await.unwrap();
    refused(&cloud, &there, &plan, ["memory", "elsewhere"]).await;
    assert_ne!(plan.fingerprint, there.plan(&site::one_network()).await.unwrap().fingerprint);
}

#[tokio::test]
async fn a_plan_for_another_location_is_refused() {
    let cloud = MemoryCloud::new();
    let engine = |region| Engine::new(Arc::new(cloud.in_region(region)), Scope::new("shop"));
    let plan = engine("eu").plan(&site::one_network()).await.unwrap();
    assert_eq!(plan.location, "eu");
    refused(&cloud, &engine("us"), &plan, ["memory (eu)", "memory (us)"]).await;
    assert_ne!(plan.fingerprint, engine("us").plan(&site::one_network()).await.unwrap().fingerprint);
    engine("eu").apply_saved(&plan.saved(), &site::one_network()).await.unwrap().into_result().unwrap();
}

/// A host with a known address, and a record of it still to be made.
async fn record_to_be_made() -> (MemoryCloud, Engine, Plan) {
    let cloud = site::cloud();
    let engine = site::engine(&cloud, Scope::new("shop"));
    site::apply(&engine, &site::host(Host::new(1), false)).await;
    let plan = engine.plan(&site::host(Host::new(1), true)).await.unwrap();
    assert_eq!((plan.summary.create, plan.summary.unchanged), (1, 2));
    let json = serde_json::to_string(&plan).unwrap();
    assert!(json.contains("192.0.2.1"), "the address is shown: {json}");
    (cloud, engine, plan)
}

#[tokio::test]
async fn an_output_that_changes_makes_another_plan() {
    let (cloud, engine, plan) = record_to_be_made().await;
    let id = cloud.objects().unwrap().into_iter().find(|it| it.kind == Host::KIND).unwrap().id;
    cloud.alter::<Host>(&Id::new(id), |it| it.address = Setting::To("192.0.2.77".to_owned())).unwrap();
    let graph = site::host(Host::new(1), true);
    for error in
        [engine.apply(&plan).await.unwrap_err(), engine.apply_saved(&plan.saved(), &graph).await.unwrap_err()]
    {
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        let text = error.to_string();
        assert!(text.contains("192.0.2.77") && text.contains("DnsRecord/www"), "{text}");
    }
    assert!(cloud.objects().unwrap().iter().all(|it| it.kind != DnsRecord::KIND), "nothing was made");
}

#[tokio::test]
async fn what_no_change_depends_on_may_change() {
    let (cloud, engine, plan) = record_to_be_made().await;
    let objects = cloud.objects().unwrap();
    let host = objects.iter().find(|it| it.kind == Host::KIND).unwrap();
    let foreign = cloud.plant::<Network>("theirs", &site::network()).unwrap();
    assert!(cloud.exists(&foreign).unwrap());
    assert_eq!(plan.fingerprint, engine.plan(&site::host(Host::new(1), true)).await.unwrap().fingerprint);
    engine.apply(&plan).await.unwrap().into_result().unwrap();
    assert!(cloud.exists(&Id::<Host>::new(&host.id)).unwrap());
}

#[tokio::test]
async fn a_specification_that_differs_makes_another_plan() {
    let (_, engine, plan) = record_to_be_made().await;
    let error = engine.apply_saved(&plan.saved(), &site::host(Host::new(2), true)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("new: update Host/web: size"), "{error}");
}

#[tokio::test]
async fn a_secret_that_differs_makes_another_plan() {
    let engine = site::engine(&site::cloud(), Scope::new("shop"));
    let with = |text: &str| {
        let password = Some(kops_core::graph::Secret::new(text).into());
        site::host(Host { password, ..Host::new(1) }, false)
    };
    let plan = engine.plan(&with("hunter-one")).await.unwrap();
    assert_ne!(plan.fingerprint, engine.plan(&with("hunter-two")).await.unwrap().fingerprint);
    assert!(!serde_json::to_string(&plan).unwrap().contains("hunter"));
}

#[tokio::test]
async fn pruning_is_a_part_of_the_plan() {
    let site = Site::with_all().await;
    let all = site.engine.plan(&graph()).await.unwrap();
    let none = site.engine.clone().prune(false).plan(&graph()).await.unwrap();
    assert_ne!(all.fingerprint, none.fingerprint);
    let kept = site.engine.clone().prune(false).plan(&only_the_network()).await.unwrap();
    assert_eq!((kept.summary.delete, kept.deferred.len()), (0, 2));
    site.lose::<Address>();
    let error = site.engine.apply(&kept).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "what was shown as left is not there: {error}");
}

/// What is gone must not hide that something else is not as it was.
#[tokio::test]
async fn a_deletion_done_does_not_excuse_another_change() {
    let cloud = site::cloud();
    let engine = site::engine(&cloud, Scope::new("shop"));
    let mut graph = TaskGraph::builder();
    graph.add("web", Host::new(1));
    let network = graph.add("old", site::network());
    assert_eq!(network.key().kind(), Network::KIND);
    site::apply(&engine, &graph.build().unwrap()).await;
    let mut graph = TaskGraph::builder();
    graph.add("web", Host::new(2));
    let plan = engine.plan(&graph.build().unwrap()).await.unwrap();
    assert_eq!((plan.summary.update, plan.summary.delete), (1, 1));
    let id = |kind: &str| cloud.objects().unwrap().into_iter().find(|it| it.kind == kind).unwrap().id;
    cloud.remove::<Network>(&Id::new(id(Network::KIND))).unwrap();
    cloud.alter::<Host>(&Id::new(id(Host::KIND)), |it| it.size = 4).unwrap();
    let error = engine.apply(&plan).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    cloud.alter::<Host>(&Id::new(id(Host::KIND)), |it| it.size = 1).unwrap();
    let report = engine.apply(&plan).await.unwrap().into_result().unwrap();
    assert_eq!(report.done.len(), 1, "the deletion is done, the update was still to do");
}
