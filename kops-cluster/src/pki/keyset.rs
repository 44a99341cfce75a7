//! The generations of a key pair.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{Timestamp, Unit};
use num_bigint::BigUint;
use zeroize::Zeroizing;

use super::certificate::Certificate;
use super::issue;
use super::keypair::Keypair;
use super::private_key::PrivateKey;
use crate::spec::{self, KeyItem, KeysetSpec, KeysetType, ObjectMeta, SecretText};
use kops_core::{Error, ErrorKind, Result};

/// A keyset: one key pair that signs, and others that are trusted, or were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyset {
    name: String,
    /// By id, oldest first.
    keypairs: Vec<Keypair>,
    /// The index of the primary one.
    primary: usize,
}

/// Whether a keyset of this name can have more key pairs: authorities, and the key of service accounts. kOps'
/// rule.
pub fn is_rotatable(name: &str) -> bool {
    name == super::SERVICE_ACCOUNT || name.contains("-ca")
}

impl Keyset {
    /// Creates a keyset with a new self-signed authority.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn generate(name: &str, now: Timestamp) -> Result<Self> {
        Self::new(name, Keypair::generate(name, now)?)
    }

    /// A keyset of one key pair, which is primary.
    ///
    /// # Errors
    /// `Invalid` if it has no private key.
    pub fn new(name: &str, keypair: Keypair) -> Result<Self> {
        let keyset = Self { name: name.to_owned(), keypairs: vec![keypair], primary: 0 };
        keyset.may_sign(0)?;
        Ok(keyset)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key pair that signs.
    pub fn primary(&self) -> &Keypair {
        &self.keypairs[self.primary]
    }

    /// All key pairs, oldest first.
    pub fn keypairs(&self) -> &[Keypair] {
        &self.keypairs
    }

    /// Those that are trusted: the primary first, then the others, oldest first.
    pub fn trusted(&self) -> impl Iterator<Item = &Keypair> {
        let others = self.keypairs.iter().enumerate().filter(|(at, _)| *at != self.primary);
        std::iter::once(self.primary()).chain(others.map(|(_, it)| it).filter(|it| it.distrusted.is_none()))
    }

    /// All trusted certificates, as PEM, the primary's first.
    pub fn bundle(&self) -> String {
        self.trusted().map(|it| it.certificate().pem()).collect()
    }

    /// Adds a key pair, as primary or as trusted, and returns its id: the serial number of its certificate if
    /// that is higher than all ids, a new number otherwise.
    ///
    /// # Errors
    /// `Invalid` if it is to be primary and has no private key; `AlreadyExists` if the keyset has it already.
    pub fn add(&mut self, mut keypair: Keypair, primary: bool, now: Timestamp) -> Result<&str> {
        if let Some(known) = self.keypairs.iter().find(|it| it.certificate == keypair.certificate) {
            let message =
                format!("keyset {} has this certificate already, with the id {}", self.name, known.id);
            return Err(Error::new(ErrorKind::AlreadyExists, message).with_hint("promote it to use it"));
        }
        let highest =
            self.keypairs.iter().filter_map(|it| it.id.parse::<BigUint>().ok()).max().unwrap_or_default();
        let own = BigUint::from_bytes_be(keypair.certificate.serial());
        let fresh = BigUint::from(issue::serial(now)?);
        let id = [own, fresh].into_iter().find(|it| *it > highest).unwrap_or(highest + 1u8);
        keypair.id = id.to_string();
        self.keypairs.push(keypair);
        let at = self.keypairs.len() - 1;
        if primary {
            if let Err(error) = self.may_sign(at) {
                self.keypairs.pop();
                return Err(error);
            }
            self.primary = at;
        }
        Ok(&self.keypairs[at].id)
    }

    /// Reads a keyset from its document.
    ///
    /// # Errors
    /// `Invalid` if it has no primary key, or a certificate or key cannot be read. The error does not quote
    /// them.
    pub fn from_document(document: &spec::Keyset) -> Result<Self> {
        let name = &document.metadata.name;
        let wrong = |what: String| {
            Error::invalid(format!("keyset {name}: {what}"))
                .with_hint("restore it from a backup of the state store")
        };
        let mut keypairs = document
            .spec
            .keys
            .iter()
            .map(keypair)
            .collect::<Result<Vec<_>>>()
            .map_err(|error| wrong(error.message().to_owned()))?;
        keypairs.sort_by_cached_key(|it| it.id.parse::<BigUint>().unwrap_or_default());
        let primary = document.spec.primary_id.as_deref().unwrap_or_default();
        let at = keypairs.iter().position(|it| it.id == primary && it.distrusted.is_none());
        let primary =
            at.ok_or_else(|| wrong(format!("its primary key {primary:?} is missing or distrusted")))?;
        Ok(Self { name: name.clone(), keypairs, primary })
    }

    /// Its document, private keys included.
    pub fn document(&self) -> spec::Keyset {
        let item = |it: &Keypair| KeyItem {
            id: it.id.clone(),
            distrust_timestamp: it.distrusted.map(|at| at.round(Unit::Second).unwrap_or(at).to_string()),
            public_material: Some(STANDARD.encode(it.certificate.pem())),
            private_material: it.private.as_ref().map(|key| SecretText::new(STANDARD.encode(key.reveal()))),
            ..KeyItem::default()
        };
        spec::Keyset {
            metadata: ObjectMeta::named(&self.name),
            spec: KeysetSpec {
                r#type: Some(KeysetType::Keypair),
                primary_id: Some(self.primary().id.clone()),
                keys: self.keypairs.iter().map(item).collect(),
                ..KeysetSpec::default()
            },
            ..spec::Keyset::default()
        }
    }

    fn may_sign(&self, at: usize) -> Result<()> {
        let keypair = &self.keypairs[at];
        if keypair.private.is_some() {
            return Ok(());
        }
        let subject = keypair.certificate.subject();
        Err(Error::invalid(format!(
            "{subject} cannot be the primary key of keyset {}: it has no private key",
            self.name
        ))
        .with_hint("specify its private key, or add it without making it primary"))
    }
}

fn keypair(item: &KeyItem) -> Result<Keypair> {
    let text = |material: &str| {
        let bytes = STANDARD.decode(material.split_ascii_whitespace().collect::<String>()).ok();
        bytes
            .and_then(|it| String::from_utf8(it).ok())
            .map(Zeroizing::new)
            .ok_or_else(|| Error::invalid(format!("its key {} is not base64 of PEM", item.id)))
    };
    let certificate = Certificate::from_pem(&text(item.public_material.as_deref().unwrap_or_default())?)
        .map_err(|error| Error::invalid(format!("its key {}: {}", item.id, error.message())))?;
    let private = item.private_material.as_ref().map(|it| it.reveal()).filter(|it| !it.is_empty());
    let private = private.map(|it| PrivateKey::from_pem(&text(it)?)).transpose()?;
    let distrusted = item.distrust_timestamp.as_deref().map(|at| {
        at.parse().map_err(|_| Error::invalid(format!("its key {}: {at:?} is not a time", item.id)))
    });
    Ok(Keypair { id: item.id.clone(), certificate, private, distrusted: distrusted.transpose()? })
}
