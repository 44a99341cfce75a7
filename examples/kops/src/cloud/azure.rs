//! Azure, with the credentials of a service principal, of the machine, or of the Azure CLI.

use std::sync::Arc;

use kops_azure::{AzureBuilder, BlobStores};
use kops_cluster::{CloudProvider, Cluster, ClusterCloud};
use kops_core::Result;
use kops_core::clock::SystemClock;
use kops_core::store::StoreOpener;

/// The opener of `azureblob://` state stores.
pub(super) fn stores() -> impl StoreOpener + 'static {
    BlobStores::new(AzureBuilder::from_env(), Arc::new(SystemClock::new()))
}

/// The subscription and resource group of the specification, in the region of the cluster's subnets. As in
/// kOps, a resource group in the specification exists already; without one, the cluster has one of its own.
pub(super) async fn open(cluster: &Cluster) -> Result<Arc<dyn ClusterCloud>> {
    let mut builder = AzureBuilder::from_env();
    if let Some(location) = cluster.region() {
        builder = builder.location(location);
    }
    let settings = cluster.spec.cloud_provider.as_ref().and_then(CloudProvider::azure);
    if let Some(settings) = settings {
        if let Some(subscription) = &settings.subscription_id {
            builder = builder.subscription(subscription);
        }
        if let Some(group) = &settings.resource_group_name {
            builder = builder.shared_resource_group(group);
        }
        if let Some(user) = &settings.admin_user {
            builder = builder.admin_user(user);
        }
    }
    Ok(Arc::new(builder.build().await?))
}
