//! An identity becomes nothing: machines of OpenStack have none. What a machine may do in the cloud follows from the
//! credentials that its configuration brings along.

use kops_core::lower::Lowered;
use kops_core::resource::Identity;
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site};

/// The extension that tells what a machine is in a Kubernetes cluster.
const CLUSTER: &str = "kops/Identity";

impl Lowered<Site> for Identity {
    /// None.
    type Native = Self;

    const IMPLICIT: bool = true;

    fn lower(_: &str, spec: Self, _: &mut Lowering<'_>) -> Result<()> {
        // What a machine is in a cluster says nothing here: its credentials come another way.
        let Some(extension) = spec.extensions.names().find(|name| *name != CLUSTER) else { return Ok(()) };
        let message = format!("machines of OpenStack have no identities for {extension} to be said of");
        Err(Error::new(ErrorKind::Unsupported, message))
    }
}
