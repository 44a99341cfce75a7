//! Lowers an SSH key to a key pair.

use kops_core::Result;
use kops_core::lower::Lowered;
use kops_core::resource::SshKey;

use super::{Lowering, Site};
use crate::kinds::KeyPair;

impl Lowered<Site> for SshKey {
    type Native = KeyPair;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        cx.add(name, KeyPair::new(&spec.public_key)?);
        Ok(())
    }
}
