//! Kubernetes clusters on OpenStack: the implementation of [`kops_cluster`]'s requirements.

mod dialect;
mod existing;
pub(crate) mod identity;
mod machines;
#[cfg(test)]
mod tests;
mod volumes;

use async_trait::async_trait;
use kops_cluster::cloud::{Dialect, NodeFacts};
use kops_cluster::{Cluster, ClusterCloud, ExistingNetwork, Problems};
use kops_core::Result;

use crate::Openstack;

pub use dialect::OpenstackDialect;

#[async_trait]
impl ClusterCloud for Openstack {
    fn dialect(&self) -> &dyn Dialect {
        &OpenstackDialect
    }

    fn node_facts(&self, cluster: &Cluster) -> Result<NodeFacts, Problems> {
        machines::facts(self.site(), cluster)
    }

    async fn existing_network(&self, id: &str) -> Result<Option<ExistingNetwork>> {
        existing::network(self.clients(), id).await.map(Some)
    }
}
