//! `kops create instancegroup`.

use std::io::{self, IsTerminal};

use kops_cluster::{
    AnyObject, ApiObject as _, ClusterFiles, INSTANCE_GROUP_LABEL, InstanceGroup, Role, SubnetType, populate,
};
use kops_core::{Error, ErrorKind, Result};

use super::create_cluster::change;
use super::edit::{another_kind, given};
use crate::cli::{CreateGroup, GroupRole};
use crate::specification::{check_change, put};
use crate::state::State;
use crate::{editor, manifest, output};

/// Writes the specification of a new instance group.
pub(super) async fn create(state: &State, arguments: &CreateGroup) -> Result<()> {
    let store = state.cluster(None)?;
    let before = ClusterFiles::from(state.read(&store).await?);
    if before.instance_groups.iter().any(|group| group.name() == arguments.group) {
        return Err(Error::new(
            ErrorKind::AlreadyExists,
            format!("instance group {} already exists in cluster {}", arguments.group, store.name()),
        )
        .with_hint(format!("edit it with: kops edit ig {} --name {}", arguments.group, store.name())));
    }
    let mut group = draft(&before, arguments);
    change(&mut group, &arguments.changes)?;
    if arguments.dry_run {
        return manifest::print(&[AnyObject::from(group)], &[], arguments.output.unwrap_or_default(), true);
    }
    // Flags that set fields make the editor unnecessary.
    let asks = arguments.edit.unwrap_or_else(|| arguments.changes.is_empty() && io::stdin().is_terminal());
    let edited = if asks { Some(editor::edit(&group.to_yaml()?, group.name())?) } else { None };
    let written = async {
        let given = given(edited.as_ref())?;
        match given.sources.first().map(|source| &source.document.object) {
            Some(AnyObject::InstanceGroup(edited)) => group = (**edited).clone(),
            Some(other) => return Err(another_kind(other, "InstanceGroup")),
            None => {}
        }
        let mut after = before.clone();
        put(&mut after, group.clone());
        check_change(Some(&before), &after, &given)?;
        store.create_instance_group(&group).await
    };
    match (written.await, edited) {
        (Ok(_), edited) => {
            if let Some(edited) = edited {
                edited.discard();
            }
            output::print(format!(
                "Instance group {} has been written to {}.\nApply it with:  kops update cluster {} --yes",
                arguments.group,
                store.config_base(),
                store.name(),
            ))
        }
        (Err(error), Some(edited)) => Err(edited.keep(&error, "kops create -f")),
        (Err(error), None) => Err(error),
    }
}

/// A group with defaults for the role and the cluster.
fn draft(files: &ClusterFiles, arguments: &CreateGroup) -> InstanceGroup {
    let cluster = &files.cluster;
    let role = match arguments.role {
        GroupRole::ControlPlane => Role::ControlPlane,
        GroupRole::Node => Role::Node,
        GroupRole::Bastion => Role::Bastion,
    };
    let mut group = InstanceGroup::named(&arguments.group, role, cluster.name());
    group.spec.node_labels.insert(INSTANCE_GROUP_LABEL.to_owned(), arguments.group.clone());
    group.spec.subnets =
        if arguments.subnet.is_empty() { usual_subnets(files, role) } else { arguments.subnet.clone() };
    // As in a specification created with the cluster, the defaults for machines are written out.
    let (_, populated) = populate(cluster, std::slice::from_ref(&group));
    if let Some(populated) = populated.into_iter().next() {
        group.spec.image = populated.spec.image;
        group.spec.machine_type = populated.spec.machine_type;
        group.spec.min_size = populated.spec.min_size;
        group.spec.max_size = populated.spec.max_size;
    }
    group
}

/// Private subnets if there are any, otherwise public ones; bastions are in utility subnets.
fn usual_subnets(files: &ClusterFiles, role: Role) -> Vec<String> {
    let subnets = &files.cluster.spec.networking.subnets;
    let private = subnets.iter().any(|subnet| subnet.r#type == Some(SubnetType::Private));
    let wanted = match role {
        Role::Bastion => SubnetType::Utility,
        _ if private => SubnetType::Private,
        _ => SubnetType::Public,
    };
    let fits = |kind: Option<SubnetType>| kind.unwrap_or(SubnetType::Public) == wanted;
    subnets.iter().filter(|subnet| fits(subnet.r#type)).map(|subnet| subnet.name.clone()).collect()
}
