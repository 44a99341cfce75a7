//! Kubernetes clusters on Azure: the implementation of [`kops_cluster`]'s requirements.

mod dialect;
pub(crate) mod identity;
pub(crate) mod nodes;

use kops_cluster::ClusterCloud;
use kops_cluster::cloud::Dialect;

use crate::Azure;

pub use dialect::AzureDialect;

impl ClusterCloud for Azure {
    fn dialect(&self) -> &dyn Dialect {
        &AzureDialect
    }
}
