//! A certificate, as it is stored: PEM.

use std::fmt;

use jiff::Timestamp;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::pem::LineEnding;
use x509_cert::der::{Decode, EncodePem as _};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, SubjectAltName, SubjectKeyIdentifier};
use x509_cert::name::Name;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::Time;

use kops_core::{Error, Result};

/// A certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    parsed: Box<x509_cert::Certificate>,
    pem: String,
}

/// Only the subject, which identifies it.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.subject())
    }
}

impl Certificate {
    /// Reads the first certificate of a PEM text.
    ///
    /// # Errors
    /// `Invalid` if there is none.
    pub fn from_pem(text: &str) -> Result<Self> {
        let wrong = |why: String| {
            Error::invalid(format!("the text is not a certificate: {why}"))
                .with_hint("use a PEM file that begins with -----BEGIN CERTIFICATE-----")
        };
        let begin = text.find("-----BEGIN CERTIFICATE-----");
        let begin = begin.ok_or_else(|| wrong("it has no line -----BEGIN CERTIFICATE-----".to_owned()))?;
        let chain = x509_cert::Certificate::load_pem_chain(&text.as_bytes()[begin..]);
        let first = chain.map_err(|error| wrong(error.to_string()))?.into_iter().next();
        Self::new(first.ok_or_else(|| wrong("it is empty".to_owned()))?)
    }

    pub(super) fn new(parsed: x509_cert::Certificate) -> Result<Self> {
        let pem = parsed
            .to_pem(LineEnding::LF)
            .map_err(|error| Error::internal("a certificate cannot be written as PEM").with_source(error))?;
        Ok(Self { parsed: Box::new(parsed), pem })
    }

    /// The certificate as PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The subject, for example `CN=kubernetes-ca`.
    pub fn subject(&self) -> String {
        self.name().to_string()
    }

    /// The issuer.
    pub fn issuer(&self) -> String {
        self.parsed.tbs_certificate().issuer().to_string()
    }

    /// The DNS names, addresses and e-mail addresses that it is for, sorted.
    pub fn alternate_names(&self) -> Vec<String> {
        let names = self.extension::<SubjectAltName>().map(|it| it.0).unwrap_or_default();
        let mut names: Vec<String> = names.iter().filter_map(alternate_name).collect();
        names.sort_unstable();
        names
    }

    /// Whether it is an authority's.
    pub fn is_authority(&self) -> bool {
        self.extension::<BasicConstraints>().is_some_and(|it| it.ca)
    }

    /// The start of its validity.
    pub fn not_before(&self) -> Timestamp {
        timestamp(self.parsed.tbs_certificate().validity().not_before)
    }

    /// The end of its validity.
    pub fn not_after(&self) -> Timestamp {
        timestamp(self.parsed.tbs_certificate().validity().not_after)
    }

    /// The bytes of its serial number, highest first.
    pub(super) fn serial(&self) -> &[u8] {
        self.parsed.tbs_certificate().serial_number().as_bytes()
    }

    pub(super) fn name(&self) -> &Name {
        self.parsed.tbs_certificate().subject()
    }

    pub(super) fn public_key(&self) -> &SubjectPublicKeyInfoOwned {
        self.parsed.tbs_certificate().subject_public_key_info()
    }

    /// The identifier of its key, which certificates that it signs have to name.
    pub(super) fn key_identifier(&self) -> Option<SubjectKeyIdentifier> {
        self.extension()
    }

    /// An extension; an unreadable one is treated as absent, because verifiers decide about it.
    fn extension<'a, T: Decode<'a> + AssociatedOid>(&'a self) -> Option<T> {
        let all = self.parsed.tbs_certificate().extensions()?;
        let found = all.iter().find(|it| it.extn_id == T::OID)?;
        T::from_der(found.extn_value.as_bytes()).ok()
    }
}

fn alternate_name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(text) | GeneralName::Rfc822Name(text) => Some(text.as_str().to_owned()),
        GeneralName::IpAddress(bytes) => match bytes.as_bytes() {
            [a, b, c, d] => Some(std::net::Ipv4Addr::new(*a, *b, *c, *d).to_string()),
            long => <[u8; 16]>::try_from(long).ok().map(|it| std::net::Ipv6Addr::from(it).to_string()),
        },
        _ => None,
    }
}

/// Certificates expire before the year 10000, so this fits.
fn timestamp(time: Time) -> Timestamp {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}
