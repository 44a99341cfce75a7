//! Kubernetes clusters on AWS: the implementation of [`kops_cluster`]'s requirements.

mod dialect;
pub(crate) mod identity;
pub(crate) mod nodes;
mod quantity;

use kops_cluster::ClusterCloud;
use kops_cluster::cloud::Dialect;

use crate::Aws;

pub use dialect::AwsDialect;

impl ClusterCloud for Aws {
    fn dialect(&self) -> &dyn Dialect {
        &AwsDialect
    }
}
