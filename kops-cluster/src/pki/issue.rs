//! Signing certificates.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use ring::rand::{SecureRandom as _, SystemRandom};
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder as _, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::der::asn1::{Any, GeneralizedTime};
use x509_cert::der::oid::db::{rfc4519, rfc5280};
use x509_cert::der::{self, Encode as _, Tag};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, ToExtension as _};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{ObjectIdentifier, SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};

use super::certificate::Certificate;
use super::client::Client;
use super::private_key::PrivateKey;
use super::signing::{Signature, Signing};
use kops_core::{Error, Result};

/// How long ago the validity of new certificates begins, for machines whose clocks are behind; kOps' value.
const BACKDATED: Duration = Duration::from_hours(48);
/// How long authorities are valid; kOps' value.
const AUTHORITY: Duration = Duration::from_hours(10 * 365 * 24);

/// A serial number like kOps': nanoseconds, then 32 random bits, so that later keys have higher numbers.
pub(super) fn serial(now: Timestamp) -> Result<u128> {
    let mut random = [0; 4];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| Error::internal("the system cannot create random numbers"))?;
    let time = u128::try_from(now.as_nanosecond()).unwrap_or_default();
    Ok(time << 32 | u128::from(u32::from_be_bytes(random)))
}

/// A self-signed certificate of an authority.
pub(super) fn authority(name: &str, key: &PrivateKey, now: Timestamp) -> Result<Certificate> {
    let (key, serial) = (key.signing()?, serial(now)?);
    // With the number, as in kOps, because generations of an authority are distinguished by their subjects.
    let subject = subject(&[
        (rfc4519::SERIAL_NUMBER, Tag::PrintableString, &serial.to_string()),
        (rfc4519::CN, Tag::Utf8String, name),
    ]);
    let profile = Profile { subject: subject?, signer: None };
    build(profile, serial, now, AUTHORITY, key.public().clone(), &key)
}

/// The certificate of a client, signed by an authority.
pub(super) fn client(
    client: &Client,
    key: &PrivateKey,
    signer: (&Certificate, &PrivateKey),
    now: Timestamp,
) -> Result<Certificate> {
    let mut attributes: Vec<_> =
        client.groups.iter().map(|group| (rfc4519::O, Tag::Utf8String, group.as_str())).collect();
    attributes.push((rfc4519::CN, Tag::Utf8String, &client.user));
    let profile = Profile { subject: subject(&attributes)?, signer: Some(signer.0) };
    let public = key.signing()?.public().clone();
    build(profile, serial(now)?, now, client.lifetime, public, &signer.1.signing()?)
}

/// The content of a certificate besides its key: an authority's without a signer, a client's with one.
struct Profile<'a> {
    subject: Name,
    signer: Option<&'a Certificate>,
}

impl BuilderProfile for Profile<'_> {
    fn get_issuer(&self, subject: &Name) -> Name {
        // Byte by byte the signer's own subject: that is what verifiers compare.
        self.signer.map_or_else(|| subject.clone(), |it| it.name().clone())
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        key: SubjectPublicKeyInfoRef<'_>,
        _signer: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        let mut all = Vec::new();
        let subject = tbs.subject();
        let authority = self.signer.is_none();
        let usage = if authority {
            KeyUsages::KeyCertSign | KeyUsages::CRLSign
        } else {
            KeyUsages::DigitalSignature.into()
        };
        all.push(KeyUsage(usage).to_extension(subject, &all)?);
        all.push(BasicConstraints { ca: authority, path_len_constraint: None }.to_extension(subject, &all)?);
        let Some(signer) = self.signer else {
            all.push(SubjectKeyIdentifier::try_from(key)?.to_extension(subject, &all)?);
            return Ok(all);
        };
        all.push(ExtendedKeyUsage(vec![rfc5280::ID_KP_CLIENT_AUTH]).to_extension(subject, &all)?);
        if let Some(SubjectKeyIdentifier(id)) = signer.key_identifier() {
            let id = AuthorityKeyIdentifier { key_identifier: Some(id), ..Default::default() };
            all.push(id.to_extension(subject, &all)?);
        }
        Ok(all)
    }
}

fn build(
    profile: Profile<'_>,
    serial: u128,
    now: Timestamp,
    lifetime: Duration,
    public: SubjectPublicKeyInfoOwned,
    signer: &Signing,
) -> Result<Certificate> {
    let failed =
        |error: builder::Error| Error::internal(format!("the certificate cannot be created: {error}"));
    let validity = Validity::new(time(now.checked_sub(BACKDATED))?, time(now.checked_add(lifetime))?);
    let serial = serial.to_be_bytes();
    let serial = SerialNumber::new(&serial).map_err(|it| failed(it.into()))?;
    let certificate = CertificateBuilder::new(profile, serial, validity, public)
        .and_then(|it| it.build::<_, Signature>(signer))
        .map_err(failed)?;
    Certificate::new(certificate)
}

/// A time as encoded in certificates.
fn time(moment: Result<Timestamp, jiff::Error>) -> Result<Time> {
    let wrong = || {
        Error::invalid("the certificate would expire after the year 9999").with_hint("shorten its lifetime")
    };
    let seconds = moment.map_err(|_| wrong())?.as_second();
    let since = Duration::from_secs(u64::try_from(seconds).map_err(|_| wrong())?);
    Ok(Time::GeneralTime(GeneralizedTime::from_unix_duration(since).map_err(|_| wrong())?))
}

/// A distinguished name. The values are written in hexadecimal, so that none has to be escaped.
fn subject(attributes: &[(ObjectIdentifier, Tag, &str)]) -> Result<Name> {
    let failed = |error: der::Error| {
        Error::invalid(format!("the certificate's subject cannot be written: {error}"))
            .with_hint("shorten the name of the user or group")
    };
    // In reverse order, as RFC 4514 requires.
    let mut text = String::new();
    for (oid, tag, value) in attributes.iter().rev() {
        let value = Any::new(*tag, value.as_bytes()).and_then(|it| it.to_der()).map_err(failed)?;
        let separator = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{separator}{oid}=#");
        for byte in value {
            let _ = write!(text, "{byte:02x}");
        }
    }
    text.parse().map_err(failed)
}
