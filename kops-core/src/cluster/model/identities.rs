//! What machines may do in the cloud.

use super::draft::Draft;
use crate::cluster::{InstanceGroup, Path};
use crate::graph::{Handle, Key};
use crate::resource::{Identity, Resource, Role};

/// One identity for each role that has machines of its own.
pub(super) fn build(draft: &mut Draft<'_>) {
    for role in [Role::ControlPlane, Role::Node, Role::Bastion] {
        // Groups that bring an identity need none.
        if draft.groups_of(role).any(|group| profile(group).is_none()) {
            let cluster = draft.blueprint.cluster;
            let mut identity =
                Identity { state_store: cluster.spec.config_store.base.clone(), ..Identity::of(role) };
            draft.blueprint.dialect.identity(cluster, role, &mut identity, &mut draft.problems);
            draft.graph.add(&draft.names.identity(role), identity);
        }
    }
}

fn profile(group: &InstanceGroup) -> Option<&str> {
    group.spec.iam.as_ref()?.profile.as_deref()
}

/// What a group's machines run under: the identity of their role, or the existing one that the group names.
pub(super) fn of_group(draft: &mut Draft<'_>, group: &InstanceGroup, role: Role) -> Handle<Identity> {
    let Some(existing) = profile(group) else { return Handle::named(&draft.names.identity(role)) };
    if existing.is_empty() {
        draft.group_error(
            group,
            Path::of("spec.iam.profile"),
            "it is empty".to_owned(),
            "name an existing identity, or leave iam out".to_owned(),
        );
    }
    if draft.graph.contains(&Key::new(Identity::KIND, existing)) {
        Handle::named(existing)
    } else {
        draft.graph.share(existing, existing)
    }
}
