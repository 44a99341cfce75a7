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
