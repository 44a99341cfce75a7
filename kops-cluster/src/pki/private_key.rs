//! A private key, which is never shown.

use std::fmt;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use x509_cert::der::pem::{LineEnding, encode_string};
use zeroize::Zeroizing;

use super::signing::{EC_LABEL, PKCS8_LABEL, RSA_LABEL, Signing};
use kops_core::{Error, Result};

/// A private key: PEM that neither `Debug` nor messages show, and that is overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey(Zeroizing<String>);

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

impl PrivateKey {
    /// Creates an ECDSA P-256 key.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn generate() -> Result<Self> {
        let failed = || Error::internal("the system cannot create a private key");
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
            .map_err(|_| failed())?;
        let pem = encode_string(PKCS8_LABEL, LineEnding::LF, pkcs8.as_ref()).map_err(|_| failed())?;
        Ok(Self(Zeroizing::new(pem)))
    }

    /// Takes the first private key of a PEM text: `PRIVATE KEY`, `EC PRIVATE KEY` or `RSA PRIVATE KEY`.
    ///
    /// # Errors
    /// `Invalid` if there is none; the error does not quote the text.
    pub fn from_pem(text: &str) -> Result<Self> {
        let block = [PKCS8_LABEL, EC_LABEL, RSA_LABEL].into_iter().find_map(|label| block(text, label));
        let block = block.ok_or_else(|| {
            let why = if text.contains("ENCRYPTED") {
                "the private key is encrypted"
            } else {
                "the text is not a private key"
            };
            Error::invalid(why).with_hint(
                "use a PEM file that begins with -----BEGIN PRIVATE KEY-----; `openssl pkey -in FILE` writes one",
            )
        })?;
        Ok(Self(Zeroizing::new(format!("{block}\n"))))
    }

    /// The key as PEM.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The key, ready to sign.
    pub(super) fn signing(&self) -> Result<Signing> {
        Signing::from_pem(&self.0)
    }
}

/// A block of a PEM text, which may contain other blocks and text.
fn block<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let from = text.find(&begin)?;
    let until = from + text[from..].find(&end)? + end.len();
    Some(&text[from..until])
}
