//! Kubernetes clusters on OpenStack: the implementation of [`kops_cluster`]'s requirements.

mod dialect;
mod machines;

use kops_cluster::cloud::{Dialect, NodeFacts};
use kops_cluster::{Cluster, ClusterCloud, Problems};

use crate::Openstack;

pub use dialect::OpenstackDialect;

impl ClusterCloud for Openstack {
    fn dialect(&self) -> &dyn Dialect {
        &OpenstackDialect
    }

    fn node_facts(&self, cluster: &Cluster) -> Result<NodeFacts, Problems> {
        machines::facts(cluster)
    }
}
