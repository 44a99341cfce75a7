//! The paved path: observe, plan, apply.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::apply::{self, EventSink, NoJournal, Report, Worker};
use crate::cloud::{Cloud, Context, Scope};
use crate::graph::{Key, TaskGraph};
use crate::observe::observe;
use crate::plan::{self, Action, Inputs, Plan, Prune};
use crate::prefetch::Prefetch;
use crate::retry::RetryPolicy;
use crate::store::IntentLog;
use crate::{Error, ErrorKind, Result, Snapshot};

/// Plans graphs for a cloud and applies the plans.
///
/// ```
/// # #[cfg(feature = "testing")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kops_core::Result<()> {
/// use std::sync::Arc;
/// use kops_core::cloud::Scope;
/// use kops_core::graph::TaskGraph;
/// use kops_core::resource::Network;
/// use kops_core::testing::MemoryCloud;
/// use kops_core::Engine;
///
/// let engine = Engine::new(Arc::new(MemoryCloud::new()), Scope::new("demo"));
///
/// let mut graph = TaskGraph::builder();
/// graph.add("main", Network { cidrs: vec!["10.0.0.0/16".parse().unwrap()], ..Network::default() });
/// let graph = graph.build()?;
///
/// let plan = engine.plan(&graph).await?;
/// assert_eq!(plan.summary.create, 1);
/// engine.apply(&plan).await?.into_result()?;
/// assert!(engine.plan(&graph).await?.is_empty());
///
/// // Deleting is planning the empty graph.
/// let plan = engine.plan(&TaskGraph::default()).await?;
/// assert_eq!(plan.summary.delete, 1);
/// # engine.apply(&plan).await?.into_result()?;
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "testing"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct Engine {
    cloud: Arc<dyn Cloud>,
    scope: Scope,
    journal: Arc<dyn IntentLog>,
    retry: RetryPolicy,
    prune: bool,
    events: EventSink,
    cancel: CancellationToken,
}

impl Engine {
    /// An engine for one scope on a cloud.
    pub fn new(cloud: Arc<dyn Cloud>, scope: Scope) -> Self {
        Self {
            cloud,
            scope,
            journal: Arc::new(NoJournal),
            retry: RetryPolicy::default(),
            prune: true,
            events: EventSink::default(),
            cancel: CancellationToken::new(),
        }
    }

    /// Where to write down what is about to be made, for kinds whose objects carry neither name nor mark.
    pub fn journal(mut self, journal: Arc<dyn IntentLog>) -> Self {
        self.journal = journal;
        self
    }

    /// For how long to try again.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Whether objects of the scope that no task wants are deleted (the default) or only shown in
    /// [`Plan::deferred`].
    pub fn prune(mut self, prune: bool) -> Self {
        self.prune = prune;
        self
    }

    /// Where to tell what happens.
    pub fn events(mut self, events: EventSink) -> Self {
        self.events = events;
        self
    }

    /// What ends the work early: nothing more is begun, calls under way are let finish.
    pub fn cancel(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// The cloud.
    pub fn cloud(&self) -> &Arc<dyn Cloud> {
        &self.cloud
    }

    /// The scope.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    fn context(&self) -> Context {
        Context { cancel: self.cancel.clone(), ..Context::default() }
    }

    async fn observe_native(&self, graph: &TaskGraph) -> Result<Snapshot> {
        self.observe_in(graph, &self.context()).await
    }

    async fn observe_in(&self, graph: &TaskGraph, cx: &Context) -> Result<Snapshot> {
        let observing = observe(&*self.cloud, &self.scope, graph, &*self.journal, self.retry, cx);
        tokio::select! {
            snapshot = observing => snapshot,
            () = self.cancel.cancelled() => Err(Error::new(ErrorKind::Cancelled, "cancelled while observing")),
        }
    }

    /// What the cloud holds for the scope, and what `graph` shares with others.
    ///
    /// # Errors
    /// Those of lowering and of the cloud's listings.
    pub async fn observe(&self, graph: &TaskGraph) -> Result<Snapshot> {
        self.observe_native(&self.cloud.lower(graph, &self.scope)?).await
    }

    /// What applying `graph` would do. Changes nothing.
    ///
    /// # Errors
    /// Those of lowering and of the cloud's listings; `Invalid` when the graph is impossible on the cloud as
    /// it is.
    pub async fn plan(&self, graph: &TaskGraph) -> Result<Plan> {
        let graph = self.cloud.lower(graph, &self.scope)?;
        let snapshot = self.observe_native(&graph).await?;
        self.plan_from(graph, snapshot)
    }

    /// Starts to look at the cloud for what every plan of the scope needs, whatever its graph, so that the graph can
    /// be made meanwhile; see [`Prefetch`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn prefetch(&self) -> Prefetch {
        Prefetch::start(self.cloud.clone(), self.scope.clone(), self.context())
    }

    /// As [`plan`](Self::plan), with what has been looked at already.
    ///
    /// # Errors
    /// As `plan`; `Invalid` when another cloud or scope was looked at.
    pub async fn plan_prefetched(&self, graph: &TaskGraph, prefetch: Prefetch) -> Result<Plan> {
        let graph = self.cloud.lower(graph, &self.scope)?;
        let cx = Context { memo: prefetch.memo_for(&self.cloud, &self.scope)?, ..self.context() };
        let snapshot = self.observe_in(&graph, &cx).await?;
        self.plan_from(graph, snapshot)
    }

    /// What applying the native `graph` to the cloud as it was in `snapshot` would do. No I/O.
    ///
    /// # Errors
    /// `Invalid` when the graph is impossible on the cloud as it was.
    pub fn plan_from(
        &self,
        graph: impl Into<Arc<TaskGraph>>,
        snapshot: impl Into<Arc<Snapshot>>,
    ) -> Result<Plan> {
        self.plan_pruning(graph.into(), snapshot.into(), if self.prune { Prune::All } else { Prune::Nothing })
    }

    /// What deleting the scope's objects of these native tasks would do, whatever else is pending. Changes
    /// nothing.
    ///
    /// ```
    /// # #[cfg(feature = "testing")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> kops_core::Result<()> {
    /// # use std::sync::Arc;
    /// # use kops_core::cloud::Scope;
    /// # use kops_core::graph::{Key, TaskGraph};
    /// # use kops_core::resource::Network;
    /// # use kops_core::testing::MemoryCloud;
    /// # use kops_core::Engine;
    /// # let engine = Engine::new(Arc::new(MemoryCloud::new()), Scope::new("demo"));
    /// # let mut graph = TaskGraph::builder();
    /// for name in ["one", "other"] {
    ///     graph.add(name, Network { cidrs: vec!["10.0.0.0/16".parse().unwrap()], ..Network::default() });
    /// }
    /// engine.apply(&engine.plan(&graph.build()?).await?).await?.into_result()?;
    ///
    /// let plan = engine.plan_deletion(&[Key::new("Network", "one")].into()).await?;
    /// assert_eq!((plan.summary.delete, plan.deferred.len()), (1, 0));
    /// engine.apply(&plan).await?.into_result()?;
    /// assert_eq!(engine.plan(&TaskGraph::default()).await?.summary.delete, 1);
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "testing"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// Those of the cloud's listings.
    pub async fn plan_deletion(&self, tasks: &BTreeSet<Key>) -> Result<Plan> {
        let graph = TaskGraph::default();
        let snapshot = self.observe_native(&graph).await?;
        self.plan_pruning(Arc::new(graph), snapshot.into(), Prune::These(tasks.clone()))
    }

    fn plan_pruning(&self, graph: Arc<TaskGraph>, snapshot: Arc<Snapshot>, prune: Prune) -> Result<Plan> {
        let (cloud, scope) = (&*self.cloud, &self.scope);
        plan::plan(Inputs { cloud, scope, graph, snapshot, prune })
    }

    /// Carries out a plan that this engine made, after making sure that the cloud is still as it was then; but for
    /// objects that the plan deletes and that are gone already, as when an earlier run that broke off had begun to
    /// delete them.
    ///
    /// # Errors
    /// `Conflict` when the cloud has moved on. Failures of steps are in the report: see
    /// [`Report::into_result`].
    pub async fn apply(&self, plan: &Plan) -> Result<Report> {
        let work = plan.work.as_ref().ok_or_else(|| read_back(plan))?;
        let snapshot = Arc::new(self.observe_native(&work.graph).await?);
        let now = self.plan_pruning(work.graph.clone(), snapshot.clone(), work.prune.clone())?;
        if now.fingerprint != plan.fingerprint && !only_deletions_are_done(plan, &work.snapshot, &snapshot) {
            return Err(stale(plan, &now));
        }
        self.apply_now(&now).await
    }

    /// Carries out a plan made a moment ago without looking again whether the cloud is still as it was: for
    /// callers that hold a lease on the scope from before the plan was made.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub async fn apply_now(&self, plan: &Plan) -> Result<Report> {
        let work = plan.work.as_ref().ok_or_else(|| read_back(plan))?;
        if work.scope != self.scope {
            return Err(Error::invalid(format!(
                "the plan is for {}, the engine for {}",
                work.scope.name(),
                self.scope.name()
            )));
        }
        self.settle_journal(&work.snapshot).await?;
        let worker = Worker {
            cloud: &*self.cloud,
            scope: &self.scope,
            run: fastrand::u128(..),
            snapshot: &work.snapshot,
            journal: &*self.journal,
            journaling: tokio::sync::Mutex::default(),
            retry: self.retry,
            events: &self.events,
        };
        Ok(apply::run(&worker, work, &self.cancel).await)
    }

    /// Carries out a plan that was serialised and read back: plans `graph` again and applies it if the
    /// outcome is the same.
    ///
    /// # Errors
    /// `Conflict` when the graph or the cloud has changed since the plan was made.
    pub async fn apply_saved(&self, saved: &Plan, graph: &TaskGraph) -> Result<Report> {
        let plan = self.plan(graph).await?;
        if plan.fingerprint != saved.fingerprint {
            return Err(stale(saved, &plan));
        }
        self.apply_now(&plan).await
    }

    /// Writes down whose the objects are that observation found for open intents.
    async fn settle_journal(&self, snapshot: &Snapshot) -> Result<()> {
        let entries = self.journal.entries().await?;
        if entries.is_empty() {
            return Ok(());
        }
        let owned: HashMap<_, _> =
            snapshot.owned().map(|(key, observed)| (key, observed.object.id.clone())).collect();
        for intent in entries.iter().filter(|intent| intent.object().is_none()) {
            if let Some(id) = owned.get(intent.key()) {
                self.journal.done(intent, id).await?;
            }
        }
        Ok(())
    }
}

fn read_back(plan: &Plan) -> Error {
    Error::invalid(format!("the plan for {} was read back and lacks its graph", plan.scope))
        .with_hint("apply it with Engine::apply_saved, together with the graph")
}

/// Whether the cloud is as it was when it was planned, less objects that the plan deletes.
fn only_deletions_are_done(plan: &Plan, then: &Snapshot, now: &Snapshot) -> bool {
    let deletions = plan.changes.iter().filter(|change| change.action == Action::Delete);
    let gone: HashSet<(&str, &str)> = deletions
        .filter_map(|change| Some((change.task.kind(), change.id.as_deref()?)))
        .filter(|(kind, id)| !now.has_live(kind, id))
        .collect();
    then.without(|kind, id| gone.contains(&(kind, id))).fingerprint() == now.fingerprint()
}

fn stale(then: &Plan, now: &Plan) -> Error {
    let changes = |plan: &Plan| plan.headline();
    Error::new(ErrorKind::Conflict, "the plan is out of date: the cloud or the specification has changed")
        .with_hint(format!("plan again; then: {} now: {}", changes(then), changes(now)))
}
