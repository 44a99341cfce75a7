//! Rules for failures.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use super::stage::{Stage, is_accounted_for, play};
use super::{Fixture, Verdict, broken, ensure};
use crate::graph::{Lifecycle, TaskGraph};
use crate::testing::{Fault, Op};
use crate::{Error, ErrorKind, Result, RunOptions};

/// Calls that are throttled are retried until they succeed.
pub async fn throttled(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "throttled", async |stage| {
        let graph = stage.graph()?;
        for graph in [graph, TaskGraph::default()] {
            stage.cloud.inject(|call| (call.nth % 2 == 1).then_some(Fault::Refuse(ErrorKind::Throttled)));
            let (plan, report) = stage.try_apply(&graph).await?;
            ensure(report.is_complete(), || format!("the run failed because of throttling: {report}"))?;
            is_accounted_for(&plan, &report)?;
            stage.cloud.heal();
            stage.is_as(&graph).await?;
        }
        Ok(Verdict::Held)
    })
    .await
}

/// If responses are lost after the call was carried out, nothing is created twice, and one run is sufficient.
pub async fn lost_answers(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "lost_answers", async |stage| {
        let graph = stage.graph()?;
        for graph in [graph.clone(), TaskGraph::default()] {
            // Every other response of a kind and operation is lost; losing all would be an outage.
            stage.cloud.inject(|call| (call.op.mutates() && call.nth % 2 == 1).then_some(Fault::Lose));
            let (_, report) = stage.try_apply(&graph).await?;
            ensure(report.is_complete(), || format!("the run failed because of lost responses: {report}"))?;
            stage.cloud.heal();
            stage.is_as(&graph).await?;
        }
        // Then only that of each creation.
        let mut creations: BTreeMap<String, u64> = BTreeMap::new();
        let native = stage.native()?;
        let made = native.tasks().filter(|task| !matches!(task.lifecycle, Lifecycle::Shared { .. }));
        let made: Vec<_> = made
            .map(|task| {
                let nth = creations.entry(task.key.kind().to_owned()).or_default();
                *nth += 1;
                (task.key.kind().to_owned(), *nth)
            })
            .collect();
        for (kind, nth) in stage.some_of(made) {
            stage.cloud.inject(move |call| {
                (call.op == Op::Create && call.kind == kind && call.nth == nth).then_some(Fault::Lose)
            });
            stage.try_apply(&graph).await?.1.into_result()?;
            stage.cloud.heal();
            stage.is_as(&graph).await?;
            stage.clear().await?;
        }
        Ok(Verdict::Held)
    })
    .await
}

/// Whichever step fails, the others are carried out as far as possible, everything is reported, and the next run does
/// the rest.
pub async fn failed_anywhere(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "failed_anywhere", async |stage| at_each_step(&stage, Mishap::Refused).await).await
}

/// Whichever call the client dies at, before or after it was carried out, the next run converges: no duplicates, no
/// orphans.
pub async fn crashed_anywhere(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "crashed_anywhere", async |stage| {
        at_each_step(&stage, Mishap::CrashBefore).await?;
        at_each_step(&stage, Mishap::CrashAfter).await
    })
    .await
}

/// A cancelled run ends, reports what it has not done, and the next run does it.
pub async fn cancelled(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "cancelled", async |stage| at_each_step(&stage, Mishap::Cancelled).await).await
}

/// What ends a run early at one of its steps.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    Refused,
    CrashBefore,
    CrashAfter,
    Cancelled,
}

/// Applies the graph and deletes it, repeatedly, each time with a mishap at another step of both.
async fn at_each_step(stage: &Stage<'_>, mishap: Mishap) -> Result<Verdict> {
    let (graph, nothing) = (stage.graph()?, TaskGraph::default());
    let (to_make, to_delete) = stage.count_steps(&graph).await?;
    let (mut making, mut deleting) = (stage.steps(to_make), stage.steps(to_delete));
    loop {
        let steps = (making.next(), deleting.next());
        if steps == (None, None) {
            return Ok(Verdict::Held);
        }
        for (doing, graph, step) in [("making", &graph, steps.0), ("deleting", &nothing, steps.1)] {
            let told = |error: Error| match step {
                Some(step) => broken(format!("{doing}, {mishap:?} at step {step}: {error}")),
                None => error,
            };
            if let Some(step) = step {
                mishap.strike(stage, step, graph).await.map_err(told)?;
            }
            stage.apply(graph).await.map_err(told)?;
        }
    }
}

impl Mishap {
    /// A run that ends early, as it should.
    async fn strike(self, stage: &Stage<'_>, step: u64, graph: &TaskGraph) -> Result<()> {
        match self {
            Self::Refused => fail_at(stage, step, graph).await,
            Self::CrashBefore => crash_at(stage, step, Fault::CrashBefore, graph).await,
            Self::CrashAfter => crash_at(stage, step, Fault::CrashAfter, graph).await,
            Self::Cancelled => cancel_at(stage, step, graph).await,
        }
    }
}

async fn fail_at(stage: &Stage<'_>, step: u64, graph: &TaskGraph) -> Result<()> {
    stage.cloud.inject(move |call| {
        (call.op.mutates() && call.mutations == step).then_some(Fault::Refuse(ErrorKind::Denied))
    });
    let (plan, report) = stage.try_apply(graph).await?;
    stage.cloud.heal();
    ensure(report.failed.len() == 1, || format!("one call failed, but the report is: {report}"))?;
    is_accounted_for(&plan, &report)
}

async fn crash_at(stage: &Stage<'_>, step: u64, fault: Fault, graph: &TaskGraph) -> Result<()> {
    stage.cloud.inject(move |call| (call.op.mutates() && call.mutations == step).then_some(fault));
    let survived = stage.until_crash(stage.try_apply(graph)).await?;
    ensure(survived.is_none(), || "the run made fewer calls than before".to_owned())
}

async fn cancel_at(stage: &Stage<'_>, step: u64, graph: &TaskGraph) -> Result<()> {
    let cancel = CancellationToken::new();
    let trigger = cancel.clone();
    stage.cloud.inject(move |call| {
        if call.op.mutates() && call.mutations == step {
            trigger.cancel();
        }
        None
    });
    let engine = stage.engine();
    let plan = engine.plan(graph).await?;
    let report = engine.apply_now_with(&plan, RunOptions::new().cancel(cancel)).await?;
    stage.cloud.heal();
    ensure(report.failed.is_empty(), || format!("a cancelled run reports failures: {report}"))?;
    is_accounted_for(&plan, &report)
}
