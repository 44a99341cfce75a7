//! From a name to a cloud: the one place of this program that knows which providers there are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kops_aws::{AwsBuilder, S3Stores};
use kops_core::clock::SystemClock;
use kops_core::cloud::Cloud;
use kops_core::cluster::defaults::CloudDefaults;
use kops_core::cluster::{CloudProvider, Cluster, DnsType};
use kops_core::resource::{DnsZone, Resource as _};
use kops_core::store::Stores;
use kops_core::testing::{MemoryCloud, Stored};
use kops_core::{Error, ErrorKind, Result};

use crate::environment;
use crate::state::State;

/// The kinds of state stores.
pub(crate) fn stores() -> Stores {
    Stores::new().with("s3", S3Stores::new(AwsBuilder::from_env(), Arc::new(SystemClock::new())))
}

/// Connects to the cloud of a cluster.
pub(crate) async fn open(cluster: &Cluster, state: &State) -> Result<Arc<dyn Cloud>> {
    let provider = cluster.spec.cloud_provider.as_ref().ok_or_else(|| {
        Error::invalid(format!("the specification of {} names no cloud", cluster.name()))
            .hint("set spec.cloudProvider to aws or memory")
    })?;
    match provider {
        CloudProvider::Aws(_) => aws(cluster).await,
        CloudProvider::Memory(_) => memory(cluster, state),
        other => {
            Err(Error::new(ErrorKind::Unsupported, format!("this program knows no cloud {}", other.name()))
                .hint("it knows aws and memory"))
        }
    }
}

/// AWS, in the region of the cluster's zones; credentials come from where all AWS tools have them.
async fn aws(cluster: &Cluster) -> Result<Arc<dyn Cloud>> {
    let defaults = CloudDefaults::of(cluster.spec.cloud_provider.as_ref());
    let mut zones = cluster.spec.networking.subnets.iter().filter_map(|subnet| subnet.zone.as_deref());
    let mut builder = AwsBuilder::from_env();
    if let Some(region) = zones.find_map(defaults.region_of) {
        builder = builder.region(region);
    }
    Ok(Arc::new(builder.build().await?))
}

/// The embedded cloud, which is kept in a file from one run to the next. All DNS zones exist in it.
fn memory(cluster: &Cluster, state: &State) -> Result<Arc<dyn Cloud>> {
    let file = environment::memory_cloud().or_else(|| state.directory().as_deref().map(beside)).ok_or_else(
        || {
            Error::invalid("the embedded cloud has no place to be kept in")
                .hint("set KOPS_MEMORY_CLOUD to a file, or use a state store of the form file:///directory")
        },
    )?;
    let cloud = MemoryCloud::builder().file(file).build();
    if cluster.spec.networking.dns_type() == DnsType::Public {
        let parent = || cluster.name().split_once('.').map(|(_, parent)| parent);
        if let Some(zone) = cluster.spec.dns_zone.as_deref().or_else(parent) {
            host_zone(&cloud, zone.trim_end_matches('.'))?;
        }
    }
    Ok(Arc::new(cloud))
}

/// Makes a public DNS zone in the embedded cloud, unless it is there.
fn host_zone(cloud: &MemoryCloud, name: &str) -> Result<()> {
    let is_it = |zone: &Stored| zone.kind == DnsZone::KIND && zone.spec["name"] == name;
    if !cloud.objects()?.iter().any(is_it) {
        let zone = DnsZone { name: name.to_owned(), network: None };
        cloud.plant::<DnsZone>(&DnsZone::selector(name, false), &zone)?;
    }
    Ok(())
}

/// The file of the embedded cloud in a state store: no cluster can be called so.
fn beside(directory: &Path) -> PathBuf {
    directory.join(".memory-cloud.json")
}
