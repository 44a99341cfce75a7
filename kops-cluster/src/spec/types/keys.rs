//! Keys: SSH keys of users, and the key pairs that the state store keeps.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::spec::meta::ObjectMeta;
use crate::spec::schema::{Schema, Shape, choice, spec};

spec! {
    /// A public SSH key that opens the machines.
    pub struct SshCredential {
        /// Name, labels and history; the name is `admin`.
        metadata: ObjectMeta => "metadata",
        /// The key.
        spec: SshCredentialSpec => "spec",
    }
}

spec! {
    /// A public SSH key.
    pub struct SshCredentialSpec {
        /// The key, as a line of `authorized_keys`.
        public_key: String => "publicKey",
    }
}

spec! {
    /// The generations of a key pair, in the state store.
    pub struct Keyset {
        /// Name, labels and history.
        metadata: ObjectMeta => "metadata",
        /// The key pairs.
        spec: KeysetSpec => "spec",
    }
}

spec! {
    /// The generations of a key pair.
    pub struct KeysetSpec {
        /// What the keys are.
        r#type: Option<KeysetType> => "type",
        /// The one in use.
        primary_id: Option<String> => "primaryID",
        /// All of them.
        keys: Vec<KeyItem> => "keys",
    }
}

choice! {
    /// What the keys of a set are.
    pub enum KeysetType {
        /// A certificate and its private key.
        Keypair => "Keypair",
        /// Nothing in public.
        Secret => "Secret",
    }
}

spec! {
    /// One generation of a key pair.
    pub struct KeyItem {
        /// The serial number of the certificate, in decimal.
        id: String => "id",
        /// Since when it is not trusted any more, as RFC 3339.
        distrust_timestamp: Option<String> => "distrustTimestamp",
        /// The certificate, as base64 of PEM.
        public_material: Option<String> => "publicMaterial",
        /// The private key, as base64 of PEM.
        private_material: Option<SecretText> => "privateMaterial",
    }
}

/// Text that is never shown: neither by `Debug` nor in messages.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(String);

impl SecretText {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

impl Schema for SecretText {
    const SHAPE: &'static Shape = &Shape::Secret;
}
