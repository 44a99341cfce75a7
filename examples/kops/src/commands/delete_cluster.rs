//! `kops delete cluster`.

use kops_cluster::ClusterFiles;
use kops_cluster::registry::{ClusterDeletion, ClusterStore};
use kops_core::store::Operation;
use kops_core::{ErrorKind, Result};

use super::update::show_text;
use crate::cli::Consent;
use crate::operation::{self, operate};
use crate::output;
use crate::progress::span;
use crate::state::State;
use crate::target::Target;

/// Deletes a cluster: first all that it has in the cloud, then its specification, then its lock. Whatever
/// point it is interrupted at, running it again does the rest.
pub(super) async fn delete(state: &State, name: &str, consent: Consent) -> Result<()> {
    let store = state.registry().cluster(name)?;
    if !consent.yes {
        let files = ClusterFiles::from(state.read(&store).await?);
        let target = Target::none(&files, state, &store).await?;
        let plan = target.engine.plan(&target.graph).await?;
        show_text(&plan, false, true)?;
        return output::print(format!(
            "\nNothing was deleted; run again with --yes to delete this, and the specification in {}.",
            store.config_base()
        ));
    }
    let work = async |operation: Operation| match delete_all(&operation, state, &store).await {
        Ok(()) => {
            operation.remove_lock();
            Ok(format!("Deleted cluster {name}."))
        }
        // An earlier run got as far as here.
        Err(error) if error.kind() == ErrorKind::NotFound && operation.was_begun_before() => {
            operation.remove_lock();
            Ok(format!("Cluster {name} was deleted before; its lock is gone now, too."))
        }
        Err(error) => Err(error),
    };
    output::print(operate(&store, "delete cluster", consent.patience(), work).await?)
}

async fn delete_all(operation: &Operation, state: &State, store: &ClusterStore) -> Result<()> {
    let files = ClusterFiles::from(state.read(store).await?);
    let target = Target::none(&files, state, store).await?;
    let engine = target.engine.cancel(operation.cancel());
    let plan = engine.plan(&target.graph).await?;
    show_text(&plan, false, true)?;
    let report = operation::apply(operation, &engine, &plan).await?.into_result()?;
    if !report.done.is_empty() {
        output::print(format!(
            "\nThe cloud is done: {} deleted in {}.",
            report.done.len(),
            span(report.took)
        ))?;
    }
    store.delete(ClusterDeletion::KnownOnly).await
}
