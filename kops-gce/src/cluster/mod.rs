//! Kubernetes clusters on Google Cloud: what [`kops_cluster`] asks of the provider.

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
