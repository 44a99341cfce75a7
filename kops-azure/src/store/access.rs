//! Authorization of blob requests: by a token, or by a signature with the account's key.
//!
//! The signature is Azure's Shared Key:
//! <https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-shared-key>.

use std::fmt;
use std::sync::Arc;

use azure_core::Request;
use azure_core::auth::TokenCredential;
use azure_core::date::to_rfc1123;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use kops_core::clock::Clock;
use kops_core::{Error, Result};
use ring::hmac;
use time::OffsetDateTime;

/// The scope of tokens.
const SCOPE: &str = "https://storage.azure.com/.default";

/// The headers of which only the values are signed, in this order.
const SIGNED: [&str; 11] = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

#[derive(Clone)]
pub(super) enum Access {
    Tokens(Arc<dyn TokenCredential>),
    Key { account: String, key: hmac::Key, clock: Arc<dyn Clock> },
}

/// Without credentials, whose `Debug` output may show anything.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tokens(_) => "Tokens",
            Self::Key { .. } => "Key",
        })
    }
}

impl Access {
    /// Uses an account's key, in the form of the portal and of `az storage account keys list`.
    pub(super) fn key(account: &str, key: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        // The decoder's own error would show a part of the key.
        let key = BASE64_STANDARD.decode(key.trim()).map_err(|_| {
            Error::invalid(format!("the key of the storage account {account} is malformed"))
                .with_hint(format!("copy it from `az storage account keys list --account-name {account}`"))
        })?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        Ok(Self::Key { account: account.to_owned(), key, clock })
    }

    /// Completes a request, which must not be changed afterwards.
    pub(super) async fn authorize(&self, request: &mut Request) -> azure_core::Result<()> {
        let proof = match self {
            Self::Tokens(credential) => {
                format!("Bearer {}", credential.get_token(&[SCOPE]).await?.token.secret())
            }
            Self::Key { account, key, clock } => {
                let now = OffsetDateTime::from_unix_timestamp(clock.now().as_second());
                request.insert_header("x-ms-date", to_rfc1123(&now.unwrap_or(OffsetDateTime::UNIX_EPOCH)));
                let signature = hmac::sign(key, to_be_signed(account, request).as_bytes());
                format!("SharedKey {account}:{}", BASE64_STANDARD.encode(signature))
            }
        };
        request.insert_header("authorization", proof);
        Ok(())
    }
}

fn to_be_signed(account: &str, request: &Request) -> String {
    let mut headers: Vec<(&str, &str)> =
        request.headers().iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    headers.sort_unstable();
    let mut text = format!("{}\n", request.method());
    for name in SIGNED {
        let value = headers.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value);
        // An empty body has no length here, since version 2015-02-21.
        text.push_str(if (name, value) == ("content-length", "0") { "" } else { value });
        text.push('\n');
    }
    for (name, value) in headers.iter().filter(|(name, _)| name.starts_with("x-ms-")) {
        text.extend([name, ":", value, "\n"]);
    }
    text.extend(["/", account, request.url().path()]);
    let mut query: Vec<_> = request.url().query_pairs().collect();
    query.sort_unstable();
    for (name, value) in query {
        text.extend(["\n", &*name, ":", &*value]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::{Method, Url};
    use kops_core::clock::SystemClock;

    fn request(url: &str) -> Request {
        let mut request = Request::new(Url::parse(url).unwrap(), Method::Put);
        request.insert_header("x-ms-version", "2021-12-02");
        request.insert_header("x-ms-blob-type", "BlockBlob");
        request
    }

    /// The order of the lines is the service's; what the whole is good for, Azurite tells.
    #[test]
    fn what_is_signed_is_in_order() {
        let mut request = request("http://127.0.0.1:1/account/box/a%20b?prefix=x%26y&comp=list");
        request.insert_header("content-length", "3");
        request.insert_header("content-type", "text/plain");
        request.insert_header("if-match", "\"0x1\"");
        assert_eq!(
            to_be_signed("account", &request),
            "PUT\n\n\n3\n\ntext/plain\n\n\n\"0x1\"\n\n\n\nx-ms-blob-type:BlockBlob\nx-ms-version:2021-12-02\n\
             /account/account/box/a%20b\ncomp:list\nprefix:x&y"
        );
        request.insert_header("content-length", "0");
        assert!(to_be_signed("account", &request).starts_with("PUT\n\n\n\n\ntext/plain\n"));
    }

    #[tokio::test]
    async fn a_key_is_used_and_not_shown() {
        let secret = BASE64_STANDARD.encode("hunter2hunter2hunter2hunter2");
        let clock = Arc::new(SystemClock::new());
        let access = Access::key("account", &secret, clock.clone()).unwrap();
        let mut request = request("https://account.blob.core.windows.net/box/a");
        access.authorize(&mut request).await.unwrap();
        let headers = format!("{:?}", request.headers());
        assert!(headers.contains("SharedKey account:") && headers.contains("x-ms-date"), "{headers}");
        for text in [headers, format!("{access:?}")] {
            assert!(!text.contains(&secret) && !text.contains("hunter2"), "{text}");
        }
        let error = Access::key("account", "hunter2 is no key", clock).unwrap_err();
        assert!(error.to_string().contains("az storage account keys list"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
