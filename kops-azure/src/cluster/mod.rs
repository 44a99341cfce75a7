//! Kubernetes clusters on Azure: the implementation of [`kops_cluster`]'s requirements.

mod dialect;
mod existing;
pub(crate) mod identity;
mod machines;
pub(crate) mod nodes;

use async_trait::async_trait;
use kops_cluster::cloud::{Dialect, NodeFacts};
use kops_cluster::{Cluster, ClusterCloud, ExistingNetwork, Problems, scope_of};
use kops_core::Result;

use crate::Azure;

pub use dialect::AzureDialect;

#[async_trait]
impl ClusterCloud for Azure {
    fn dialect(&self) -> &dyn Dialect {
        &AzureDialect
    }

    fn node_facts(&self, cluster: &Cluster) -> Result<NodeFacts, Problems> {
        machines::facts(self.subscription(), &self.resource_group(&scope_of(cluster)), cluster)
    }

    async fn existing_network(&self, id: &str) -> Result<Option<ExistingNetwork>> {
        existing::network(self.clients(), id).await.map(Some)
    }
}
