//! Kubernetes clusters on Google Cloud: the implementation of [`kops_cluster`]'s requirements.

mod dialect;
mod existing;
pub(crate) mod identity;
mod machines;

use async_trait::async_trait;
use kops_cluster::cloud::{Dialect, NodeFacts};
use kops_cluster::{Cluster, ClusterCloud, ExistingNetwork, Problems};
use kops_core::Result;

use crate::Gce;

pub use dialect::GceDialect;

#[async_trait]
impl ClusterCloud for Gce {
    fn dialect(&self) -> &dyn Dialect {
        &GceDialect
    }

    fn node_facts(&self, cluster: &Cluster) -> Result<NodeFacts, Problems> {
        machines::facts(self.project(), cluster)
    }

    async fn existing_network(&self, id: &str) -> Result<Option<ExistingNetwork>> {
        existing::network(self.clients(), id).await.map(Some)
    }
}
