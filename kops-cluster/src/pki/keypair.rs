//! A certificate with its private key.

use jiff::Timestamp;

use super::certificate::Certificate;
use super::client::Client;
use super::issue;
use super::private_key::PrivateKey;
use kops_core::{Error, Result};

/// A certificate, its private key unless that is elsewhere, and its place in a keyset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keypair {
    pub(super) id: String,
    pub(super) certificate: Certificate,
    pub(super) private: Option<PrivateKey>,
    pub(super) distrusted: Option<Timestamp>,
}

impl Keypair {
    /// Creates an authority that signs itself: ECDSA P-256, ten years, as `CN=<name>`.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn generate(name: &str, now: Timestamp) -> Result<Self> {
        Self::self_signed(name, PrivateKey::generate()?, now)
    }

    /// Creates an authority that signs itself, with a private key that is there.
    ///
    /// # Errors
    /// `Invalid` or `Unsupported` if the key cannot be used.
    pub fn self_signed(name: &str, key: PrivateKey, now: Timestamp) -> Result<Self> {
        let certificate = issue::authority(name, &key, now)?;
        Ok(Self::of(certificate, Some(key)))
    }

    /// An authority that is there, for example an enterprise's; without its private key it is trusted, but cannot
    /// sign.
    ///
    /// # Errors
    /// `Invalid` if it is not an authority's certificate, or the key is that of another one.
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
                .with_hint("specify the two that belong together"));
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
                "{} cannot sign: its private key is elsewhere",
                self.certificate.subject()
            ))
            .with_hint("have the certificate signed where the private key is")
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

    /// The private key, unless it is elsewhere.
    pub fn private_key(&self) -> Option<&PrivateKey> {
        self.private.as_ref()
    }

    /// Since when it is not trusted any more.
    pub fn distrusted(&self) -> Option<Timestamp> {
        self.distrusted
    }
}
