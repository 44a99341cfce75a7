//! The stage of a rule: a separate scope on a cloud with fault injection.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::{Fixture, Item, Verdict, broken, ensure};
use crate::apply::Report as Applied;
use crate::cloud::{Cloud, Scope};
use crate::graph::{Key, Lifecycle, TaskGraph};
use crate::plan::{Action, Plan};
use crate::retry::Attempts;
use crate::store::Journal;
use crate::testing::Saboteur;
use crate::{Engine, ErrorKind, Result, Snapshot};

pub(super) struct Stage<'a> {
    pub(super) fixture: &'a dyn Fixture,
    pub(super) cloud: Arc<Saboteur>,
    pub(super) scope: Scope,
    journal: Arc<Journal>,
}

/// How long calls of a dead client may continue in the cloud, unless the fixture knows better.
const AFTERMATH: Duration = Duration::from_millis(300);

/// Runs a rule in a separate scope and deletes its objects afterwards, whatever the result.
pub(super) async fn play<'a, F: Future<Output = Result<Verdict>>>(
    fixture: &'a dyn Fixture,
    name: &str,
    rule: impl FnOnce(Arc<Stage<'a>>) -> F,
) -> Verdict {
    let stage = Arc::new(Stage::new(fixture, fixture.scope(name)));
    let verdict = rule(stage.clone()).await;
    let cleared = stage.clear().await;
    match (verdict, cleared) {
        (Ok(verdict), Ok(())) => verdict,
        (Err(error), Ok(())) => Verdict::Broken(error.to_string()),
        (Ok(_), Err(error)) => Verdict::Broken(format!("afterwards it could not be deleted: {error}")),
        (Err(error), Err(then)) => {
            Verdict::Broken(format!("{error}; and afterwards it could not be deleted: {then}"))
        }
    }
}

pub(super) fn skipped(why: &str) -> Verdict {
    Verdict::Skipped(format!("the fixture cannot {why}"))
}

impl<'a> Stage<'a> {
    pub(super) fn new(fixture: &'a dyn Fixture, scope: Scope) -> Self {
        Self::on(fixture, fixture.cloud(), scope)
    }

    /// A stage on a cloud other than the fixture's usual one.
    pub(super) fn on(fixture: &'a dyn Fixture, cloud: Arc<dyn Cloud>, scope: Scope) -> Self {
        let cloud = Arc::new(Saboteur::new(cloud));
        Self { fixture, cloud, scope, journal: Arc::new(Journal::in_memory()) }
    }

    /// An engine as in a new process.
    pub(super) fn engine(&self) -> Engine {
        Engine::new(self.cloud.clone(), self.scope.clone())
            .journal(self.journal.clone())
            .retry(self.fixture.retry())
    }

    pub(super) fn graph(&self) -> Result<TaskGraph> {
        self.fixture.graph(&self.scope)
    }

    /// The fixture's graph, lowered to native kinds.
    pub(super) fn native(&self) -> Result<TaskGraph> {
        self.lower(&self.graph()?)
    }

    /// A graph, lowered to native kinds.
    pub(super) fn lower(&self, graph: &TaskGraph) -> Result<TaskGraph> {
        Ok(self.cloud.lower(graph, &self.scope, &[])?.into_graph())
    }

    pub(super) async fn try_apply(&self, graph: &TaskGraph) -> Result<(Plan, Applied)> {
        let engine = self.engine();
        let plan = engine.plan(graph).await?;
        // Nothing else uses this scope, so there is no need to plan again.
        let report = engine.apply_now(&plan).await?;
        Ok((plan, report))
    }

    /// Applies a graph, which must succeed, and checks that nothing is left to do.
    pub(super) async fn apply(&self, graph: &TaskGraph) -> Result<Plan> {
        let (plan, report) = self.try_apply(graph).await?;
        report.into_result()?;
        self.is_as(graph).await?;
        Ok(plan)
    }

    /// Checks that the cloud matches `graph` exactly: nothing to do, one object for each task, and no other objects.
    pub(super) async fn is_as(&self, graph: &TaskGraph) -> Result<Arc<Snapshot>> {
        let engine = self.engine();
        let snapshot = Arc::new(engine.observe(graph).await?);
        let native = Arc::new(self.cloud.lower(graph, &self.scope, &[])?);
        let plan = engine.plan_from(native.clone(), snapshot.clone())?;
        ensure(plan.is_empty(), || format!("the plan is not empty: {plan}"))?;
        let wanted: BTreeSet<Key> = native
            .graph()
            .tasks()
            .filter(|task| !matches!(task.lifecycle, Lifecycle::Shared { .. }))
            .map(|task| task.key.clone())
            .collect();
        let mut there: BTreeMap<Key, Vec<&str>> = BTreeMap::new();
        for (key, observed) in snapshot.owned() {
            there.entry(key).or_default().push(&observed.object.id);
        }
        for (key, ids) in &there {
            ensure(ids.len() == 1, || format!("{key} has {} objects: {}", ids.len(), ids.join(", ")))?;
            ensure(wanted.contains(key), || format!("{key} ({}) is an orphan", ids.join(", ")))?;
        }
        for key in &wanted {
            ensure(there.contains_key(key), || format!("{key} has no object"))?;
        }
        Ok(snapshot)
    }

    /// Deletes the scope's objects and checks that none is left.
    pub(super) async fn clear(&self) -> Result<()> {
        self.cloud.revive();
        self.cloud.heal();
        self.apply(&TaskGraph::default()).await.map(drop)
    }

    /// Runs `work` until it is done or the saboteur crashes it; returns the result unless it crashed.
    pub(super) async fn until_crash<T>(&self, work: impl Future<Output = Result<T>>) -> Result<Option<T>> {
        let done = tokio::select! {
            biased;
            () = self.cloud.crashed() => None,
            done = work => Some(done?),
        };
        self.cloud.revive();
        self.cloud.heal();
        if done.is_none() {
            self.cloud.clock().sleep(AFTERMATH).await;
            self.fixture.quiet().await;
        }
        Ok(done)
    }

    /// The number of changing calls of handlers for creating the graph, and for deleting it. Retries do not count,
    /// because how often deleting an object in use is retried depends on timing.
    pub(super) async fn count_steps(&self, graph: &TaskGraph) -> Result<(u64, u64)> {
        self.cloud.heal();
        self.apply(graph).await?;
        let made = self.cloud.steps();
        self.cloud.heal();
        self.apply(&TaskGraph::default()).await?;
        let deleted = self.cloud.steps();
        Ok((made, deleted))
    }

    pub(super) fn steps(&self, count: u64) -> impl Iterator<Item = u64> + use<> {
        self.some_of(1..=count)
    }

    /// The subset of `all` that the fixture's stride selects.
    pub(super) fn some_of<I: IntoIterator>(&self, all: I) -> impl Iterator<Item = I::Item> + use<I> {
        all.into_iter().step_by(self.fixture.stride().max(1))
    }

    /// Does something without the engine, with retries of transient errors.
    pub(super) async fn by_hand<T, F: Future<Output = Result<T>>>(
        &self,
        mut act: impl FnMut() -> F,
    ) -> Result<T> {
        let mut attempts = Attempts::new(self.fixture.retry());
        loop {
            match act().await {
                // Objects that use it are not being deleted.
                Err(error) if error.kind() != ErrorKind::DependencyViolation => {
                    let now = self.cloud.clock().elapsed();
                    let Some(wait) = attempts.after(&error, now) else {
                        return Err(attempts.exhausted(error));
                    };
                    self.cloud.clock().sleep(wait).await;
                }
                outcome => return outcome,
            }
        }
    }

    pub(super) async fn inventory(&self) -> Result<Option<Vec<Item>>> {
        let mut items = self.fixture.inventory().await?;
        if let Some(items) = &mut items {
            items.sort_by(|a, b| (&a.kind, &a.id).cmp(&(&b.kind, &b.id)));
        }
        Ok(items)
    }
}

/// Every change of the plan has exactly one result.
pub(super) fn is_accounted_for(plan: &Plan, report: &Applied) -> Result<()> {
    let mut ends: BTreeMap<Key, Vec<&str>> = BTreeMap::new();
    let told = report.done.iter().map(|it| (&it.task, "done"));
    let told = told.chain(report.failed.iter().map(|it| (&it.task, "failed")));
    let told = told.chain(report.blocked.iter().map(|it| (&it.task, "blocked")));
    let told = told.chain(report.cancelled.iter().map(|it| (&it.task, "cancelled")));
    for (task, end) in told.chain(report.not_started.iter().map(|task| (task, "not started"))) {
        ends.entry(task.clone()).or_default().push(end);
    }
    for change in &plan.changes {
        // A replacement is a deletion and a creation.
        let expected = if change.action == Action::Replace { 2 } else { 1 };
        let twin = plan.changes.iter().filter(|other| other.task == change.task).count() > 1;
        let told = ends.get(&change.task).map_or(0, Vec::len);
        ensure(told == expected || twin, || {
            format!("{} {} is in the report {told} times: {report}", change.action, change.task)
        })?;
    }
    Ok(())
}

/// The differences between two inventories, as text.
pub(super) fn difference(before: &[Item], after: &[Item]) -> Option<String> {
    let gone = before.iter().filter(|item| !after.contains(item)).map(|it| format!("-{} {}", it.kind, it.id));
    let new = after.iter().filter(|item| !before.contains(item)).map(|it| format!("+{} {}", it.kind, it.id));
    let all: Vec<_> = gone.chain(new).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

pub(super) fn must_fail<T>(result: Result<T>, what: &str) -> Result<crate::Error> {
    match result {
        Err(error) => Ok(error),
        Ok(_) => Err(broken(format!("{what} was not rejected"))),
    }
}
