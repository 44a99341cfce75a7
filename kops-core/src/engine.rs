//! The paved path: observe, plan, apply.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tracing::Instrument as _;

use crate::apply::{self, NoJournal, Report, Run, RunOptions, Worker};
use crate::cloud::{Cloud, IdentityClass, Priority, Scope, handler_of};
use crate::graph::{Key, Lifecycle, TaskGraph};
use crate::observe::observe;
use crate::plan::{self, Action, Inputs, Plan, Prune};
use crate::policy::{Policies, Policy, Refusal};
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

    /// Where to write down what is about to be made, for kinds whose objects carry neither name nor mark
    /// ([`IdentityClass::Journal`]). On a cloud without such kinds it is not used; on one with them, a plan that needs
    /// it is refused without it.
    pub fn journal(mut self, journal: Arc<dyn IntentLog>) -> Self {
        self.journal = Some(journal);
        self
    }

    /// The retry policy.
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

    /// A policy that every plan has to pass before it is applied.
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

    /// What the engine's policies say against a plan; nothing if it may be applied. The same is refused by every
    /// `apply…`; asking earlier is for showing it with the plan.
    pub fn refusals(&self, plan: &Plan) -> Vec<Refusal> {
        self.policies.refusals(plan)
    }

    fn pruning(&self) -> Prune {
        if self.prune { Prune::All } else { Prune::Nothing }
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

    /// Observes what planning the native `graph` takes.
    async fn observe_native(&self, graph: &TaskGraph, prune: &Prune, run: &Run) -> Result<Snapshot> {
        let mut used: HashSet<&str> = graph.tasks().map(|task| task.key.kind()).collect();
        if let Prune::These(tasks) = prune {
            used.extend(tasks.iter().map(Key::kind));
        }
        let (cx, journal) = (run.context(Priority::default()), self.journal_in_use());
        let observing = observe(&*self.cloud, &self.scope, graph, &used, journal, self.retry, &cx);
        let span = tracing::info_span!("kops.observe", scope = self.scope.name(), cloud = self.cloud.name());
        run.until_stopped(observing).instrument(span).await
    }

    /// What the cloud holds for the scope, and what `graph` shares with others.
    ///
    /// # Errors
    /// Those of lowering and of the cloud's listings.
    pub async fn observe(&self, graph: &TaskGraph) -> Result<Snapshot> {
        self.observe_with(graph, RunOptions::new()).await
    }

    /// [`observe`](Self::observe), with options.
    ///
    /// # Errors
    /// As [`observe`](Self::observe); `Cancelled` or `DeadlineExceeded` as the options say.
    pub async fn observe_with(&self, graph: &TaskGraph, options: RunOptions) -> Result<Snapshot> {
        let graph = self.cloud.lower(graph, &self.scope)?;
        self.observe_native(&graph, &self.pruning(), &self.run(options)).await
    }

    /// What applying `graph` would do. Changes nothing.
    ///
    /// # Errors
    /// Those of lowering and of the cloud's listings; `Invalid` when the graph is impossible on the cloud as
    /// it is; `Unsupported` when it needs a [journal](Self::journal) and there is none.
    pub async fn plan(&self, graph: &TaskGraph) -> Result<Plan> {
        self.plan_with(graph, RunOptions::new()).await
    }

    /// [`plan`](Self::plan), with options.
    ///
    /// # Errors
    /// As [`plan`](Self::plan); `Cancelled` or `DeadlineExceeded` as the options say.
    pub async fn plan_with(&self, graph: &TaskGraph, options: RunOptions) -> Result<Plan> {
        self.plan_in(graph, &self.run(options)).await
    }

    async fn plan_in(&self, graph: &TaskGraph, run: &Run) -> Result<Plan> {
        let graph = self.cloud.lower(graph, &self.scope)?;
        // Told before anything is asked of the cloud, and again for graphs that come another way.
        self.require_journal(&graph)?;
        let snapshot = self.observe_native(&graph, &self.pruning(), run).await?;
        self.plan_from(graph, snapshot)
    }

    /// # Errors
    /// `Unsupported` when the graph has kinds that need a journal and there is none.
    fn require_journal(&self, graph: &TaskGraph) -> Result<()> {
        if self.journal.is_some() {
            return Ok(());
        }
        let journaled = |key: &Key| {
            handler_of(&*self.cloud, key.kind()).is_some_and(|it| it.identity() == IdentityClass::Journal)
        };
        let made = graph.tasks().filter(|task| !matches!(task.lifecycle, Lifecycle::Shared { .. }));
        let errors: Vec<_> = made
            .filter(|task| journaled(&task.key))
            .map(|task| {
                Error::unsupported("after a crash objects of this kind can be found again by a journal only")
                    .with_task(&task.key)
                    .with_hint("give the engine a journal: Engine::journal")
            })
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(Error::from_many(errors)) }
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
        self.plan_pruning(graph.into(), snapshot.into(), self.pruning())
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
        self.plan_deletion_with(tasks, RunOptions::new()).await
    }

    /// [`plan_deletion`](Self::plan_deletion), with options.
    ///
    /// # Errors
    /// As [`plan_deletion`](Self::plan_deletion); `Cancelled` or `DeadlineExceeded` as the options say.
    pub async fn plan_deletion_with(&self, tasks: &BTreeSet<Key>, options: RunOptions) -> Result<Plan> {
        let (graph, prune) = (TaskGraph::default(), Prune::These(tasks.clone()));
        let snapshot = self.observe_native(&graph, &prune, &self.run(options)).await?;
        self.plan_pruning(Arc::new(graph), snapshot.into(), prune)
    }

    fn plan_pruning(&self, graph: Arc<TaskGraph>, snapshot: Arc<Snapshot>, prune: Prune) -> Result<Plan> {
        let (cloud, scope) = (&*self.cloud, &self.scope);
        self.require_journal(&graph)?;
        plan::plan(Inputs { cloud, scope, graph, snapshot, prune })
    }

    /// Carries out a plan that this engine made, after making sure that the cloud is still as it was then; but for
    /// objects that the plan deletes and that are gone already, as when an earlier run that broke off had begun to
    /// delete them.
    ///
    /// # Errors
    /// `Conflict` when the cloud has moved on; `PolicyViolation` when a [policy](Self::policy) does not allow the plan.
    /// Failures of steps are in the report: see [`Report::into_result`].
    pub async fn apply(&self, plan: &Plan) -> Result<Report> {
        self.apply_with(plan, RunOptions::new()).await
    }

    /// [`apply`](Self::apply), with options.
    ///
    /// # Errors
    /// As [`apply`](Self::apply); `Cancelled` or `DeadlineExceeded` when the run is stopped before its first step.
    pub async fn apply_with(&self, plan: &Plan, options: RunOptions) -> Result<Report> {
        self.in_run(options, async |run| {
            let work = plan.work.as_ref().ok_or_else(|| read_back(plan))?;
            self.check(plan, run)?;
            let snapshot = Arc::new(self.observe_native(&work.graph, &work.prune, run).await?);
            let now = self.plan_pruning(work.graph.clone(), snapshot.clone(), work.prune.clone())?;
            if now.fingerprint != plan.fingerprint
                && !only_deletions_are_done(plan, &work.snapshot, &snapshot)
            {
                return Err(stale(plan, &now));
            }
            self.carry_out(&now, run).await
        })
        .await
    }

    /// Carries out a plan made a moment ago without looking again whether the cloud is still as it was: for
    /// callers that hold a lease on the scope from before the plan was made.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub async fn apply_now(&self, plan: &Plan) -> Result<Report> {
        self.apply_now_with(plan, RunOptions::new()).await
    }

    /// [`apply_now`](Self::apply_now), with options.
    ///
    /// # Errors
    /// As [`apply_with`](Self::apply_with).
    pub async fn apply_now_with(&self, plan: &Plan, options: RunOptions) -> Result<Report> {
        self.in_run(options, async |run| self.carry_out(plan, run).await).await
    }

    /// Carries out a plan that was serialised and read back: plans `graph` again and applies it if the
    /// outcome is the same.
    ///
    /// # Errors
    /// `Conflict` when the graph or the cloud has changed since the plan was made; otherwise as [`apply`](Self::apply).
    pub async fn apply_saved(&self, saved: &Plan, graph: &TaskGraph) -> Result<Report> {
        self.apply_saved_with(saved, graph, RunOptions::new()).await
    }

    /// [`apply_saved`](Self::apply_saved), with options.
    ///
    /// # Errors
    /// As [`apply_saved`](Self::apply_saved) and [`apply_with`](Self::apply_with).
    pub async fn apply_saved_with(
        &self,
        saved: &Plan,
        graph: &TaskGraph,
        options: RunOptions,
    ) -> Result<Report> {
        self.in_run(options, async |run| {
            let plan = self.plan_in(graph, run).await?;
            if plan.fingerprint != saved.fingerprint {
                return Err(stale(saved, &plan));
            }
            self.carry_out(&plan, run).await
        })
        .await
    }

    /// Does what `work` says in a run of its own, whose end is told whatever comes of it.
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
    /// `PolicyViolation` with everything that the policies of the engine or the run say against the plan.
    fn check(&self, plan: &Plan, run: &Run) -> Result<()> {
        self.policies.and(run.policies()).check(plan)
    }

    async fn carry_out(&self, plan: &Plan, run: &Run) -> Result<Report> {
        let work = plan.work.as_ref().ok_or_else(|| read_back(plan))?;
        if work.scope != self.scope {
            return Err(Error::invalid(format!(
                "the plan is for {}, the engine for {}",
                work.scope.name(),
                self.scope.name()
            )));
        }
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
    }
}

/// Writes down whose the objects are that observation found for open intents.
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
