//! The permissions of a cluster's machines: the roles of their identities.

use kops_cluster::extensions::{ClusterIdentity, MachineRole};
use kops_core::Result;
use kops_core::resource::Identity;

use crate::extensions::{AzureIdentity, RoleOn};

/// Manages everything in the resource group: load balancers, disks and routes of the cluster. kOps assigns
/// the same role. <https://learn.microsoft.com/en-us/azure/role-based-access-control/built-in-roles>
const CONTRIBUTOR: &str = "b24988ac-6180-42a0-ab88-20f7382dd24c";
/// Reads and writes blobs of a state store.
const BLOB_CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";

/// The roles for an identity's role in a cluster; only a control plane has any.
pub(crate) fn roles(spec: &Identity, extension: &AzureIdentity) -> Result<Vec<RoleOn>> {
    let role = spec.extensions.get::<ClusterIdentity>()?.map(|identity| identity.role);
    if role != Some(MachineRole::ControlPlane) {
        return Ok(Vec::new());
    }
    let blobs = extension.storage_account.iter();
    let blobs =
        blobs.map(|account| RoleOn { role: BLOB_CONTRIBUTOR.to_owned(), scope: Some(account.clone()) });
    Ok(std::iter::once(RoleOn { role: CONTRIBUTOR.to_owned(), scope: None }).chain(blobs).collect())
}

#[cfg(test)]
mod tests {
    use kops_cluster::cloud::Dialect as _;
    use kops_cluster::{Cluster, Mode, Problems};

    use super::*;
    use crate::AzureDialect;

    const ACCOUNT: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/state\
        /providers/Microsoft.Storage/storageAccounts/state";

    /// The roles that follow from a specification with these settings of Azure.
    fn of_specification(settings: &str, role: MachineRole) -> Vec<RoleOn> {
        let text = format!(
            "apiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\nmetadata: {{name: kept.example.net}}\n\
             spec: {{cloudProvider: azure, cloudConfig: {{azure: {settings}}}}}\n"
        );
        let (cluster, _) = Cluster::from_yaml(&text, Mode::Strict).unwrap();
        let mut identity = ClusterIdentity::of(role).identity().unwrap();
        let mut problems = Problems::new();
        AzureDialect.identity(&cluster, role, &mut identity, &mut problems);
        assert!(!problems.has_errors(), "{problems}");
        let extension = identity.extensions.get::<AzureIdentity>().unwrap().unwrap_or_default();
        roles(&identity, &extension).unwrap()
    }

    #[test]
    fn only_a_control_plane_writes_into_the_state_store() {
        let on = |role: &str, scope: Option<&str>| RoleOn {
            role: role.to_owned(),
            scope: scope.map(str::to_owned),
        };
        let kept = format!("{{subscriptionId: s, storageAccountID: {ACCOUNT}}}");
        assert_eq!(
            of_specification(&kept, MachineRole::ControlPlane),
            [on(CONTRIBUTOR, None), on(BLOB_CONTRIBUTOR, Some(ACCOUNT))]
        );
        // Backups of a cluster whose store is elsewhere need no right here.
        let elsewhere = "{subscriptionId: s}";
        assert_eq!(of_specification(elsewhere, MachineRole::ControlPlane), [on(CONTRIBUTOR, None)]);
        for role in [MachineRole::Node, MachineRole::Bastion] {
            assert!(of_specification(&kept, role).is_empty(), "{role:?}");
        }
    }
}
