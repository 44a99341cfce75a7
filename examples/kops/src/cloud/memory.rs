//! The in-memory cloud, which is kept in a file from one run to the next. All DNS zones exist in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kops_cluster::{Cluster, ClusterCloud, DnsType};
use kops_core::resource::{DnsZone, Resource as _};
use kops_core::testing::{MemoryCloud, MemoryObject};
use kops_core::{Error, Result};

use crate::environment;
use crate::state::State;

/// The in-memory cloud in a file beside the state store, or where the environment says.
pub(super) fn open(cluster: &Cluster, state: &State) -> Result<Arc<dyn ClusterCloud>> {
    let file = environment::memory_cloud().or_else(|| state.directory().as_deref().map(beside)).ok_or_else(
        || {
            Error::invalid("the in-memory cloud has no file to be stored in").with_hint(
                "set KOPS_MEMORY_CLOUD to a file, or use a state store of the form file:///directory",
            )
        },
    )?;
    let cloud = MemoryCloud::builder().file(file).build();
    if cluster.dns_type() == DnsType::Public {
        let parent = || cluster.name().split_once('.').map(|(_, parent)| parent);
        if let Some(zone) = cluster.spec.dns_zone.as_deref().or_else(parent) {
            host_zone(&cloud, zone.trim_end_matches('.'))?;
        }
    }
    Ok(Arc::new(cloud))
}

/// Creates a public DNS zone in the in-memory cloud, unless it exists.
fn host_zone(cloud: &MemoryCloud, name: &str) -> Result<()> {
    let is_it = |zone: &MemoryObject| {
        zone.kind == DnsZone::KIND && zone.spec.get("name").is_some_and(|it| it == name)
    };
    if !cloud.objects()?.iter().any(is_it) {
        let zone = DnsZone::new(name);
        cloud.plant::<DnsZone>(&DnsZone::selector(name, false), &zone)?;
    }
    Ok(())
}

/// The file of the in-memory cloud in a state store: not a valid cluster name.
fn beside(directory: &Path) -> PathBuf {
    directory.join(".memory-cloud.json")
}
