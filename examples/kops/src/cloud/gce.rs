//! Google Cloud, with application default credentials.

use std::sync::Arc;

use kops_cluster::{CloudProvider, Cluster, ClusterCloud};
use kops_core::Result;
use kops_core::clock::SystemClock;
use kops_core::store::StoreOpener;
use kops_gce::{GceBuilder, GcsStores};

/// This program uses TLS for nothing else, so this connection may choose the process' cryptography provider.
fn builder() -> GceBuilder {
    GceBuilder::from_env().install_ring()
}

/// The opener of `gs://` state stores.
pub(super) fn stores() -> impl StoreOpener + 'static {
    GcsStores::new(builder(), Arc::new(SystemClock::new()))
}

/// The project of the specification, in the region of the cluster's subnets.
pub(super) async fn open(cluster: &Cluster) -> Result<Arc<dyn ClusterCloud>> {
    let mut builder = builder();
    let settings = cluster.spec.cloud_provider.as_ref().and_then(CloudProvider::gce);
    if let Some(project) = settings.and_then(|settings| settings.project.as_ref()) {
        builder = builder.project(project);
    }
    if let Some(region) = cluster.region() {
        builder = builder.region(region);
    }
    Ok(Arc::new(builder.build().await?))
}
