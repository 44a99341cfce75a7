//! `pki/private/<name>/keyset.yaml`, in kOps' format (`kops.k8s.io/v1alpha2`, kind `Keyset`).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use x509_cert::Certificate;
use x509_cert::der::pem::LineEnding;
use x509_cert::der::{DecodePem as _, EncodePem as _};

use crate::error::{Error, Result};

/// A keyset.
#[derive(Clone, Debug)]
pub struct Keyset {
    primary: String,
    keys: Vec<Key>,
}

/// One key of a keyset.
#[derive(Clone)]
pub struct Key {
    /// Its id: the certificate's serial number in decimal.
    pub id: String,
    /// The certificate, PEM.
    pub certificate: String,
    /// The private key, PEM; absent if an external authority has it.
    pub private: Option<String>,
    distrusted: bool,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Document {
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(rename = "primaryID")]
    primary_id: String,
    keys: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: String,
    #[serde(default)]
    public_material: String,
    #[serde(default)]
    private_material: String,
    #[serde(default)]
    distrust_timestamp: Option<serde_json::Value>,
}

impl Keyset {
    /// Reads a keyset.
    ///
    /// # Errors
    /// If it is not a keyset. The message never quotes it.
    pub fn parse(yaml: &[u8]) -> Result<Self> {
        let doing = "reading a keyset";
        // Not the parser's own message, which quotes the line.
        let wrong = || Error::invalid(doing, "it is not in kOps' format");
        let text = std::str::from_utf8(yaml).map_err(|_| wrong())?;
        let document: Document = serde_saphyr::from_str(text).map_err(|_| wrong())?;
        let decode = |text: &str| {
            let bytes = STANDARD.decode(text.split_whitespace().collect::<String>()).map_err(|_| wrong())?;
            let mut text = String::from_utf8(bytes).map_err(|_| wrong())?;
            if !text.ends_with('\n') {
                text.push('\n');
            }
            Ok(text)
        };
        let mut keys = Vec::new();
        for item in document.spec.keys {
            let private =
                (!item.private_material.is_empty()).then(|| decode(&item.private_material)).transpose()?;
            keys.push(Key {
                id: item.id,
                certificate: decode(&item.public_material)?,
                private,
                distrusted: item.distrust_timestamp.is_some_and(|it| !it.is_null()),
            });
        }
        Ok(Self { primary: document.spec.primary_id, keys })
    }

    /// The primary key, which signs.
    ///
    /// # Errors
    /// If the keyset has none.
    pub fn primary(&self) -> Result<&Key> {
        self.trusted().find(|it| it.id == self.primary).ok_or_else(|| {
            Error::invalid("reading a keyset", format!("its primary key {} is missing", self.primary))
        })
    }

    /// The keys that are trusted.
    pub fn trusted(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(|it| !it.distrusted)
    }
}

impl Key {
    /// The public key of the certificate, PEM (`PUBLIC KEY`).
    ///
    /// # Errors
    /// If the certificate cannot be read.
    pub fn public_key(&self) -> Result<String> {
        let wrong =
            |e: x509_cert::der::Error| Error::invalid("reading a keyset's certificate", e.to_string());
        let certificate = Certificate::from_pem(&self.certificate).map_err(wrong)?;
        certificate.tbs_certificate().subject_public_key_info().to_pem(LineEnding::LF).map_err(wrong)
    }
}
