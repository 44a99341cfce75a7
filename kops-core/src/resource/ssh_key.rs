//! SSH keys.

use serde::{Deserialize, Serialize};

use super::Resource;

/// A public key with which people log in to machines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SshKey {
    /// The key in OpenSSH's format, `ssh-ed25519 AAAA… comment`.
    pub public_key: String,
}

impl SshKey {
    /// A public key in OpenSSH's format.
    pub fn new(public_key: impl Into<String>) -> Self {
        Self { public_key: public_key.into() }
    }
}

impl Resource for SshKey {
    const KIND: &'static str = "SshKey";
    type Resolved = Self;
}
