//! An identity becomes nothing: machines of OpenStack have none. What a machine may do in the cloud follows from the
//! credentials that its configuration brings along.

use kops_core::lower::Lowered;
use kops_core::resource::Identity;
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site};

impl Lowered<Site> for Identity {
    /// None.
    type Native = Self;

    const IMPLICIT: bool = true;

    fn lower(_: &str, spec: Self, _: &mut Lowering<'_>) -> Result<()> {
        if spec.extensions.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            "machines of OpenStack have no identities to give policies to",
        ))
    }
}
