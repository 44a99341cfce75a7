//! What a cluster requires of a provider beyond [`Cloud`].

mod dialect;
mod existing;
mod nodes;
mod pods;

use std::sync::Arc;

use async_trait::async_trait;
use kops_core::Result;
use kops_core::cloud::{Cloud, With};

use crate::spec::{Cluster, ExistingNetwork, Problems};

pub use dialect::{CLUSTER_FIELDS, Dialect, GROUP_FIELDS, NoDialect, Purpose, extend};
pub(crate) use dialect::{hand_on, refuse_unclaimed};
pub use existing::with_existing_zones;
pub use nodes::{Architecture, EtcdVolume, EtcdVolumes, NodeFacts, state_store, unreadable};
pub use pods::{PodTraffic, Tunnel, reject_plugin};

/// A cloud that clusters can be built on.
///
/// Provider crates implement it behind their feature `cluster`, which is enabled by default. A `dyn
/// ClusterCloud` coerces to the `dyn Cloud` that an [`Engine`](kops_core::Engine) takes.
#[async_trait]
pub trait ClusterCloud: Cloud {
    /// How the provider translates the provider-specific settings of a specification; by default it has none.
    fn dialect(&self) -> &dyn Dialect {
        &NoDialect
    }

    /// What the cluster's machines have to know of the cloud. By default, they ask no cloud, and read a directory or a web
    /// server.
    ///
    /// # Errors
    /// Why machines cannot be served, such as a state store that they cannot read.
    fn node_facts(&self, cluster: &Cluster) -> Result<NodeFacts, Problems> {
        let base = state_store(cluster)?;
        let facts = NodeFacts::of_plain_store(kops_node::bundle::Cloud::None {}, base);
        facts.ok_or_else(|| unreadable(base, self.name(), "file:// or https://"))
    }

    /// The existing network with an identifier, or the one that contains the subnet with it; `None` if the provider
    /// cannot tell, which is the default.
    ///
    /// # Errors
    /// `NotFound` if there is neither.
    async fn existing_network(&self, _id: &str) -> Result<Option<ExistingNetwork>> {
        Ok(None)
    }
}

/// A cluster cloud with custom kinds is a cluster cloud, too.
#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "what is not passed on would be lost")]
impl<C: ClusterCloud> ClusterCloud for With<C> {
    fn dialect(&self) -> &dyn Dialect {
        self.cloud().dialect()
    }

    fn node_facts(&self, cluster: &Cluster) -> Result<NodeFacts, Problems> {
        self.cloud().node_facts(cluster)
    }

    async fn existing_network(&self, id: &str) -> Result<Option<ExistingNetwork>> {
        self.cloud().existing_network(id).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "what is not passed on would be lost")]
impl<C: ClusterCloud + ?Sized> ClusterCloud for Arc<C> {
    fn dialect(&self) -> &dyn Dialect {
        (**self).dialect()
    }

    fn node_facts(&self, cluster: &Cluster) -> Result<NodeFacts, Problems> {
        (**self).node_facts(cluster)
    }

    async fn existing_network(&self, id: &str) -> Result<Option<ExistingNetwork>> {
        (**self).existing_network(id).await
    }
}

#[cfg(feature = "testing")]
impl ClusterCloud for kops_core::testing::MemoryCloud {}
