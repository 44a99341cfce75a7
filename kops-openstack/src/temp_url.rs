//! Signed URLs, each of which allows one method on the objects with a prefix, until it expires.
//!
//! <https://docs.openstack.org/swift/latest/api/temporary_url_middleware.html>
//!
//! They are part of the user data of servers and are signed when a server is created, so that their validity
//! begins then. User data is compared by the digest of its unsigned form, in which each signature is a
//! [`SLOT`].

use kops_core::cloud::Context;
use kops_core::{Error, ErrorKind, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use reqwest::header::HeaderMap;
use ring::hmac;

use crate::clients::{Call, Clients, Service};

/// The placeholder of a signature: `<kops-signed METHOD SECONDS PREFIX>`, with the prefix in the container.
pub(crate) const SLOT: &str = "<kops-signed ";
/// The header with the key of a container.
pub(crate) const KEY: &str = "x-container-meta-temp-url-key";
/// Characters that need no escaping in a query (RFC 3986).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Newer versions of Swift do not support SHA-1; older versions of Ceph's gateway support nothing else.
const ALGORITHMS: [hmac::Algorithm; 2] = [hmac::HMAC_SHA256, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY];

/// Signs URLs of a container.
#[derive(Debug)]
pub(crate) struct Signer {
    key: hmac::Key,
    /// The container's path: `/v1/AUTH_0123/state`.
    path: String,
}

/// The headers of a container.
pub(crate) async fn headers(clients: &Clients, cx: &Context, container: &str) -> Result<HeaderMap> {
    let call = Call::new(Method::HEAD, Service::ObjectStore, container);
    Ok(clients.exchange(cx, call, HeaderMap::new(), Vec::new()).await?.headers)
}

/// The container's key, unless it has none.
pub(crate) fn key(headers: &HeaderMap) -> Option<&str> {
    headers.get(KEY).and_then(|key| key.to_str().ok()).filter(|key| !key.is_empty())
}

impl Signer {
    /// A signer with the container's key and the first algorithm that the service accepts: a request with a
    /// URL for this purpose only checks that, so that no server is created whose URLs would all be rejected.
    pub(crate) async fn of(clients: &Clients, cx: &Context, container: &str) -> Result<Self> {
        let headers = headers(clients, cx, container).await?;
        let Some(secret) = key(&headers) else {
            return Err(Error::new(
                ErrorKind::NotYetVisible,
                format!("container {container} has no key to sign URLs with"),
            ));
        };
        let Some(endpoint) = clients.endpoint(Service::ObjectStore) else {
            return Err(Error::new(ErrorKind::Unsupported, "this cloud has no object store"));
        };
        let base = endpoint.url.as_str().trim_end_matches('/');
        let path = format!("{}/{container}", endpoint.url.path().trim_end_matches('/'));
        let ends = clients.clock.now().as_second() + PROBE;
        for algorithm in ALGORITHMS {
            let signer = Self { key: hmac::Key::new(algorithm, secret.as_bytes()), path: path.clone() };
            let query = signer.query("GET", PROBED, ends);
            let url = format!("{base}/{container}/{PROBED}?{query}");
            match clients.status_of(Method::HEAD, &url).await? {
                401 | 403 => {}
                500..=599 => {
                    return Err(Error::new(ErrorKind::Unavailable, "the object store cannot be reached"));
                }
                _ => return Ok(signer),
            }
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            "the object store does not accept signed URLs, which machines read the state store with",
        )
        .with_hint(
            "enable its `tempurl` middleware, or use a state store that machines read without signed URLs",
        ))
    }

    /// The query of a URL for a prefix.
    pub(crate) fn query(&self, method: &str, prefix: &str, ends: i64) -> String {
        let signed = format!("{method}\n{ends}\nprefix:{}/{prefix}", self.path);
        let signature: String =
            hmac::sign(&self.key, signed.as_bytes()).as_ref().iter().map(|it| format!("{it:02x}")).collect();
        let prefix = utf8_percent_encode(prefix, PLAIN);
        format!("temp_url_sig={signature}&temp_url_expires={ends}&temp_url_prefix={prefix}")
    }

    /// The text with each [`SLOT`] replaced by its signature.
    pub(crate) fn fill(&self, text: &str, now: i64) -> Result<String> {
        let mut parts = text.split(SLOT);
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let slot = part.split_once('>').and_then(|(slot, rest)| {
                let mut words = slot.splitn(3, ' ');
                let (method, seconds, prefix) =
                    (words.next()?, words.next()?.parse::<i64>().ok()?, words.next()?);
                Some((self.query(method, prefix, now.saturating_add(seconds)), rest))
            });
            let (query, rest) = slot.ok_or_else(|| {
                Error::invalid("the user data has a malformed placeholder of a signature")
                    .with_hint(format!("use the form `{SLOT}GET 3600 directory/>`"))
            })?;
            filled.push_str(&query);
            filled.push_str(rest);
        }
        Ok(filled)
    }
}

/// The object that is requested to check whether signatures are accepted. It need not exist.
const PROBED: &str = "kops-signatures";
/// How long that URL is valid, in seconds: clocks differ.
const PROBE: i64 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(algorithm: hmac::Algorithm) -> Signer {
        Signer { key: hmac::Key::new(algorithm, b"mykey"), path: "/v1/AUTH_account/container".to_owned() }
    }

    #[test]
    fn signatures_are_those_of_swift() {
        let query = signer(hmac::HMAC_SHA256).query("GET", "my_prefix/", 1_500_000_000);
        let expected = python("sha256");
        assert_eq!(
            query,
            format!("temp_url_sig={expected}&temp_url_expires=1500000000&temp_url_prefix=my_prefix/")
        );
        assert!(
            signer(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY)
                .query("GET", "my_prefix/", 1_500_000_000)
                .contains(python("sha1"))
        );
    }

    /// What Python's `hmac.new(b"mykey", b"GET\n1500000000\nprefix:/v1/AUTH_account/container/my_prefix/", …)` gives.
    fn python(algorithm: &str) -> &'static str {
        match algorithm {
            "sha256" => "73ca050067f0cb792739bb959db8820546d4c99d0349701b599e0ff15168347b",
            _ => "de9611097962cbad71a8c56fc29913c57e3d7210",
        }
    }

    #[test]
    fn each_slot_becomes_a_signature_and_nothing_else_changes() {
        let signer = signer(hmac::HMAC_SHA256);
        let text = "a='x?<kops-signed GET 60 d/join/>'\nb='<kops-signed PUT 3600 d/it's/>' < 1 > 2\n";
        let filled = signer.fill(text, 1000).unwrap();
        let (join, status) = (signer.query("GET", "d/join/", 1060), signer.query("PUT", "d/it's/", 4600));
        assert_eq!(filled, format!("a='x?{join}'\nb='{status}' < 1 > 2\n"));
        assert!(status.ends_with("&temp_url_prefix=d/it%27s/"), "{status}");
        assert_eq!(signer.fill("plain", 0).unwrap(), "plain");
    }

    #[test]
    fn a_malformed_slot_is_an_error() {
        for text in ["<kops-signed GET 60 d/", "<kops-signed GET soon d/>", "<kops-signed GET 60>"] {
            assert_eq!(
                signer(hmac::HMAC_SHA256).fill(text, 0).unwrap_err().kind(),
                ErrorKind::Invalid,
                "{text}"
            );
        }
    }
}
