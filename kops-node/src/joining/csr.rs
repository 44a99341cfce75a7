//! Parsing a request: PKCS #10, as created by a kubelet.

use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode as _, DecodePem as _};
use x509_cert::ext::Extensions;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;
use x509_cert::request::CertReq;

use super::Request;
use crate::error::{Error, Result};

const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
const ALTERNATIVE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ORGANISATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");

/// Fills in the subject and alternative names from the PEM of `spec.request`. The API server has verified the
/// signature when it accepted the request.
///
/// # Errors
/// If it cannot be parsed.
pub fn read(pem: &[u8], request: &mut Request) -> Result<()> {
    let wrong = |why: x509_cert::der::Error| Error::invalid("reading a certificate request", why.to_string());
    let info = CertReq::from_pem(pem).map_err(wrong)?.info;
    subject(&info.subject, request);
    for attribute in info.attributes.iter() {
        if attribute.oid != EXTENSION_REQUEST {
            request.more = true;
            continue;
        }
        for value in attribute.values.iter() {
            let extensions: Extensions = value.decode_as().map_err(wrong)?;
            for extension in extensions {
                match extension.extn_id {
                    ALTERNATIVE_NAME => {
                        names(
                            &SubjectAltName::from_der(extension.extn_value.as_bytes()).map_err(wrong)?,
                            request,
                        );
                    }
                    KEY_USAGE | EXTENDED_KEY_USAGE => {} // the signer uses `spec.usages`
                    _ => request.more = true,
                }
            }
        }
    }
    Ok(())
}

fn subject(name: &Name, request: &mut Request) {
    for part in name.iter() {
        let text = part.value.decode_as::<x509_cert::ext::pkix::name::DirectoryString>();
        match (part.oid, text) {
            (COMMON_NAME, Ok(text)) if request.common_name.is_empty() => {
                request.common_name = text.value().into_owned();
            }
            (ORGANISATION, Ok(text)) => request.organisations.push(text.value().into_owned()),
            _ => request.more = true,
        }
    }
}

fn names(alternative: &SubjectAltName, request: &mut Request) {
    for name in &alternative.0 {
        match name {
            GeneralName::DnsName(name) => {
                request.dns_names.insert(name.to_string());
            }
            GeneralName::IpAddress(bytes) => {
                let bytes = bytes.as_bytes();
                let address = <[u8; 4]>::try_from(bytes)
                    .map(std::net::IpAddr::from)
                    .or_else(|_| <[u8; 16]>::try_from(bytes).map(std::net::IpAddr::from));
                match address {
                    Ok(address) => {
                        request.addresses.insert(address.to_string());
                    }
                    Err(_) => request.more = true,
                }
            }
            _ => request.more = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubelets_request_as_openssl_makes_it() {
        let mut request = Request::default();
        read(include_bytes!("testdata/kubelet.csr"), &mut request).unwrap();
        assert_eq!(request.node(), Some("i-0abc"));
        assert_eq!(request.organisations, ["system:nodes"]);
        assert!(!request.more && request.dns_names.is_empty());
    }

    #[test]
    fn names_and_addresses_are_seen() {
        let mut request = Request::default();
        read(include_bytes!("testdata/serving.csr"), &mut request).unwrap();
        assert_eq!(request.dns_names.iter().collect::<Vec<_>>(), ["i-0abc"]);
        assert_eq!(request.addresses.iter().collect::<Vec<_>>(), ["10.0.0.1", "2001:db8::1"]);
        assert!(!request.more);
    }

    #[test]
    fn what_is_hidden_in_a_request_is_seen() {
        let mut request = Request::default();
        read(include_bytes!("testdata/authority.csr"), &mut request).unwrap();
        assert!(request.more, "it asks for an authority");
        assert!(read(b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n", &mut Request::default()).is_err());
    }
}
