//! `kops delete instancegroup`.

use std::collections::BTreeSet;

use kops_cluster::ClusterFiles;
use kops_cluster::model::Names;
use kops_cluster::registry::{ClusterState, ClusterStore};
use kops_core::graph::Key;
use kops_core::plan::Plan;
use kops_core::resource::{self, Resource as _};
use kops_core::store::Operation;
use kops_core::{Engine, Result, RunOptions};

use super::edit::unknown_group;
use super::update::show_text;
use crate::cli::Consent;
use crate::manifest::Given;
use crate::operation::{self, operate, options};
use crate::output;
use crate::specification::check_change;
use crate::state::State;
use crate::target::Target;

/// Deletes an instance group: first its machines and the objects that manage them, then its specification.
///
/// Nothing else of the cluster is changed, whatever changes are pending. Objects that all groups of a role
/// share and that the last one leaves behind are deleted by the next `update cluster --prune`.
pub(super) async fn delete(state: &State, cluster: &str, group: &str, consent: Consent) -> Result<()> {
    let store = state.registry().cluster(cluster)?;
    if !consent.yes {
        let stored = state.read(&store).await?;
        let doomed = Doomed::find(state, &store, &stored, group).await?;
        show_text(&doomed.plan(RunOptions::new()).await?, false, true)?;
        return output::print(format!(
            "\nNothing was deleted; run again with --yes to delete this, and the specification of {group}."
        ));
    }
    let work = |operation| delete_all(operation, state, &store, group);
    operate(&store, "delete instancegroup", consent.patience(), work).await?;
    output::print(format!("Deleted instance group {group}."))
}

async fn delete_all(operation: Operation, state: &State, store: &ClusterStore, group: &str) -> Result<()> {
    let stored = state.read(store).await?;
    let doomed = Doomed::find(state, store, &stored, group).await?;
    let plan = doomed.plan(options(&operation)).await?;
    show_text(&plan, false, true)?;
    operation::apply(&operation, &doomed.engine, &plan).await?.into_result()?;
    // Rejected if it was changed in the meantime: it is then needed again, and the next update recreates it.
    match stored.instance_groups.iter().find(|base| base.name() == group) {
        Some(base) => store.delete_instance_group(base).await,
        None => Ok(()),
    }
}

/// The objects in the cloud that belong to a single group.
struct Doomed {
    engine: Engine,
    tasks: BTreeSet<Key>,
}

impl Doomed {
    async fn find(state: &State, store: &ClusterStore, stored: &ClusterState, name: &str) -> Result<Self> {
        let files = ClusterFiles::from(stored.clone());
        let Some(group) = files.instance_groups.iter().find(|group| group.name() == name) else {
            return Err(unknown_group(store, &files, name));
        };
        let mut without = files.clone();
        without.instance_groups.retain(|other| other.name() != name);
        check_change(Some(&files), &without, &Given::default())?;
        let target = Target::infrastructure(&files, state, store).await?;
        let task = Key::new(resource::InstanceGroup::KIND, &Names::of(store.name()).group(group));
        Ok(Self { tasks: target.native_tasks_of(&task)?, engine: target.engine })
    }

    async fn plan(&self, options: RunOptions) -> Result<Plan> {
        self.engine.plan_deletion_with(&self.tasks, options).await
    }
}
