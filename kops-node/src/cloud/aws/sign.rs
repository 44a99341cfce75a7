//! Signature Version 4.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;

use super::Credentials;
use crate::hash::{hex, sha256};

/// The signed parts of a request.
#[derive(Clone, Debug)]
pub struct Signable<'a> {
    /// The method.
    pub method: &'a str,
    /// The host, with its port unless that is the scheme's own.
    pub host: &'a str,
    /// The path, escaped once as it is sent (required by S3; EC2 only has `/`).
    pub path: &'a str,
    /// The query's parameters, each name and value escaped, in any order.
    pub query: Vec<(String, String)>,
    /// Further headers that are signed: names in lower case.
    pub headers: Vec<(String, String)>,
    /// The SHA-256 of the body, in hexadecimal.
    pub body_sha256: &'a str,
}

/// The headers that sign a request: `authorization`, `x-amz-date`, `x-amz-content-sha256` and, with temporary
/// credentials, `x-amz-security-token`. To be sent with those of `request`.
pub fn sign(
    request: &Signable<'_>,
    credentials: &Credentials,
    region: &str,
    service: &str,
    now: Timestamp,
) -> Vec<(String, String)> {
    let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = &stamp[..8];
    let mut added = vec![
        ("x-amz-content-sha256".to_owned(), request.body_sha256.to_owned()),
        ("x-amz-date".to_owned(), stamp.clone()),
    ];
    if let Some(token) = &credentials.token {
        added.push(("x-amz-security-token".to_owned(), token.clone()));
    }
    let mut headers: Vec<(&str, &str)> = vec![("host", request.host)];
    headers.extend(request.headers.iter().chain(&added).map(|(name, value)| (name.as_str(), value.trim())));
    headers.sort_unstable();
    let mut query: Vec<_> = request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    query.sort_unstable();
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines: String = headers.iter().map(|(name, value)| [*name, ":", *value, "\n"].concat()).collect();
    let canonical =
        [request.method, request.path, &query.join("&"), &lines, &names, request.body_sha256].join("\n");
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", sha256(canonical));
    let secret = format!("AWS4{}", credentials.secret);
    let key = [day, region, service, "aws4_request"]
        .iter()
        .fold(secret.into_bytes(), |key, part| hmac(&key, part.as_bytes()));
    let signature = hex(&hmac(&key, text.as_bytes()));
    added.push((
        "authorization".to_owned(),
        format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            credentials.id
        ),
    ));
    added
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length.
    Hmac::<Sha256>::new_from_slice(key).map_or_else(
        |_| Vec::new(),
        |mut mac| {
            mac.update(text);
            mac.finalize().into_bytes().to_vec()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>.
    fn signature(
        method: &str,
        path: &str,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> String {
        let owned = |all: &[(&str, &str)]| -> Vec<(String, String)> {
            all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let body = sha256(body);
        let request = Signable {
            method,
            host: "examplebucket.s3.amazonaws.com",
            path,
            query: owned(query),
            headers: owned(headers),
            body_sha256: &body,
        };
        let credentials = Credentials {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            token: None,
            expires: None,
        };
        let now = "2013-05-24T00:00:00Z".parse().unwrap();
        let headers = sign(&request, &credentials, "us-east-1", "s3", now);
        headers.last().unwrap().1.rsplit_once("Signature=").unwrap().1.to_owned()
    }

    #[test]
    fn get_object() {
        let signature = signature("GET", "/test.txt", &[], &[("range", "bytes=0-9")], b"");
        assert_eq!(signature, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    }

    #[test]
    fn put_object() {
        let headers =
            [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")];
        let signature = signature("PUT", "/test%24file.text", &[], &headers, b"Welcome to Amazon S3.");
        assert_eq!(signature, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
    }

    #[test]
    fn get_bucket_lifecycle() {
        let signature = signature("GET", "/", &[("lifecycle", "")], &[], b"");
        assert_eq!(signature, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    }

    #[test]
    fn list_objects() {
        let signature = signature("GET", "/", &[("prefix", "J"), ("max-keys", "2")], &[], b"");
        assert_eq!(signature, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
    }
}
