//! Kubernetes clusters on OpenStack: what [`kops_cluster`] asks of the provider.

mod dialect;

use kops_cluster::ClusterCloud;
use kops_cluster::cloud::Dialect;

use crate::Openstack;

pub use dialect::OpenstackDialect;

impl ClusterCloud for Openstack {
    fn dialect(&self) -> &dyn Dialect {
        &OpenstackDialect
    }
}
