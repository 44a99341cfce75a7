//! AWS, with the credentials of AWS's own tools.

use std::sync::Arc;

use kops_aws::{AwsBuilder, S3Stores};
use kops_cluster::spec::defaults::CloudDefaults;
use kops_cluster::{Cluster, ClusterCloud};
use kops_core::Result;
use kops_core::clock::SystemClock;
use kops_core::store::StoreOpener;

/// The opener of `s3://` state stores.
pub(super) fn stores() -> impl StoreOpener + 'static {
    S3Stores::new(AwsBuilder::from_env(), Arc::new(SystemClock::new()))
}

/// AWS, in the region of the cluster's zones.
pub(super) async fn open(cluster: &Cluster) -> Result<Arc<dyn ClusterCloud>> {
    let defaults = CloudDefaults::of(cluster.spec.cloud_provider.as_ref());
    let mut zones = cluster.spec.networking.subnets.iter().filter_map(|subnet| subnet.zone.as_deref());
    let mut builder = AwsBuilder::from_env();
    if let Some(region) = zones.find_map(defaults.region_of) {
        builder = builder.region(region);
    }
    Ok(Arc::new(builder.build().await?))
}
