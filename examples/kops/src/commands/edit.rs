//! `kops edit`.

use kops_cluster::registry::{ClusterStore, Versioned};
use kops_cluster::{AnyObject, ApiObject as _, ClusterFiles, InstanceGroup};
use kops_core::{Error, Result};

use super::create_cluster::change;
use crate::cli::{Changes, EditCluster, EditGroup};
use crate::editor::{self, Edited};
use crate::manifest::{self, Given};
use crate::output;
use crate::specification::{check_change, put};
use crate::state::State;

/// Edits a cluster's specification.
pub(super) async fn cluster(state: &State, arguments: &EditCluster) -> Result<()> {
    let store = state.cluster(arguments.cluster.as_deref())?;
    let stored = state.read(&store).await?;
    let before = ClusterFiles::from(stored.clone());
    let base = &stored.cluster;
    let edited = by_hand(&arguments.changes, || base.to_yaml(), store.name())?;
    let write = async |edited: Option<&Edited>| {
        let mut after = before.clone();
        let given = given(edited)?;
        match given.sources.first().map(|source| &source.document.object) {
            Some(AnyObject::Cluster(cluster)) => after.cluster = (**cluster).clone(),
            Some(other) => return Err(another_kind(other, "Cluster")),
            None => change(&mut after.cluster, &arguments.changes)?,
        }
        check_change(Some(&before), &after, &given)?;
        store.update(base, &after.cluster).await
    };
    let written = write(edited.as_ref()).await;
    let written = settle(written, edited)?;
    tell(&store, &format!("Cluster {}", store.name()), base, &written)
}

/// Edits an instance group's specification.
pub(super) async fn group(state: &State, arguments: &EditGroup) -> Result<()> {
    let store = state.cluster(None)?;
    let stored = state.read(&store).await?;
    let before = ClusterFiles::from(stored.clone());
    let base = stored.instance_groups.iter().find(|group| group.name() == arguments.group);
    let base = base.ok_or_else(|| unknown_group(&store, &before, &arguments.group))?;
    let edited = by_hand(&arguments.changes, || base.to_yaml(), &arguments.group)?;
    let write = async |edited: Option<&Edited>| {
        let mut after = before.clone();
        let given = given(edited)?;
        let mut group = base.clone().into_inner();
        match given.sources.first().map(|source| &source.document.object) {
            Some(AnyObject::InstanceGroup(edited)) => group = (**edited).clone(),
            Some(other) => return Err(another_kind(other, "InstanceGroup")),
            None => change(&mut group, &arguments.changes)?,
        }
        put(&mut after, group.clone());
        check_change(Some(&before), &after, &given)?;
        store.update_instance_group(base, &group).await
    };
    let written = write(edited.as_ref()).await;
    let written = settle(written, edited)?;
    tell(&store, &format!("Instance group {}", arguments.group), base, &written)
}

/// The error of a missing group, which lists the existing ones.
pub(super) fn unknown_group(store: &ClusterStore, files: &ClusterFiles, name: &str) -> Error {
    let known: Vec<&str> = files.instance_groups.iter().map(InstanceGroup::name).collect();
    Error::not_found(format!("cluster {} has no instance group {name}", store.name()))
        .with_hint(format!("it has {}", known.join(", ")))
}

/// The text as edited by the user, unless flags specify the changes.
fn by_hand(changes: &Changes, text: impl FnOnce() -> Result<String>, name: &str) -> Result<Option<Edited>> {
    if changes.is_empty() { editor::edit(&text()?, name).map(Some) } else { Ok(None) }
}

/// The object in the edited text; none if flags specify the changes.
pub(super) fn given(edited: Option<&Edited>) -> Result<Given> {
    let given = edited
        .map(|edited| manifest::parse(&edited.text, "the edited text"))
        .transpose()?
        .unwrap_or_default();
    if given.sources.len() + given.additional.len() > 1 {
        return Err(Error::invalid("the edited text contains more than one document")
            .with_hint("keep one; kops replace -f accepts several"));
    }
    if let Some(other) = given.additional.first() {
        let title = other.object.title();
        return Err(Error::invalid(format!("the edited text is {title}")).with_hint("do not change the kind"));
    }
    Ok(given)
}

pub(super) fn another_kind(object: &AnyObject, wanted: &str) -> Error {
    Error::invalid(format!("the edited text is a {}, not a {wanted}", object.kind()))
        .with_hint("do not change the kind")
}

/// Saves the edited text if it could not be written.
fn settle<T>(written: Result<T>, edited: Option<Edited>) -> Result<T> {
    match (written, edited) {
        (Ok(written), edited) => {
            if let Some(edited) = edited {
                edited.discard();
            }
            Ok(written)
        }
        (Err(error), Some(edited)) => Err(edited.keep(&error, "kops replace -f")),
        (Err(error), None) => Err(error),
    }
}

fn tell<T: PartialEq>(
    store: &ClusterStore,
    what: &str,
    base: &Versioned<T>,
    written: &Versioned<T>,
) -> Result<()> {
    if base.version == written.version {
        return output::print(format!("{what} is unchanged."));
    }
    output::print(format!(
        "{what} has been changed in {}.\nApply it with:  kops update cluster {} --yes",
        store.config_base(),
        store.name()
    ))
}
