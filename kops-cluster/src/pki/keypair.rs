//! A certificate with its private key.

use jiff::Timestamp;

use super::certificate::Certificate;
use super::client::Client;
use super::issue;
use super::private_key::PrivateKey;
use kops_core::{Error, Result};

/// A certificate, its private key if it is available, and its place in a keyset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keypair {
    pub(super) id: String,
    pub(super) certificate: Certificate,
    pub(super) private: Option<PrivateKey>,
    pub(super) distrusted: Option<Timestamp>,
}

impl Keypair {
    /// Creates a self-signed authority: ECDSA P-256, ten years, subject `CN=<name>`.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn generate(name: &str, now: Timestamp) -> Result<Self> {
        Self::self_signed(name, PrivateKey::generate()?, now)
    }

    /// Creates a self-signed authority with an existing private key.
    ///
    /// # Errors
    /// `Invalid` or `Unsupported` if the key cannot be used.
    pub fn self_signed(name: &str, key: PrivateKey, now: Timestamp) -> Result<Self> {
        let certificate = issue::authority(name, &key, now)?;
        Ok(Self::of(certificate, Some(key)))
    }

    /// An existing authority, for example a company's; without its private key it is trusted, but cannot
    /// sign.
    ///
    /// # Errors
    /// `Invalid` if it is not an authority's certificate, or the private key does not match it.
    pub fn existing(certificate: Certificate, key: Option<PrivateKey>) -> Result<Self> {
        if !certificate.is_authority() {
            return Err(Error::invalid(format!(
                "the certificate {} is not an authority's",
                certificate.subject()
            ))
            .with_hint("use one with the basic constraint CA:TRUE"));
        }
        if let Some(key) = &key
            && key.signing()?.public().subject_public_key != certificate.public_key().subject_public_key
        {
            let subject = certificate.subject();
            return Err(Error::invalid(format!("the private key is not that of the certificate {subject}"))
                .with_hint("specify the private key of this certificate"));
        }
        Ok(Self::of(certificate, key))
    }

    fn of(certificate: Certificate, private: Option<PrivateKey>) -> Self {
        let id = num_bigint::BigUint::from_bytes_be(certificate.serial()).to_string();
        Self { id, certificate, private, distrusted: None }
    }

    /// Creates a client's key, and signs its certificate.
    ///
    /// # Errors
    /// `Invalid` if the authority's private key is elsewhere.
    pub fn sign(&self, client: &Client, now: Timestamp) -> Result<Self> {
        let signer = self.private.as_ref().ok_or_else(|| {
            Error::invalid(format!(
                "{} cannot sign: its private key is not available here",
                self.certificate.subject()
            ))
            .with_hint("sign the certificate where the private key is")
        })?;
        let key = PrivateKey::generate()?;
        let certificate = issue::client(client, &key, (&self.certificate, signer), now)?;
        Ok(Self::of(certificate, Some(key)))
    }

    /// The id in its keyset: a number in decimal, higher for later ones.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The private key, if it is available.
    pub fn private_key(&self) -> Option<&PrivateKey> {
        self.private.as_ref()
    }

    /// Since when it is no longer trusted.
    pub fn distrusted(&self) -> Option<Timestamp> {
        self.distrusted
    }
}
