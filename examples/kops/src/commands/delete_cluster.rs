//! `kops delete cluster`.

use kops_cluster::ClusterFiles;
use kops_cluster::registry::{ClusterDeletion, ClusterStore};
use kops_core::plan::Plan;
use kops_core::store::Operation;
use kops_core::{Error, ErrorKind, Result};

use super::update::show_text;
use crate::cli::Consent;
use crate::operation::{self, operate, options};
use crate::output;
use crate::progress::span;
use crate::state::State;
use crate::target::Target;

/// Deletes a cluster: first its objects in the cloud, then its specification, then its lock. It can be
/// interrupted at any point and run again to complete.
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
        // An earlier run got this far.
        Err(error) if error.kind() == ErrorKind::NotFound && operation.was_begun_before() => {
            operation.remove_lock();
            Ok(format!("Cluster {name} had been deleted already; its lock has been removed, too."))
        }
        Err(error) => Err(error),
    };
    output::print(operate(&store, "delete cluster", consent.patience(), work).await?)
}

/// Deletes the specification of a cluster and leaves its objects in the cloud.
pub(super) async fn unregister(state: &State, name: &str, consent: Consent) -> Result<()> {
    let store = state.registry().cluster(name)?;
    if !consent.yes {
        state.read(&store).await?;
        return output::print(format!(
            "The specification, keys and backups in {} would be deleted; the cluster's objects in the cloud would stay.\n\
             Nothing was deleted; run again with --yes to delete them.",
            store.config_base()
        ));
    }
    let work = async |operation: Operation| {
        store.delete(ClusterDeletion::KnownOnly).await?;
        operation.remove_lock();
        Ok(())
    };
    operate(&store, "delete cluster", consent.patience(), work).await?;
    output::print(format!(
        "Deleted the specification of cluster {name}; its objects in the cloud are still there."
    ))
}

async fn delete_all(operation: &Operation, state: &State, store: &ClusterStore) -> Result<()> {
    let files = ClusterFiles::from(state.read(store).await?);
    let target = Target::none(&files, state, store).await?;
    let engine = target.engine;
    let plan = engine.plan_with(&target.graph, options(operation)).await?;
    show_text(&plan, false, true)?;
    require_whole(&plan)?;
    let report = operation::apply(operation, &engine, &plan).await?.into_result()?;
    if !report.done.is_empty() {
        output::print(format!("\nDeleted {} objects in {}.", report.done.len(), span(report.took)))?;
    }
    store.delete(ClusterDeletion::KnownOnly).await
}

/// Rejects deleting the specification of a cluster if objects may be left that could not be found again.
fn require_whole(plan: &Plan) -> Result<()> {
    let kinds: Vec<_> = plan.left_out().map(|(kind, _)| kind).collect();
    if kinds.is_empty() {
        return Ok(());
    }
    let kinds = kinds.join(", ");
    Err(Error::new(
        ErrorKind::Denied,
        format!("whether the cluster has objects of these kinds is not known: {kinds}"),
    )
    .with_hint("run it with credentials that may list them: see the plan's warnings"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kops_core::Engine;
    use kops_core::cloud::Scope;
    use kops_core::graph::TaskGraph;
    use kops_core::testing::{Fault, MemoryCloud};

    use super::*;

    #[tokio::test]
    async fn a_cluster_is_not_forgotten_while_it_may_have_objects_that_were_not_looked_at() {
        let cloud = MemoryCloud::new();
        let engine = Engine::new(Arc::new(cloud.clone()), Scope::new("ha.example.com"));
        assert!(require_whole(&engine.plan(&TaskGraph::default()).await.unwrap()).is_ok());
        cloud.inject(|call| (call.kind == "DnsZone").then_some(Fault::Refuse(ErrorKind::Denied)));
        let error = require_whole(&engine.plan(&TaskGraph::default()).await.unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.to_string().contains("not known: DnsZone"), "{error}");
    }
}
