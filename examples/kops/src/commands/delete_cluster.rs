//! `kops delete cluster`.

use kops_cluster::ClusterFiles;
use kops_cluster::registry::{ClusterDeletion, ClusterStore};
use kops_core::{ErrorKind, Result};

use super::update::show_text;
use crate::cli::Consent;
use crate::operation::Operation;
use crate::output;
use crate::progress::span;
use crate::state::State;
use crate::target::Target;

/// Deletes a cluster: first its objects in the cloud, then its specification, then its lock. It can be
/// interrupted at any point and run again to complete.
pub(super) async fn delete(state: &State, name: &str, consent: Consent) -> Result<()> {
    let store = state.registry().cluster(name)?;
    if !consent.yes {
        let files = ClusterFiles::from(store.read().await?);
        let target = Target::none(&files, state, &store).await?;
        let plan = target.engine.plan(&target.graph).await?;
        show_text(&plan, false, true)?;
        return output::print(format!(
            "\nNothing was deleted; run again with --yes to delete this, and the specification in {}.",
            store.config_base()
        ));
    }
    let operation = Operation::begin(&store, "delete cluster", consent.patience()).await?;
    match delete_all(&operation, state, &store).await {
        Ok(()) => {
            operation.end_for_good().await?;
            output::print(format!("Deleted cluster {name}."))
        }
        // An earlier run got this far.
        Err(error) if error.kind() == ErrorKind::NotFound && operation.was_begun_before() => {
            operation.end_for_good().await?;
            output::print(format!("Cluster {name} had been deleted already; its lock has been removed, too."))
        }
        Err(error) => operation.end(Err(error)).await,
    }
}

async fn delete_all(operation: &Operation, state: &State, store: &ClusterStore) -> Result<()> {
    let files = ClusterFiles::from(store.read().await?);
    let target = Target::none(&files, state, store).await?;
    let engine = operation.engine(target.engine);
    let plan = engine.plan(&target.graph).await?;
    show_text(&plan, false, true)?;
    let report = operation.apply(&engine, &plan).await?.into_result()?;
    if !report.done.is_empty() {
        output::print(format!("\nDeleted {} objects in {}.", report.done.len(), span(report.took)))?;
    }
    store.delete(ClusterDeletion::KnownOnly).await
}
