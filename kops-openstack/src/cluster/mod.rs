//! Kubernetes clusters on OpenStack: the implementation of [`kops_cluster`]'s requirements.

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
