//! The Azure-specific settings of a cluster's specification.

use kops_cluster::cloud::{Dialect, extend};
use kops_cluster::extensions::MachineRole;
use kops_cluster::{Cluster, Problems};
use kops_core::resource::Identity;

use crate::extensions::AzureIdentity;

/// Translates Azure-specific settings of a specification (`cloudProvider.azure`) to
/// [`extensions`](crate::extensions) of the tasks.
///
/// Subscription, tenant and resource group are settings of the connection: see
/// [`AzureBuilder`](crate::AzureBuilder).
#[derive(Clone, Debug, Default)]
pub struct AzureDialect;

impl Dialect for AzureDialect {
    fn identity(&self, cluster: &Cluster, role: MachineRole, task: &mut Identity, problems: &mut Problems) {
        let settings = cluster.spec.cloud_provider.as_ref().and_then(|provider| provider.azure());
        let account = settings.and_then(|azure| azure.storage_account_id.clone());
        let extension = AzureIdentity {
            storage_account: account.filter(|_| role == MachineRole::ControlPlane),
            ..AzureIdentity::default()
        };
        extend(&mut task.extensions, &extension, problems);
    }
}
