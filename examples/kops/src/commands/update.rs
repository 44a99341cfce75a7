//! `kops update cluster`.

use kops_cluster::bootstrap::NodeProgram;
use kops_cluster::registry::ClusterStore;
use kops_cluster::{ClusterFiles, populate};
use kops_core::apply::Report;
use kops_core::plan::{Plan, TextOptions};
use kops_core::store::Operation;
use kops_core::{Error, Result, RunOptions};
use serde::Serialize;
use serde_json::Value;

use super::{Outcome, export};
use crate::cli::{PlanFormat, UpdateCluster};
use crate::operation::{self, operate, options};
use crate::progress::span;
use crate::state::State;
use crate::target::{Purpose, StoredTarget};
use crate::{node_program, output};

/// Shows the plan of a cluster, or applies it.
pub(super) async fn update(state: &State, arguments: &UpdateCluster) -> Result<Outcome> {
    let store = state.cluster(arguments.cluster.as_deref())?;
    let program = node_program::read(&arguments.machines)?;
    if !arguments.consent.yes {
        if arguments.access.admin.is_some() || arguments.access.user.is_some() {
            return Err(Error::invalid("a kubeconfig is written only after the plan is applied")
                .with_hint("use --yes, or `kops export kubeconfig`"));
        }
        let StoredTarget { target, missing_keysets: missing, prefetch, .. } =
            StoredTarget::read(state, &store, program, Purpose::Show).await?;
        if !missing.is_empty() {
            output::note(format_args!("Will create the keysets {} in the state store.", missing.join(", ")));
        }
        let engine = target.engine.prune(arguments.prune);
        let plan = engine.plan_prefetched(&target.graph, prefetch, RunOptions::new()).await?;
        show(&plan, arguments)?;
        let converged = plan.is_empty() && plan.pending.is_empty() && missing.is_empty();
        let pending = arguments.detailed_exitcode && !converged;
        return Ok(if pending { Outcome::Pending } else { Outcome::Done });
    }
    let patience = arguments.consent.patience();
    let work = |operation| apply(operation, state, &store, program, arguments);
    let files = operate(&store, "update cluster", patience, work).await?;
    if arguments.access.admin.is_some() || arguments.access.user.is_some() {
        export::write_entry(state, &store, &files, &arguments.access, None).await?;
    }
    Ok(Outcome::Done)
}

async fn apply(
    operation: Operation,
    state: &State,
    store: &ClusterStore,
    program: NodeProgram,
    arguments: &UpdateCluster,
) -> Result<ClusterFiles> {
    let read = StoredTarget::read(state, store, program, Purpose::Apply);
    let StoredTarget { target, files, prefetch, .. } = read.await?;
    let engine = target.engine.prune(arguments.prune);
    let plan = engine.plan_prefetched(&target.graph, prefetch, options(&operation)).await?;
    if arguments.output != PlanFormat::Json {
        show(&plan, arguments)?;
    }
    target.needs.store(store).await?;
    let report = operation::apply(&operation, &engine, &plan).await?;
    if arguments.output == PlanFormat::Json {
        let mut document = document(&plan)?;
        document["result"] = self::document(&report)?;
        output::print_json(&document)?;
    }
    finish(store, &files, report, arguments.output == PlanFormat::Text).await?;
    Ok(files)
}

/// Records what was applied, and reports it.
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
        output::print(format!("\nApplied {} changes in {}.", report.done.len(), span(report.took)))?;
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

/// Prints a plan as text, and how to apply it.
pub(super) fn show_text(plan: &Plan, full: bool, applied: bool) -> Result<()> {
    output::print(plan.text(TextOptions::new().full(full).color(output::color())))?;
    if applied || plan.is_empty() {
        return Ok(());
    }
    output::print("\nNothing was changed; run again with --yes to apply the plan.")
}

/// A plan or a report, as JSON.
fn document(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value)
        .map_err(|error| Error::internal("the result cannot be serialised").with_source(error))
}
