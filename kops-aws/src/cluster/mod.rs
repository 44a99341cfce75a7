//! Kubernetes clusters on AWS: what [`kops_cluster`] asks of the provider.

mod dialect;
pub(crate) mod identity;
pub(crate) mod nodes;

use kops_cluster::ClusterCloud;
use kops_cluster::cloud::Dialect;

use crate::Aws;

pub use dialect::AwsDialect;

impl ClusterCloud for Aws {
    fn dialect(&self) -> &dyn Dialect {
        &AwsDialect
    }
}
