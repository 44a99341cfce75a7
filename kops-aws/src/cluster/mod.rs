//! Kubernetes clusters on AWS: the implementation of [`kops_cluster`]'s requirements.

mod dialect;
mod existing;
pub(crate) mod identity;
mod machines;
pub(crate) mod nodes;
mod quantity;

use async_trait::async_trait;
use kops_cluster::cloud::{Dialect, NodeFacts};
use kops_cluster::{Cluster, ClusterCloud, ExistingNetwork, Problems};
use kops_core::Result;

use crate::Aws;

pub use dialect::AwsDialect;

#[async_trait]
impl ClusterCloud for Aws {
    fn dialect(&self) -> &dyn Dialect {
        &AwsDialect
    }

    fn node_facts(&self, cluster: &Cluster) -> Result<NodeFacts, Problems> {
        machines::facts(self.region(), cluster)
    }

    async fn existing_network(&self, id: &str) -> Result<Option<ExistingNetwork>> {
        existing::network(self.clients(), id).await.map(Some)
    }
}
