//! Kubernetes clusters on Google Cloud: the implementation of [`kops_cluster`]'s requirements.

mod dialect;
pub(crate) mod identity;
mod machines;

use kops_cluster::cloud::{Dialect, NodeFacts};
use kops_cluster::{Cluster, ClusterCloud, Problems};

use crate::Gce;

pub use dialect::GceDialect;

impl ClusterCloud for Gce {
    fn dialect(&self) -> &dyn Dialect {
        &GceDialect
    }

    fn node_facts(&self, cluster: &Cluster) -> Result<NodeFacts, Problems> {
        machines::facts(self.project(), cluster)
    }
}
