//! Rules about what goes wrong.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use super::stage::{Stage, is_accounted_for, play};
use super::{Fixture, Verdict, broken, ensure};
use crate::graph::TaskGraph;
use crate::testing::{Fault, Op};
use crate::{Error, ErrorKind, Result};

/// Calls that are throttled are repeated until they are not.
pub async fn throttled(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "throttled", async |stage| {
        let graph = stage.graph()?;
        for graph in [graph, TaskGraph::default()] {
            stage.cloud.inject(|call| (call.nth % 2 == 1).then_some(Fault::Refuse(ErrorKind::Throttled)));
            let (plan, report) = stage.try_apply(&graph).await?;
            ensure(report.is_complete(), || format!("throttling was not survived: {report}"))?;
            is_accounted_for(&plan, &report)?;
            stage.cloud.heal();
            stage.is_as(&graph).await?;
        }
        Ok(Verdict::Held)
    })
    .await
}

/// When answers get lost after the work was done, nothing is made twice, and one run is enough.
pub async fn lost_answers(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "lost_answers", async |stage| {
        let graph = stage.graph()?;
        for graph in [graph, TaskGraph::default()] {
            // The answers to every other call of a kind and operation; all of them would be an outage.
            stage.cloud.inject(|call| (call.op.mutates() && call.nth % 2 == 1).then_some(Fault::Lose));
            let (_, report) = stage.try_apply(&graph).await?;
            ensure(report.is_complete(), || format!("lost answers were not survived: {report}"))?;
            stage.cloud.heal();
            stage.is_as(&graph).await?;
        }
        // And each creation's alone, with everything else as it should be.
        let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
        for task in stage.native()?.tasks() {
            *kinds.entry(task.key.kind().to_owned()).or_default() += 1;
        }
        for (kind, count) in kinds {
            for nth in stage.steps(count) {
                let kind = kind.clone();
                stage.cloud.inject(move |call| {
                    (call.op == Op::Create && call.kind == kind && call.nth == nth).then_some(Fault::Lose)
                });
                stage.try_apply(&stage.graph()?).await?.1.into_result()?;
                stage.cloud.heal();
                stage.is_as(&stage.graph()?).await?;
                stage.clear().await?;
            }
        }
        Ok(Verdict::Held)
    })
    .await
}

/// Whatever step fails, the others are carried out as far as they can be, everything is reported, and the next
/// run does the rest.
pub async fn failed_anywhere(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "failed_anywhere", async |stage| {
        let graph = stage.graph()?;
        let (to_make, to_delete) = stage.count_steps(&graph).await?;
        for step in stage.steps(to_make) {
            fail_at(&stage, step, &graph).await.map_err(|error| at("making", step, "failed", &error))?;
            stage.clear().await.map_err(|error| at("making", step, "failed", &error))?;
        }
        for step in stage.steps(to_delete) {
            stage.apply(&graph).await?;
            let failed = fail_at(&stage, step, &TaskGraph::default()).await;
            failed.map_err(|error| at("deleting", step, "failed", &error))?;
        }
        Ok(Verdict::Held)
    })
    .await
}

async fn fail_at(stage: &Stage<'_>, step: u64, graph: &TaskGraph) -> Result<()> {
    stage.cloud.inject(move |call| {
        (call.op.mutates() && call.mutations == step).then_some(Fault::Refuse(ErrorKind::Denied))
    });
    let (plan, report) = stage.try_apply(graph).await?;
    stage.cloud.heal();
    ensure(report.failed.len() == 1, || format!("one call was refused, and the report says: {report}"))?;
    is_accounted_for(&plan, &report)?;
    stage.apply(graph).await.map(drop)
}

/// Whatever call the client dies at, before it was carried out or after, the next run converges: no duplicate,
/// no orphan.
pub async fn crashed_anywhere(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "crashed_anywhere", async |stage| {
        let graph = stage.graph()?;
        let (to_make, to_delete) = stage.count_steps(&graph).await?;
        for (fault, when) in [(Fault::CrashBefore, "crashed before"), (Fault::CrashAfter, "crashed after")] {
            for step in stage.steps(to_make) {
                let crashed = crash_at(&stage, step, fault, &graph).await;
                crashed.map_err(|error| at("making", step, when, &error))?;
                stage.clear().await.map_err(|error| at("making", step, when, &error))?;
            }
            for step in stage.steps(to_delete) {
                stage.apply(&graph).await?;
                let crashed = crash_at(&stage, step, fault, &TaskGraph::default()).await;
                crashed.map_err(|error| at("deleting", step, when, &error))?;
            }
        }
        Ok(Verdict::Held)
    })
    .await
}

async fn crash_at(stage: &Stage<'_>, step: u64, fault: Fault, graph: &TaskGraph) -> Result<()> {
    stage.cloud.inject(move |call| (call.op.mutates() && call.mutations == step).then_some(fault));
    let survived = stage.until_crash(stage.try_apply(graph)).await?;
    ensure(survived.is_none(), || "the run made fewer calls than before".to_owned())?;
    stage.apply(graph).await.map(drop)
}

fn at(doing: &str, step: u64, when: &str, error: &Error) -> Error {
    broken(format!("{doing}, {when} step {step}: {error}"))
}

/// A cancelled run ends, says what it has not done, and the next run does it.
pub async fn cancelled(fixture: &dyn Fixture) -> Verdict {
    play(fixture, "cancelled", async |stage| {
        let graph = stage.graph()?;
        let (to_make, to_delete) = stage.count_steps(&graph).await?;
        for step in stage.steps(to_make) {
            cancel_at(&stage, step, &graph)
                .await
                .map_err(|error| at("making", step, "cancelled at", &error))?;
            stage.clear().await?;
        }
        for step in stage.steps(to_delete) {
            stage.apply(&graph).await?;
            let cancelled = cancel_at(&stage, step, &TaskGraph::default()).await;
            cancelled.map_err(|error| at("deleting", step, "cancelled at", &error))?;
        }
        Ok(Verdict::Held)
    })
    .await
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
    let engine = stage.engine().cancel(cancel);
    let plan = engine.plan(graph).await?;
    let report = engine.apply(&plan).await?;
    stage.cloud.heal();
    is_accounted_for(&plan, &report)?;
    stage.apply(graph).await.map(drop)
}
