//! Private keys that sign certificates: ring's, behind the traits of `x509-cert`.

use std::fmt;

use pkcs8::PrivateKeyInfoRef;
use ring::error::KeyRejected;
use ring::rand::SystemRandom;
use ring::rsa;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
    RSA_PKCS1_SHA256,
};
use sec1::EcPrivateKey;
use signature::{Keypair, Signer};
use x509_cert::der::asn1::{Any, BitString, Null, ObjectIdentifier};
use x509_cert::der::oid::db::rfc5912;
use x509_cert::der::pem::decode_vec;
use x509_cert::der::{self, Decode as _, Document, Encode as _};
use x509_cert::spki::{
    self, AlgorithmIdentifierOwned, DynSignatureAlgorithmIdentifier, EncodePublicKey,
    SignatureBitStringEncoding, SubjectPublicKeyInfoOwned,
};
use zeroize::Zeroizing;

use kops_core::{Error, Result};

pub(super) const PKCS8_LABEL: &str = "PRIVATE KEY";
pub(super) const EC_LABEL: &str = "EC PRIVATE KEY";
pub(super) const RSA_LABEL: &str = "RSA PRIVATE KEY";

/// A private key with its public key.
pub(super) struct Signing {
    secret: Secret,
    signs_as: AlgorithmIdentifierOwned,
    public: Public,
}

enum Secret {
    Ecdsa(Box<EcdsaKeyPair>),
    Rsa(Box<rsa::KeyPair>),
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signing(…)")
    }
}

impl Signing {
    /// Reads PKCS#8, SEC 1 and PKCS#1, the formats that openssl, Go and kOps write.
    pub(super) fn from_pem(pem: &str) -> Result<Self> {
        let (label, der) = decode_vec(pem.as_bytes()).map_err(|_| unreadable())?;
        let der = Zeroizing::new(der);
        match label {
            RSA_LABEL => Self::rsa(&der),
            EC_LABEL => Self::ecdsa(&der, None),
            PKCS8_LABEL => {
                let key = PrivateKeyInfoRef::from_der(&der).map_err(|_| unreadable())?;
                match key.algorithm.oid {
                    rfc5912::RSA_ENCRYPTION => Self::rsa(key.private_key.as_bytes()),
                    rfc5912::ID_EC_PUBLIC_KEY => {
                        let curve = key.algorithm.parameters_oid().map_err(|_| unreadable())?;
                        Self::ecdsa(key.private_key.as_bytes(), Some(curve))
                    }
                    other => Err(unsupported(other)),
                }
            }
            _ => Err(unreadable()),
        }
    }

    fn rsa(pkcs1: &[u8]) -> Result<Self> {
        let pair = rsa::KeyPair::from_der(pkcs1).map_err(rejected)?;
        let null = || Some(Any::from(Null));
        let public = Public::new(
            AlgorithmIdentifierOwned { oid: rfc5912::RSA_ENCRYPTION, parameters: null() },
            pair.public().as_ref(),
        )?;
        let signs_as =
            AlgorithmIdentifierOwned { oid: rfc5912::SHA_256_WITH_RSA_ENCRYPTION, parameters: null() };
        Ok(Self { secret: Secret::Rsa(Box::new(pair)), signs_as, public })
    }

    fn ecdsa(sec1: &[u8], curve: Option<ObjectIdentifier>) -> Result<Self> {
        let key = EcPrivateKey::from_der(sec1).map_err(|_| unreadable())?;
        let curve = curve.or_else(|| key.parameters?.named_curve()).ok_or_else(unreadable)?;
        let (algorithm, signs_as) = match curve {
            rfc5912::SECP_256_R_1 => (&ECDSA_P256_SHA256_ASN1_SIGNING, rfc5912::ECDSA_WITH_SHA_256),
            rfc5912::SECP_384_R_1 => (&ECDSA_P384_SHA384_ASN1_SIGNING, rfc5912::ECDSA_WITH_SHA_384),
            other => return Err(unsupported(other)),
        };
        let point = key.public_key.ok_or_else(|| {
            Error::invalid("the private key lacks its public part")
                .with_hint("convert it with `openssl pkey -in FILE`")
        })?;
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, key.private_key, point, &random)
            .map_err(rejected)?;
        let public = Public::new(
            AlgorithmIdentifierOwned { oid: rfc5912::ID_EC_PUBLIC_KEY, parameters: Some(Any::from(&curve)) },
            pair.public_key().as_ref(),
        )?;
        let signs_as = AlgorithmIdentifierOwned { oid: signs_as, parameters: None };
        Ok(Self { secret: Secret::Ecdsa(Box::new(pair)), signs_as, public })
    }

    /// The public key.
    pub(super) fn public(&self) -> &SubjectPublicKeyInfoOwned {
        &self.public.0
    }
}

/// A public key, for the traits.
#[derive(Clone)]
pub(super) struct Public(SubjectPublicKeyInfoOwned);

impl Public {
    fn new(algorithm: AlgorithmIdentifierOwned, key: &[u8]) -> Result<Self> {
        let subject_public_key = BitString::from_bytes(key).map_err(|_| unreadable())?;
        Ok(Self(SubjectPublicKeyInfoOwned { algorithm, subject_public_key }))
    }
}

impl EncodePublicKey for Public {
    fn to_public_key_der(&self) -> spki::Result<Document> {
        Ok(Document::try_from(self.0.to_der()?)?)
    }
}

/// A signature, encoded as in certificates.
pub(super) struct Signature(Vec<u8>);

impl SignatureBitStringEncoding for Signature {
    fn to_bitstring(&self) -> der::Result<BitString> {
        BitString::from_bytes(&self.0)
    }
}

impl Keypair for Signing {
    type VerifyingKey = Public;

    fn verifying_key(&self) -> Public {
        self.public.clone()
    }
}

impl DynSignatureAlgorithmIdentifier for Signing {
    fn signature_algorithm_identifier(&self) -> spki::Result<AlgorithmIdentifierOwned> {
        Ok(self.signs_as.clone())
    }
}

impl Signer<Signature> for Signing {
    fn try_sign(&self, message: &[u8]) -> signature::Result<Signature> {
        let random = SystemRandom::new();
        let failed = |_| signature::Error::new();
        match &self.secret {
            Secret::Ecdsa(pair) => {
                pair.sign(&random, message).map(|it| Signature(it.as_ref().to_vec())).map_err(failed)
            }
            Secret::Rsa(pair) => {
                let mut signed = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signed).map_err(failed)?;
                Ok(Signature(signed))
            }
        }
    }
}

fn unreadable() -> Error {
    Error::invalid("the private key cannot be read").with_hint("convert it with `openssl pkey -in FILE`")
}

fn rejected(why: KeyRejected) -> Error {
    Error::invalid(format!("the private key cannot be used: {why}"))
        .with_hint("use ECDSA P-256 or P-384, or RSA of 2048 to 8192 bits")
}

fn unsupported(oid: ObjectIdentifier) -> Error {
    Error::unsupported(format!("private keys of type {oid} are not supported"))
        .with_hint("use ECDSA P-256 or P-384, or RSA of 2048 to 8192 bits")
}
