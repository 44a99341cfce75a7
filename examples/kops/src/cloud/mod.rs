//! From a name to a cloud: the only place of this program that knows the providers.

mod aws;
mod azure;
mod gce;
mod memory;
mod openstack;

use std::sync::Arc;

use kops_cluster::{CloudProvider, Cluster, ClusterCloud};
use kops_core::store::Stores;
use kops_core::{Error, ErrorKind, Result};

use crate::state::State;

/// The names of the clouds, for messages.
const CLOUDS: &str = "aws, gce, openstack, azure or memory";

/// The supported state stores, in addition to directories.
pub(crate) fn stores() -> Stores {
    Stores::new()
        .with("s3", aws::stores())
        .with("gs", gce::stores())
        .with("swift", openstack::stores())
        .with("azureblob", azure::stores())
}

/// Connects to the cloud of a cluster.
pub(crate) async fn open(cluster: &Cluster, state: &State) -> Result<Arc<dyn ClusterCloud>> {
    let provider = cluster.spec.cloud_provider.as_ref().ok_or_else(|| {
        Error::invalid(format!("the specification of {} has no cloud", cluster.name()))
            .with_hint(format!("set spec.cloudProvider to {CLOUDS}"))
    })?;
    // Boxed, because the connecting future would be part of every command's.
    match provider {
        CloudProvider::Aws(_) => Box::pin(aws::open(cluster)).await,
        CloudProvider::Gce(_) => Box::pin(gce::open(cluster)).await,
        CloudProvider::Azure(_) => Box::pin(azure::open(cluster)).await,
        CloudProvider::Openstack(_) => Box::pin(openstack::open(cluster)).await,
        CloudProvider::Memory(_) => memory::open(cluster, state),
        other => Err(Error::new(ErrorKind::Unsupported, format!("cloud {} is not supported", other.name()))
            .with_hint(format!("use {CLOUDS}"))),
    }
}
