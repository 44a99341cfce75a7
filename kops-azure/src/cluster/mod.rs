//! Kubernetes clusters on Azure: the implementation of [`kops_cluster`]'s requirements.

mod dialect;
pub(crate) mod identity;
mod machines;
pub(crate) mod nodes;

use kops_cluster::cloud::{Dialect, NodeFacts};
use kops_cluster::{Cluster, ClusterCloud, Problems, scope_of};

use crate::Azure;

pub use dialect::AzureDialect;

impl ClusterCloud for Azure {
    fn dialect(&self) -> &dyn Dialect {
        &AzureDialect
    }

    fn node_facts(&self, cluster: &Cluster) -> Result<NodeFacts, Problems> {
        machines::facts(self.subscription(), &self.resource_group(&scope_of(cluster)), cluster)
    }
}
