//! Drops identities: machines of OpenStack have none. A machine's permissions in the cloud are those of the
//! credentials in its configuration.

use kops_core::lower::Lowered;
use kops_core::resource::Identity;
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site};

/// The extension with a machine's role in a Kubernetes cluster.
const CLUSTER: &str = "kops/Identity";

impl Lowered<Site> for Identity {
    /// None.
    type Native = Self;

    const IMPLICIT: bool = true;

    fn lower(_: &str, spec: Self, _: &mut Lowering<'_>) -> Result<()> {
        // A machine's role in a cluster has no effect here: its credentials come from elsewhere.
        let Some(extension) = spec.extensions.names().find(|name| *name != CLUSTER) else { return Ok(()) };
        let message = format!("machines of OpenStack have no identity to which {extension} could apply");
        Err(Error::new(ErrorKind::Unsupported, message))
    }
}
