//! Lowers an SSH key to an SSH public key.

use kops_core::lower::Lowered;
use kops_core::resource::SshKey;
use kops_core::{Error, ErrorKind, Result};

use super::{Lowering, Site, group, labels};
use crate::kinds::SshPublicKey;

impl Lowered<Site> for SshKey {
    type Native = SshPublicKey;

    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()> {
        let key = spec.public_key.trim().to_owned();
        if !key.starts_with("ssh-rsa ") && !key.starts_with("ssh-ed25519 ") {
            let kind = key.split(' ').next().unwrap_or_default();
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("Azure does not support SSH keys of type {kind:?}"),
            )
            .with_hint("use an RSA key of 2048 bits or more, or an Ed25519 key"));
        }
        let group = group(cx);
        let tags = labels(cx, []);
        cx.add(name, SshPublicKey { group, public_key: key, tags });
        Ok(())
    }
}
