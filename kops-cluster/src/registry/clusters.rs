//! The clusters of a store.

use std::sync::Arc;

use super::document::Versioned;
use super::{ClusterStore, Paths};
use crate::spec::Cluster;
use kops_core::Result;
use kops_core::clock::Clock;
use kops_core::store::{Prefix, StateStore, StateStoreExt as _};

/// The clusters of a store.
///
/// ```
/// use std::sync::Arc;
///
/// use kops_core::clock::SystemClock;
/// use kops_cluster::Cluster;
/// use kops_cluster::registry::{ClusterRegistry};
/// use kops_core::store::{MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let registry = ClusterRegistry::new(Arc::new(MemoryStore::new()), Arc::new(SystemClock::new()));
/// let cluster = registry.cluster("ha.example.com")?;
/// let created = cluster.create(&Cluster::named("ha.example.com")).await?;
///
/// // Two edits are based on the same version; the second is rejected.
/// let (mut first, mut second) = (created.clone().into_inner(), created.clone().into_inner());
/// first.spec.channel = Some("stable".to_owned());
/// second.spec.channel = Some("alpha".to_owned());
/// let updated = cluster.update(&created, &first).await?;
/// assert_eq!(updated.generation(), 1);
/// let refused = cluster.update(&created, &second).await.unwrap_err();
/// assert!(refused.message().contains("based on generation 0"), "{refused}");
///
/// assert_eq!(registry.list().await?[0].name, "ha.example.com");
/// # Ok::<(), kops_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct ClusterRegistry {
    store: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
}

/// A cluster of a list.
#[derive(Debug)]
#[non_exhaustive]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its specification, or the error of reading it: one broken file does not hide the other clusters.
    pub cluster: Result<Versioned<Cluster>>,
}

impl ClusterRegistry {
    /// The clusters of this store; the clock stamps new objects.
    pub fn new(store: Arc<dyn StateStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// The store underneath.
    pub fn store(&self) -> &Arc<dyn StateStore> {
        &self.store
    }

    /// A cluster of the store, whether it exists or not.
    ///
    /// # Errors
    /// `Invalid` if it is not a valid cluster name.
    pub fn cluster(&self, name: &str) -> Result<ClusterStore> {
        ClusterStore::new(self.store.clone(), self.clock.clone(), name)
    }

    /// All clusters, by name: one list call, and one read for each cluster.
    ///
    /// # Errors
    /// Any error of the store.
    pub async fn list(&self) -> Result<Vec<Listed>> {
        let names = self.store.directories(&Prefix::root()).await?;
        // A directory that does not have a valid cluster name is not a cluster: the bucket may hold other
        // things as well.
        let configs = names.iter().filter_map(|name| Paths::of(name).ok()?.config().ok());
        let found = self.store.get_all(configs.collect()).await?;
        let listed = found.into_iter().map(|(key, object)| Listed {
            name: key.as_str().split('/').next().unwrap_or_default().to_owned(),
            cluster: Versioned::from_object(&*self.store, &key, object),
        });
        Ok(listed.collect())
    }
}
