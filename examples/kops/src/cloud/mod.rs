//! From a name to a cloud: the only place of this program that knows the providers.

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "gce")]
mod gce;
mod left_out;
mod memory;
#[cfg(feature = "openstack")]
mod openstack;

use std::sync::Arc;

use kops_cluster::{CloudProvider, Cluster, ClusterCloud};
use kops_core::store::Stores;
use kops_core::{Error, ErrorKind, Result};

use crate::state::State;

/// The clouds that this program is built with.
const CLOUDS: &[&str] = &[
    #[cfg(feature = "aws")]
    "aws",
    #[cfg(feature = "gce")]
    "gce",
    #[cfg(feature = "openstack")]
    "openstack",
    #[cfg(feature = "azure")]
    "azure",
    "memory",
];

/// The supported state stores, in addition to directories.
pub(crate) fn stores() -> Stores {
    let stores = Stores::new();
    #[cfg(feature = "aws")]
    let stores = stores.with("s3", aws::stores());
    #[cfg(feature = "gce")]
    let stores = stores.with("gs", gce::stores());
    #[cfg(feature = "openstack")]
    let stores = stores.with("swift", openstack::stores());
    #[cfg(feature = "azure")]
    let stores = stores.with("azureblob", azure::stores());
    left_out::ALL.iter().fold(stores, |stores, cloud| stores.with(cloud.scheme, *cloud))
}

/// Connects to the cloud of a cluster.
pub(crate) async fn open(cluster: &Cluster, state: &State) -> Result<Arc<dyn ClusterCloud>> {
    let provider = cluster.spec.cloud_provider.as_ref().ok_or_else(|| {
        Error::invalid(format!("the specification of {} has no cloud", cluster.name()))
            .with_hint(format!("set spec.cloudProvider to one of: {}", CLOUDS.join(", ")))
    })?;
    // Boxed, because the connecting future would be part of every command's.
    match provider {
        #[cfg(feature = "aws")]
        CloudProvider::Aws(_) => Box::pin(aws::open(cluster)).await,
        #[cfg(feature = "gce")]
        CloudProvider::Gce(_) => Box::pin(gce::open(cluster)).await,
        #[cfg(feature = "azure")]
        CloudProvider::Azure(_) => Box::pin(azure::open(cluster)).await,
        #[cfg(feature = "openstack")]
        CloudProvider::Openstack(_) => Box::pin(openstack::open(cluster)).await,
        CloudProvider::Memory(_) => memory::open(cluster, state),
        other => Err(unknown(other.name())),
    }
}

/// The error for a cloud that this program does not support, or is built without.
fn unknown(name: &str) -> Error {
    if let Some(cloud) = left_out::ALL.iter().find(|cloud| cloud.name == name) {
        return cloud.refusal();
    }
    Error::new(ErrorKind::Unsupported, format!("cloud {name} is not supported"))
        .with_hint(format!("use one of: {}", CLOUDS.join(", ")))
}
