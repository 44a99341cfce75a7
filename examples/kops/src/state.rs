//! The state store.

use std::path::PathBuf;
use std::sync::Arc;

use kops_cluster::registry::{ClusterRegistry, ClusterState, ClusterStore, OpenedCluster};
use kops_core::clock::SystemClock;
use kops_core::store::{StateStore, StoreUrl};
use kops_core::{Error, ErrorKind, Result};

use crate::cli::Global;
use crate::{cloud, environment};

/// The opened state store.
#[derive(Clone, Debug)]
pub(crate) struct State {
    registry: ClusterRegistry,
    url: StoreUrl,
    name: Option<String>,
}

impl State {
    pub(crate) async fn open(global: &Global) -> Result<Self> {
        let Some(url) = global.state.as_deref().filter(|url| !url.is_empty()) else {
            return Err(Error::invalid("no state store is set")
                .with_hint("use --state or set KOPS_STATE_STORE, to file:///directory, or s3://, gs://, azureblob:// or swift:// with a bucket or container and a prefix"));
        };
        let store = cloud::stores().open(url).await?;
        let registry = ClusterRegistry::new(store, Arc::new(SystemClock::new()));
        Ok(Self { registry, url: url.parse()?, name: global.name.clone() })
    }

    /// All clusters.
    pub(crate) fn registry(&self) -> &ClusterRegistry {
        &self.registry
    }

    /// The store underneath.
    pub(crate) fn store(&self) -> &Arc<dyn StateStore> {
        self.registry.store()
    }

    /// The directory, if the store is one.
    pub(crate) fn directory(&self) -> Option<PathBuf> {
        (self.url.scheme == "file").then(|| PathBuf::from(&self.url.path))
    }

    /// The cluster's name: the command's argument, or that of the flag, or else the environment's.
    pub(crate) fn cluster_name(&self, after_verb: Option<&str>) -> Result<String> {
        match (after_verb, self.name.as_deref()) {
            (Some(one), Some(other)) if one != other => {
                Err(Error::invalid(format!("two clusters are specified: {one} and, by --name, {other}"))
                    .with_hint("specify one"))
            }
            (Some(name), _) | (None, Some(name)) => Ok(name.to_owned()),
            (None, None) => environment::cluster_name().ok_or_else(|| {
                Error::invalid("no cluster is specified")
                    .with_hint("specify its name, or --name, or set KOPS_CLUSTER_NAME")
            }),
        }
    }

    /// The cluster in the arguments.
    pub(crate) fn cluster(&self, after_verb: Option<&str>) -> Result<ClusterStore> {
        self.registry.cluster(&self.cluster_name(after_verb)?)
    }

    /// Reads a cluster; if it does not exist, the error lists those that do.
    pub(crate) async fn open_cluster<'a>(&self, store: &'a ClusterStore) -> Result<OpenedCluster<'a>> {
        match store.open().await {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(self.with_others(error).await),
            opened => opened,
        }
    }

    /// Like [`open_cluster`](Self::open_cluster), but reads the rest, too.
    pub(crate) async fn read(&self, store: &ClusterStore) -> Result<ClusterState> {
        match store.read().await {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(self.with_others(error).await),
            read => read,
        }
    }

    async fn with_others(&self, error: Error) -> Error {
        // If the store itself is missing, that has been reported.
        let Ok(listed) = self.registry.list().await else { return error };
        let names: Vec<String> = listed.into_iter().map(|listed| listed.name).collect();
        let hint = match names.as_slice() {
            [] => "it is empty; check its URL, or create the cluster first".to_owned(),
            names => format!("it has {}", names.join(", ")),
        };
        Error::not_found(error.message()).with_hint(hint)
    }
}
