//! Secrets in the store: kOps' `secrets/<name>`, which machines read with their identity.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{ClusterStore, SECRETS};
use kops_core::store::{Precondition, StoreKey};
use kops_core::{Error, ErrorKind, Result};

/// A secret: bytes that neither `Debug` nor messages show, and that are overwritten when they are dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretData(Zeroizing<Vec<u8>>);

impl SecretData {
    /// Wraps bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes themselves.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretData(…)")
    }
}

/// kOps' document.
#[derive(Serialize, Deserialize)]
struct Document {
    #[serde(rename = "Data")]
    data: String,
}

impl ClusterStore {
    /// The names of the cluster's secrets.
    ///
    /// # Errors
    /// Any error of the store.
    pub async fn secrets(&self) -> Result<Vec<String>> {
        let listed = self.store.list(&self.at.cluster.join(SECRETS)?, None).await?;
        Ok(listed.iter().map(|entry| entry.key.name().to_owned()).collect())
    }

    /// A secret.
    ///
    /// # Errors
    /// `NotFound` if there is none of that name; `Invalid` if it cannot be read. No error quotes it.
    pub async fn secret(&self, name: &str) -> Result<SecretData> {
        let key = self.secret_at(name)?;
        let object = self.store.get(&key).await?;
        let object =
            object.ok_or_else(|| Error::not_found(format!("cluster {} has no secret {name}", self.name)))?;
        let document = serde_json::from_slice::<Document>(&object.bytes).ok();
        let data =
            document.map(|it| Zeroizing::new(it.data)).and_then(|it| STANDARD.decode(it.as_bytes()).ok());
        data.map(SecretData::new).ok_or_else(|| {
            Error::invalid(format!("{}/{key} is not a secret in kOps' format", self.store.location()))
                .with_hint("create it again with --force")
        })
    }

    /// Writes a secret; an existing one is only replaced if `replace` is set.
    ///
    /// # Errors
    /// `AlreadyExists` if there is one of that name.
    pub async fn put_secret(&self, name: &str, data: &SecretData, replace: bool) -> Result<()> {
        let document = Document { data: STANDARD.encode(data.reveal()) };
        let bytes = serde_json::to_vec(&document)
            .map_err(|error| Error::internal("a secret cannot be written").with_source(error))?;
        let condition = if replace { Precondition::Any } else { Precondition::Absent };
        match self.store.put(&self.secret_at(name)?, bytes, condition).await {
            Err(error) if error.kind() == ErrorKind::Conflict => Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("cluster {} has a secret {name} already", self.name),
            )
            .with_hint("replace it with --force")),
            outcome => outcome.map(drop),
        }
    }

    fn secret_at(&self, name: &str) -> Result<StoreKey> {
        if name.is_empty() || name.contains('/') {
            let message = format!("`{}` is not a valid name of a secret", name.escape_debug());
            return Err(Error::invalid(message).with_hint("use a name such as encryptionconfig"));
        }
        self.at.cluster.join(SECRETS)?.key(name)
    }
}
