//! SSH keys.

use serde::{Deserialize, Serialize};

use super::Resource;

/// A public SSH key for logging in to machines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SshKey {
    /// The key in OpenSSH format, `ssh-ed25519 AAAA… comment`.
    pub public_key: String,
}

impl SshKey {
    /// A public key in OpenSSH format.
    pub fn new(public_key: impl Into<String>) -> Self {
        Self { public_key: public_key.into() }
    }
}

impl Resource for SshKey {
    const KIND: &'static str = "SshKey";
    type Resolved = Self;
}
