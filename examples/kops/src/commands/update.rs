//! `kops update cluster`.

use kops_cluster::registry::ClusterStore;
use kops_cluster::{ClusterFiles, populate};
use kops_core::apply::Report;
use kops_core::plan::{Plan, TextOptions};
use kops_core::{Error, Result};
use serde_json::{Value, json};

use super::Outcome;
use crate::cli::{PlanFormat, UpdateCluster};
use crate::operation::Operation;
use crate::output;
use crate::progress::span;
use crate::state::State;
use crate::target::StoredTarget;

/// Shows the plan of a cluster, or applies it.
pub(super) async fn update(state: &State, arguments: &UpdateCluster) -> Result<Outcome> {
    let store = state.cluster(arguments.cluster.as_deref())?;
    if !arguments.consent.yes {
        let StoredTarget { target, prefetch, .. } = StoredTarget::read(state, &store).await?;
        let engine = target.engine.prune(arguments.prune);
        let plan = engine.plan_prefetched(&target.graph, prefetch).await?;
        show(&plan, arguments)?;
        let pending = arguments.detailed_exitcode && !plan.is_empty();
        return Ok(if pending { Outcome::Pending } else { Outcome::Done });
    }
    let operation = Operation::begin(&store, "update cluster", arguments.consent.patience()).await?;
    let outcome = apply(&operation, state, &store, arguments).await;
    operation.end(outcome).await.map(|()| Outcome::Done)
}

async fn apply(
    operation: &Operation,
    state: &State,
    store: &ClusterStore,
    arguments: &UpdateCluster,
) -> Result<()> {
    let StoredTarget { target, files, prefetch } = StoredTarget::read(state, store).await?;
    let engine = operation.engine(target.engine.prune(arguments.prune));
    let plan = engine.plan_prefetched(&target.graph, prefetch).await?;
    if arguments.output != PlanFormat::Json {
        show(&plan, arguments)?;
    }
    let report = operation.apply(&engine, &plan).await?;
    if arguments.output == PlanFormat::Json {
        let mut document = document(&plan)?;
        document["result"] = result(&report);
        output::print_json(&document)?;
    }
    finish(store, &files, report, arguments.output == PlanFormat::Text).await
}

/// Notes what was applied, and says so.
pub(super) async fn finish(
    store: &ClusterStore,
    files: &ClusterFiles,
    report: Report,
    tell: bool,
) -> Result<()> {
    let report = report.into_result()?;
    let (completed, _) = populate(&files.cluster, &files.instance_groups);
    tokio::try_join!(
        store.write_completed(&completed),
        store.write_applied_version(env!("CARGO_PKG_VERSION"))
    )?;
    if tell && !report.done.is_empty() {
        output::print(format!("\nApplied: {} done in {}.", report.done.len(), span(report.took)))?;
    }
    Ok(())
}

/// Prints a plan.
fn show(plan: &Plan, arguments: &UpdateCluster) -> Result<()> {
    match arguments.output {
        PlanFormat::Text => show_text(plan, arguments.full, arguments.consent.yes),
        PlanFormat::Json => output::print_json(&document(plan)?),
        PlanFormat::Dot => output::print(plan.dot()),
        PlanFormat::Mermaid => output::print(plan.mermaid()),
    }
}

/// Prints a plan for people, and what to do to apply it.
pub(super) fn show_text(plan: &Plan, full: bool, applied: bool) -> Result<()> {
    output::print(plan.text(TextOptions { full, color: output::color() }))?;
    if applied || plan.is_empty() {
        return Ok(());
    }
    output::print("\nNothing was changed; run again with --yes to apply this.")
}

fn document(plan: &Plan) -> Result<Value> {
    serde_json::to_value(plan).map_err(|error| Error::internal("a plan cannot be written").with_source(error))
}

/// What came of the application of a plan, as JSON.
fn result(report: &Report) -> Value {
    let failed = report.failed.iter().map(
        |failed| json!({ "task": failed.task, "action": failed.action, "error": failed.error.to_string() }),
    );
    let done = report.done.iter().map(|done| {
        json!({ "task": done.task, "action": done.action, "id": done.id, "seconds": done.took.as_secs_f64() })
    });
    let blocked = report
        .blocked
        .iter()
        .map(|blocked| json!({ "task": blocked.task, "action": blocked.action, "by": blocked.by }));
    json!({
        "complete": report.is_complete(),
        "seconds": report.took.as_secs_f64(),
        "done": done.collect::<Vec<_>>(),
        "failed": failed.collect::<Vec<_>>(),
        "blocked": blocked.collect::<Vec<_>>(),
        "not_begun": report.not_begun,
    })
}
