//! Lowers an identity to a user-assigned identity, and its roles to role assignments.

use std::collections::BTreeSet;

use kops_core::Result;
use kops_core::lower::Lowered;
use kops_core::resource::Identity;

use super::{Lowering, Site, group, labels, ready, text};
use crate::extensions::{AzureIdentity, RoleOn};
use crate::kinds::{RoleAssignment, UserAssignedIdentity};

impl Lowered<Site> for Identity {
    type Native = UserAssignedIdentity;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let roles = roles(&spec)?;
        let group = group(cx);
        let tags = labels(cx, []);
        let identity = cx.add(name, UserAssignedIdentity { group: group.clone(), tags });
        for role in roles {
            let assignment = RoleAssignment {
                scope: match &role.scope {
                    Some(scope) => scope.clone().into(),
                    None => ready(text(group.clone())),
                },
                role: role.role.clone(),
                identity: identity.id(),
                principal: identity.get(UserAssignedIdentity::PRINCIPAL_ID),
            };
            cx.add(&assignment_name(name, &role), assignment);
        }
        Ok(())
    }
}

/// The roles of an identity, by default on its resource group.
fn roles(spec: &Identity) -> Result<BTreeSet<RoleOn>> {
    let extension = spec.extensions.get::<AzureIdentity>()?.unwrap_or_default();
    #[cfg(feature = "cluster")]
    let own = crate::cluster::identity::roles(spec, &extension)?;
    #[cfg(not(feature = "cluster"))]
    let own = [];
    Ok(extension.roles.into_iter().chain(own).collect())
}

fn assignment_name(identity: &str, role: &RoleOn) -> String {
    match &role.scope {
        Some(scope) => format!("{identity}:{}:{}", role.role, crate::ids::name(scope)),
        None => format!("{identity}:{}", role.role),
    }
}

/// The tasks of an identity's role assignments, for machines to wait for.
pub(super) fn assignments(name: &str, spec: &Identity) -> Result<Vec<String>> {
    Ok(roles(spec)?.iter().map(|role| assignment_name(name, role)).collect())
}
