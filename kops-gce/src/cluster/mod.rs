//! Kubernetes clusters on Google Cloud: the implementation of [`kops_cluster`]'s requirements.

mod dialect;
pub(crate) mod identity;

use kops_cluster::ClusterCloud;
use kops_cluster::cloud::Dialect;

use crate::Gce;

pub use dialect::GceDialect;

impl ClusterCloud for Gce {
    fn dialect(&self) -> &dyn Dialect {
        &GceDialect
    }
}
