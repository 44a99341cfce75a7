//! The cloud permissions of machines.

use super::draft::Draft;
use crate::cloud::hand_on;
use crate::extensions::{ClusterIdentity, MachineRole};
use crate::spec::{Cluster, InstanceGroup, Path};
use kops_core::graph::{Handle, Key};
use kops_core::resource::{Identity, Resource};

/// Adds one identity for each role whose machines do not use an existing one.
pub(super) fn build(draft: &mut Draft<'_>) {
    for role in [MachineRole::ControlPlane, MachineRole::Node, MachineRole::Bastion] {
        // Groups with an existing identity need none.
        let cluster = draft.blueprint.cluster;
        if draft.groups_of(role).any(|group| existing(cluster, group).is_none()) {
            let mut identity = Identity::new();
            let needs = ClusterIdentity::of(role).state_store(cluster.spec.config_store.base.clone());
            hand_on(&mut identity.extensions, &needs, &mut draft.problems);
            draft.blueprint.dialect.identity(cluster, role, &mut identity, &mut draft.problems);
            draft.graph.add(&draft.names.identity(role), identity);
        }
    }
}

/// The existing identity of a group's machines: the group's own, or that of the cluster.
fn existing<'a>(cluster: &'a Cluster, group: &'a InstanceGroup) -> Option<&'a str> {
    let own = group.spec.iam.as_ref().and_then(|iam| iam.profile.as_deref());
    own.or_else(|| cluster.spec.cloud_provider.as_ref()?.machine_identity())
}

/// The identity of a group's machines: that of their role, or the existing one that the group or the cluster
/// names.
pub(super) fn of_group(draft: &mut Draft<'_>, group: &InstanceGroup, role: MachineRole) -> Handle<Identity> {
    let Some(existing) = existing(draft.blueprint.cluster, group) else {
        return Handle::named(&draft.names.identity(role));
    };
    if existing.is_empty() {
        draft.group_error(
            group,
            Path::of("spec.iam.profile"),
            "must not be empty".to_owned(),
            "name an existing identity, or remove iam".to_owned(),
        );
    }
    if draft.graph.contains(&Key::new(Identity::KIND, existing)) {
        Handle::named(existing)
    } else {
        draft.graph.share(existing, existing)
    }
}
