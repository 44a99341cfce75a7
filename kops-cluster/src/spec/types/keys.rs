//! Keys: users' SSH keys, and the key pairs in the state store.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::spec::meta::ObjectMeta;
use crate::spec::schema::{Schema, Shape, choice, spec};

spec! {
    /// A public SSH key that may log in to the machines.
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
        /// The type of the keys.
        r#type: Option<KeysetType> => "type",
        /// The id of the key in use.
        primary_id: Option<String> => "primaryID",
        /// All keys.
        keys: Vec<KeyItem> => "keys",
    }
}

choice! {
    /// The type of a set's keys.
    pub enum KeysetType {
        /// A certificate and its private key.
        Keypair => "Keypair",
        /// Secrets without a public part.
        Secret => "Secret",
    }
}

spec! {
    /// One generation of a key pair.
    pub struct KeyItem {
        /// The serial number of the certificate, in decimal.
        id: String => "id",
        /// When it became distrusted, as RFC 3339.
        distrust_timestamp: Option<String> => "distrustTimestamp",
        /// The certificate, as base64 of PEM.
        public_material: Option<String> => "publicMaterial",
        /// The private key, as base64 of PEM.
        private_material: Option<SecretText> => "privateMaterial",
    }
}

/// Text that neither `Debug` nor messages show.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(String);

impl SecretText {
    /// Wraps a secret text.
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
