//! The engine: observe, plan, apply.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tracing::Instrument as _;

use crate::apply::{self, NoJournal, Report, Run, RunOptions, Worker};
use crate::cloud::Native;
use crate::cloud::{Cloud, Context, IdentityClass, Memo, Priority, Scope, handler_of};
use crate::graph::{Key, TaskGraph};
use crate::observe::observe;
use crate::plan::{self, Change, Inputs, Plan, Pruning, SavedPlan};
use crate::policy::{Policies, Policy, Refusal};
use crate::prefetch::Prefetch;
use crate::retry::RetryPolicy;
use crate::store::IntentLog;
use crate::{Error, ErrorKind, GraphOutputs, Result, Snapshot};

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
/// graph.add("main", Network::new(["10.0.0.0/16".parse().unwrap()]));
/// let graph = graph.build()?;
///
/// let plan = engine.plan(&graph).await?;
/// assert_eq!(plan.summary.create, 1);
/// engine.apply(&plan).await?.into_result()?;
/// assert!(engine.plan(&graph).await?.is_empty());
///
/// // To delete everything, plan the empty graph.
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
    journal: Option<Arc<dyn IntentLog>>,
    retry: RetryPolicy,
    prune: bool,
    policies: Policies,
}

impl Engine {
    /// An engine for one scope on a cloud.
    pub fn new(cloud: Arc<dyn Cloud>, scope: Scope) -> Self {
        Self {
            cloud,
            scope,
            journal: None,
            retry: RetryPolicy::default(),
            prune: true,
            policies: Policies::default(),
        }
    }

    /// Sets the journal of creations, for kinds whose objects carry neither name nor mark
    /// ([`IdentityClass::Journal`]). On a cloud without such kinds it is not used; on one with them, a plan that
    /// needs it is rejected without it.
    pub fn journal(mut self, journal: Arc<dyn IntentLog>) -> Self {
        self.journal = Some(journal);
        self
    }

    /// The retry policy.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Whether objects of the scope that are not in the graph are deleted (the default) or only listed in
    /// [`Plan::deferred`].
    pub fn prune(mut self, prune: bool) -> Self {
        self.prune = prune;
        self
    }

    /// Adds a policy that every plan has to pass before it is applied.
    pub fn policy(mut self, policy: Arc<dyn Policy>) -> Self {
        self.policies.add(policy);
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

    /// The objections of the engine's policies to a plan; empty if it may be applied. Every `apply…` rejects a plan
    /// with objections; this shows them beforehand.
    pub fn refusals(&self, plan: &Plan) -> Vec<Refusal> {
        self.policies.refusals(plan)
    }

    fn run(&self, options: RunOptions) -> Run {
        Run::new(&self.scope, self.cloud.clock(), options)
    }

    /// The journal, if the cloud has kinds that need one.
    fn journal_in_use(&self) -> &dyn IntentLog {
        let needed = self.cloud.handlers().iter().any(|it| it.identity() == IdentityClass::Journal);
        match &self.journal {
            Some(journal) if needed => &**journal,
            _ => &NoJournal,
        }
    }

    // A caller compiles every future that it waits for, except for those in boxes: three of them, so that who embeds the
    // engine does not compile it once more.

    /// Observes what planning the native `graph` needs.
    fn observe_native<'a>(
        &'a self,
        graph: &'a TaskGraph,
        pruning: &'a Pruning,
        run: &'a Run,
        memo: Memo,
    ) -> BoxFuture<'a, Result<Snapshot>> {
        Box::pin(async move {
            let mut used: HashSet<&str> = graph.tasks().map(|task| task.key.kind()).collect();
            if let Pruning::Only(tasks) = pruning {
                used.extend(tasks.iter().map(Key::kind));
            }
            let cx = Context { memo, ..run.context(Priority::default()) };
            let journal = self.journal_in_use();
            let observing = observe(&*self.cloud, &self.scope, graph, &used, journal, self.retry, &cx);
            let span =
                tracing::info_span!("kops.observe", scope = self.scope.name(), cloud = self.cloud.name());
            run.until_stopped(observing).instrument(span).await
        })
    }

    /// Lists the objects of the scope, and the shared objects of `graph`.
    ///
    /// # Errors
    /// Those of lowering and of the cloud's listings.
    pub async fn observe(&self, graph: &TaskGraph) -> Result<Snapshot> {
        self.observe_with(graph, RunOptions::new()).await
    }

    /// Like [`observe`](Self::observe), with options.
    ///
    /// # Errors
    /// Those of [`observe`](Self::observe); `Cancelled` or `DeadlineExceeded` according to the options.
    pub async fn observe_with(&self, graph: &TaskGraph, options: RunOptions) -> Result<Snapshot> {
        self.observe_native(self.lower(graph)?.graph(), &self.pruning(), &self.run(options), Memo::default())
            .await
    }

    /// Plans what applying `graph` would do. Changes nothing.
    ///
    /// # Errors
    /// Those of lowering and of the cloud's listings; `Invalid` if the graph is impossible on the cloud as it is;
    /// `Unsupported` if it needs a [journal](Self::journal) and there is none.
    pub async fn plan(&self, graph: &TaskGraph) -> Result<Plan> {
        self.plan_with(graph, RunOptions::new()).await
    }

    /// Like [`plan`](Self::plan), with options.
    ///
    /// # Errors
    /// Those of [`plan`](Self::plan); `Cancelled` or `DeadlineExceeded` according to the options.
    pub async fn plan_with(&self, graph: &TaskGraph, options: RunOptions) -> Result<Plan> {
        self.plan_as(graph, self.pruning(), &self.run(options), Memo::default()).await
    }

    /// # Errors
    /// `Unsupported` if the graph has kinds that need a journal and there is none.
    fn require_journal(&self, graph: &TaskGraph) -> Result<()> {
        if self.journal.is_some() {
            return Ok(());
        }
        let journaled = |key: &Key| {
            handler_of(&*self.cloud, key.kind()).is_some_and(|it| it.identity() == IdentityClass::Journal)
        };
        let made = graph.tasks().filter(|task| !task.is_shared());
        let errors: Vec<_> = made
            .filter(|task| journaled(&task.key))
            .map(|task| {
                Error::unsupported(
                    "objects of this kind cannot be found again after a crash without a journal",
                )
                .with_task(&task.key)
                .with_hint("set a journal with Engine::journal")
            })
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(Error::from_many(errors)) }
    }

    /// The current outputs of a graph's tasks: those of existing objects, except for outputs that applying the graph
    /// would change. Changes nothing.
    ///
    /// # Errors
    /// Those of [`plan`](Self::plan).
    pub async fn outputs(&self, graph: &TaskGraph) -> Result<GraphOutputs> {
        Ok(self.plan(graph).await?.outputs())
    }

    /// Lowers the graph to the cloud's own kinds.
    ///
    /// # Errors
    /// Those of [`Cloud::lower`].
    pub fn lower(&self, graph: &TaskGraph) -> Result<Native> {
        self.cloud.lower(graph, &self.scope, &[])
    }

    /// Starts to observe what every plan of the scope needs, regardless of its graph, so that the graph can be built
    /// in the meantime; see [`Prefetch`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn prefetch(&self) -> Prefetch {
        let cx = self.run(RunOptions::new()).context(Priority::default());
        Prefetch::start(self.cloud.clone(), self.scope.clone(), cx)
    }

    /// Like [`plan_with`](Self::plan_with), with the results of a prefetch.
    ///
    /// # Errors
    /// Those of `plan_with`; `Invalid` if the prefetch was for another cloud or scope.
    pub async fn plan_prefetched(
        &self,
        graph: &TaskGraph,
        prefetch: Prefetch,
        options: RunOptions,
    ) -> Result<Plan> {
        let memo = prefetch.memo_for(&self.cloud, &self.scope)?;
        self.plan_as(graph, self.pruning(), &self.run(options), memo).await
    }

    /// Plans what applying native tasks to the cloud as in `snapshot` would do. Does no I/O.
    ///
    /// # Errors
    /// `Invalid` if the graph is impossible on the cloud as it was.
    pub fn plan_from(
        &self,
        native: impl Into<Arc<Native>>,
        snapshot: impl Into<Arc<Snapshot>>,
    ) -> Result<Plan> {
        self.plan_pruning(native.into(), snapshot.into(), self.pruning())
    }

    /// Plans to delete the scope's objects of these native tasks, and nothing else. Changes nothing.
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
    ///     graph.add(name, Network::new(["10.0.0.0/16".parse().unwrap()]));
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
        self.plan_deletion_with(tasks, RunOptions::new()).await
    }

    /// Like [`plan_deletion`](Self::plan_deletion), with options.
    ///
    /// # Errors
    /// Those of [`plan_deletion`](Self::plan_deletion); `Cancelled` or `DeadlineExceeded` according to the options.
    pub async fn plan_deletion_with(&self, tasks: &BTreeSet<Key>, options: RunOptions) -> Result<Plan> {
        let (native, pruning) = (Arc::new(Native::default()), Pruning::Only(tasks.clone()));
        let snapshot =
            self.observe_native(native.graph(), &pruning, &self.run(options), Memo::default()).await?;
        self.plan_pruning(native, snapshot.into(), pruning)
    }

    fn pruning(&self) -> Pruning {
        if self.prune { Pruning::All } else { Pruning::None }
    }

    fn plan_as<'a>(
        &'a self,
        graph: &'a TaskGraph,
        pruning: Pruning,
        run: &'a Run,
        memo: Memo,
    ) -> BoxFuture<'a, Result<Plan>> {
        Box::pin(async move {
            let native = self.lower(graph)?;
            // Checked before any call to the cloud, and again for graphs that come from elsewhere.
            self.require_journal(native.graph())?;
            let snapshot = self.observe_native(native.graph(), &pruning, run, memo).await?;
            self.plan_pruning(native.into(), snapshot.into(), pruning)
        })
    }

    fn plan_pruning(&self, native: Arc<Native>, snapshot: Arc<Snapshot>, pruning: Pruning) -> Result<Plan> {
        let (cloud, scope) = (&*self.cloud, &self.scope);
        self.require_journal(native.graph())?;
        plan::plan(Inputs { cloud, scope, native, snapshot, pruning })
    }

    /// Rejects plans for another scope, cloud or location.
    fn require_own(&self, scope: &Scope, cloud: &str, location: &str) -> Result<()> {
        let here = self.cloud.location();
        if *scope == self.scope && cloud == self.cloud.name() && location == here {
            return Ok(());
        }
        // Scopes with the same name differ in place or region.
        let name = |it: &Scope| match serde_json::to_string(it) {
            Ok(whole) if scope.name() == self.scope.name() && *scope != self.scope => whole,
            _ => it.name().to_owned(),
        };
        let at = |cloud: &str, location: &str| match location {
            "" => cloud.to_owned(),
            _ => format!("{cloud} ({location})"),
        };
        Err(Error::invalid(format!(
            "the plan is for {} on {}, the engine for {} on {}",
            name(scope),
            at(cloud, location),
            name(&self.scope),
            at(self.cloud.name(), &here)
        ))
        .with_hint("apply it with the engine that created it, or plan again with this one"))
    }

    /// Applies a plan exactly as it was shown, or rejects it: it plans again, and continues if the result is the
    /// same. Deletions that have happened in the meantime may be missing, for example if an earlier run was
    /// interrupted while it deleted.
    ///
    /// # Errors
    /// `Invalid` if the plan is for another scope, cloud or location; `Conflict`, with the differences, if the new plan
    /// differs; `PolicyViolation` if a [policy](Self::policy) does not allow the plan. Failures of steps are in the
    /// report: see [`Report::into_result`].
    pub async fn apply(&self, plan: &Plan) -> Result<Report> {
        self.apply_with(plan, RunOptions::new()).await
    }

    /// Like [`apply`](Self::apply), with options.
    ///
    /// # Errors
    /// Those of [`apply`](Self::apply); `Cancelled` or `DeadlineExceeded` if the run is stopped before its first
    /// step.
    pub async fn apply_with(&self, plan: &Plan, options: RunOptions) -> Result<Report> {
        self.in_run(options, async |run| {
            let work = &plan.work;
            self.require_own(&work.scope, &work.cloud, &work.location)?;
            self.check(plan, run)?;
            let snapshot =
                Arc::new(self.observe_native(&work.graph, &work.pruning, run, Memo::default()).await?);
            let now = self.plan_pruning(work.native.clone(), snapshot.clone(), work.pruning.clone())?;
            let is_there = |task: &Key, id: &str| snapshot.has_live(task.kind(), id);
            if now.fingerprint != plan.fingerprint
                && !work.decided.is_continued_by(&now.work.decided, is_there)
            {
                return Err(stale(&plan.headline(), &plan.changes, &now));
            }
            self.carry_out(&now, run).await
        })
        .await
    }

    /// Applies a plan that was just created, without checking again whether the cloud is unchanged: for callers that
    /// hold a lease on the scope since before the plan was created.
    ///
    /// # Errors
    /// `Invalid` if the plan is for another scope, cloud or location. Failures of steps are in the report: see
    /// [`Report::into_result`].
    pub async fn apply_now(&self, plan: &Plan) -> Result<Report> {
        self.apply_now_with(plan, RunOptions::new()).await
    }

    /// Like [`apply_now`](Self::apply_now), with options.
    ///
    /// # Errors
    /// Those of [`apply_with`](Self::apply_with).
    pub async fn apply_now_with(&self, plan: &Plan, options: RunOptions) -> Result<Report> {
        self.in_run(options, async |run| self.carry_out(plan, run).await).await
    }

    /// Applies a plan that was serialised and read back, perhaps by another process: it plans `graph` again, with the
    /// pruning of the plan, and continues if the result is the same. For the plan of a
    /// [deletion](Self::plan_deletion), `graph` is empty.
    ///
    /// # Errors
    /// Those of [`apply`](Self::apply); `Invalid` if the saved plan shows other changes than those it was planned
    /// with.
    pub async fn apply_saved(&self, saved: &SavedPlan, graph: &TaskGraph) -> Result<Report> {
        self.apply_saved_with(saved, graph, RunOptions::new()).await
    }

    /// Like [`apply_saved`](Self::apply_saved), with options.
    ///
    /// # Errors
    /// Those of [`apply_saved`](Self::apply_saved) and [`apply_with`](Self::apply_with).
    pub async fn apply_saved_with(
        &self,
        saved: &SavedPlan,
        graph: &TaskGraph,
        options: RunOptions,
    ) -> Result<Report> {
        self.in_run(options, async |run| {
            self.require_own(saved.scope(), saved.cloud(), saved.location())?;
            let now = self.plan_as(graph, saved.pruning().clone(), run, Memo::default()).await?;
            if now.fingerprint != saved.fingerprint() {
                return Err(stale(&saved.headline(), saved.changes(), &now));
            }
            if !saved.shows(&now) {
                return Err(Error::invalid(
                    "the saved plan does not show the changes that its fingerprint stands for",
                )
                .with_hint("it was edited: plan again, and review the new plan"));
            }
            self.carry_out(&now, run).await
        })
        .await
    }

    /// Runs `work` in a run of its own, whose end is always reported.
    async fn in_run(
        &self,
        options: RunOptions,
        work: impl AsyncFnOnce(&Run) -> Result<Report>,
    ) -> Result<Report> {
        let run = self.run(options);
        let (scope, cloud) = (self.scope.name(), self.cloud.name());
        let span = tracing::info_span!("kops.run", run = %run.id, scope, cloud);
        async {
            let outcome = work(&run).await;
            run.end(&outcome);
            outcome
        }
        .instrument(span)
        .await
    }

    /// # Errors
    /// `PolicyViolation`, with all objections of the policies of the engine and the run.
    fn check(&self, plan: &Plan, run: &Run) -> Result<()> {
        self.policies.and(run.policies()).check(plan)
    }

    fn carry_out<'a>(&'a self, plan: &'a Plan, run: &'a Run) -> BoxFuture<'a, Result<Report>> {
        Box::pin(async move {
            let work = &*plan.work;
            self.require_own(&work.scope, &work.cloud, &work.location)?;
            // It may be the plan of another engine for the same scope, which had one.
            self.require_journal(&work.graph)?;
            self.check(plan, run)?;
            let journal = self.journal_in_use();
            run.until_stopped(settle_journal(journal, &work.snapshot)).await?;
            let worker = Worker {
                cloud: &*self.cloud,
                scope: &self.scope,
                run,
                snapshot: &work.snapshot,
                journal,
                journaling: tokio::sync::Mutex::default(),
                retry: self.retry,
            };
            Ok(apply::carry_out(&worker, work).await)
        })
    }
}

/// Records which objects the observation found for open intents.
async fn settle_journal(journal: &dyn IntentLog, snapshot: &Snapshot) -> Result<()> {
    let entries = journal.entries().await?;
    if entries.is_empty() {
        return Ok(());
    }
    let owned: HashMap<_, _> =
        snapshot.owned().map(|(key, observed)| (key, observed.object.id.clone())).collect();
    for intent in entries.iter().filter(|intent| intent.object().is_none()) {
        if let Some(id) = owned.get(intent.key()) {
            journal.done(intent, id).await?;
        }
    }
    Ok(())
}

fn stale(headline: &str, changes: &[Change], now: &Plan) -> Error {
    let differs = match plan::divergence(changes, &now.changes) {
        nothing if nothing.is_empty() => "the specification, or the pruning".to_owned(),
        differs => differs,
    };
    Error::new(ErrorKind::Conflict, "the plan is out of date: the cloud or the specification has changed")
        .with_hint(format!("plan again; then: {headline} now: {} different: {differs}", now.headline()))
}
