//! A cluster's name, a project, and what is done to them again and again.

use std::sync::Arc;
use std::time::Duration;

use kops_core::cloud::Scope;
use kops_core::graph::TaskGraph;
use kops_core::plan::Plan;
use kops_core::testing::FastClock;
use kops_core::{Engine, Result};
use kops_gce::Gce;
use kops_gce_emulator::{Emulator, REGION, Snapshot};

pub(crate) const CLUSTER: &str = "ha.example.com";
pub(crate) const ZONES: [&str; 3] = ["europe-west1-b", "europe-west1-c", "europe-west1-d"];

pub(crate) struct Lab {
    pub(crate) google: Emulator,
    pub(crate) gce: Arc<Gce>,
    pub(crate) engine: Engine,
    /// The project before anything was done.
    pub(crate) before: Snapshot,
}

impl Lab {
    /// A project in which others have something of every kind.
    pub(crate) async fn new() -> Self {
        let google = Emulator::start();
        google.create_zone("example.com");
        google.seed_foreign(CLUSTER);
        Self::on(google).await
    }

    /// An empty project.
    pub(crate) async fn bare() -> Self {
        Self::on(Emulator::start()).await
    }

    /// In a project without anything else.
    pub(crate) async fn on(google: Emulator) -> Self {
        let gce = connect(&google).await;
        let engine = Engine::new(gce.clone(), Scope::new(CLUSTER));
        let before = google.snapshot();
        Self { google, gce, engine, before }
    }

    /// The changes that a graph needs, as `action Kind/name: fields`.
    pub(crate) async fn changes(&self, graph: &TaskGraph) -> Vec<String> {
        changes(&self.engine.plan(graph).await.unwrap())
    }

    pub(crate) async fn try_apply(&self, graph: &TaskGraph) -> Result<()> {
        let plan = self.engine.plan(graph).await?;
        let applied = tokio::time::timeout(LONGEST, self.engine.apply_now(&plan)).await;
        applied.expect("what is waited for comes in time")?.into_result().map(drop)
    }

    /// Applies a graph and makes sure that it is settled then.
    pub(crate) async fn apply(&self, graph: &TaskGraph) {
        self.try_apply(graph).await.unwrap();
        self.assert_settled(graph).await;
    }

    /// A plan finds nothing to do, and changes nothing.
    pub(crate) async fn assert_settled(&self, graph: &TaskGraph) {
        self.google.forget_calls();
        assert_eq!(self.changes(graph).await, Vec::<String>::new());
        assert!(self.google.calls().mutations(&[]).is_empty());
        assert_eq!(
            self.before.lost_in(&self.google.snapshot()),
            Vec::<String>::new(),
            "others lost something"
        );
    }

    /// Deletes everything and makes sure that the project is as it was.
    pub(crate) async fn delete(&self) {
        self.try_apply(&TaskGraph::default()).await.unwrap();
        self.google.settle();
        assert_eq!(self.before.diff(&self.google.snapshot()), Vec::<String>::new());
    }
}

/// The emulator is done with everything in seconds.
const LONGEST: Duration = Duration::from_secs(100);

/// Pauses and rate limits are the cloud's, the emulator is faster.
const FASTER: u32 = 20;

pub(crate) async fn connect(google: &Emulator) -> Arc<Gce> {
    connect_to(google, REGION).await
}

pub(crate) async fn connect_to(google: &Emulator, region: &str) -> Arc<Gce> {
    let builder = Gce::builder().install_ring();
    let builder = builder.project(google.project()).region(region).endpoint(google.endpoint());
    let builder = builder.clock(Arc::new(FastClock::new(FASTER)));
    Arc::new(builder.anonymous().build().await.unwrap())
}

/// The changes of a plan, a line each.
pub(crate) fn changes(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(ToString::to_string).collect()
}
