//! OpenStack, with the credentials of OpenStack's own tools: `OS_CLOUD` and clouds.yaml, or `OS_…`.

use std::sync::Arc;

use kops_cluster::{CloudProvider, Cluster, ClusterCloud};
use kops_core::Result;
use kops_core::clock::SystemClock;
use kops_core::store::StoreOpener;
use kops_openstack::{OpenstackBuilder, SwiftStores};

/// The opener of `swift://` state stores.
pub(super) fn stores() -> impl StoreOpener + 'static {
    SwiftStores::new(OpenstackBuilder::from_env(), Arc::new(SystemClock::new()))
}

/// The cloud, with the router settings of the specification.
pub(super) async fn open(cluster: &Cluster) -> Result<Arc<dyn ClusterCloud>> {
    let mut builder = OpenstackBuilder::from_env();
    let settings = cluster.spec.cloud_provider.as_ref().and_then(CloudProvider::openstack);
    if let Some(router) = settings.and_then(|settings| settings.router.as_ref()) {
        if let Some(network) = &router.external_network {
            builder = builder.external_network(network);
        }
        let servers = router.dns_servers.as_deref().unwrap_or_default().split(',').map(str::trim);
        builder = builder.name_servers(servers.filter(|server| !server.is_empty()).map(str::to_owned));
    }
    Ok(Arc::new(builder.build().await?))
}
