//! Lowers an identity to a service account, and its roles to policy bindings.

use kops_core::Result;
use kops_core::graph::{Handle, Id, Input};
use kops_core::lower::Lowered;
use kops_core::resource::Identity;

use super::{Lowering, Site};
use crate::extensions::GceIdentity;
use crate::kinds::{Condition, ProjectIamBinding, ServiceAccount};

impl Lowered<Site> for Identity {
    type Native = ServiceAccount;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let extension = spec.extensions.get::<GceIdentity>()?.unwrap_or_default();
        let account = cx.add(name, ServiceAccount { display_name: display_name(name) });
        #[cfg(feature = "cluster")]
        for (role, condition) in crate::cluster::identity::roles(&spec, cx.scope())? {
            bind(name, &account, role, condition, cx);
        }
        for role in extension.roles {
            bind(name, &account, &role, None, cx);
        }
        Ok(())
    }
}

/// The maximum length of a display name, in bytes:
/// <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts>.
const LONGEST: usize = 100;

fn display_name(name: &str) -> String {
    kops_core::cloud::shortened(name, LONGEST)
}

fn bind(
    name: &str,
    account: &Handle<ServiceAccount>,
    role: &str,
    condition: Option<Condition>,
    cx: &mut Lowering<'_>,
) {
    let service_account: Input<Id<ServiceAccount>> = account.id();
    let own = role.rsplit('/').next().unwrap_or(role);
    let binding = ProjectIamBinding { role: role.to_owned(), service_account, condition };
    cx.add(&format!("{own}.{name}"), binding);
}
