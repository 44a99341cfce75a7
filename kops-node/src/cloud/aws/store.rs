//! The state store in S3.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::{Imds, Signable, sign};
use crate::clock::Clock;
use crate::cloud::xml::Element;
use crate::error::{Error, Result};
use crate::hash::{sha256, sha256_of};
use crate::http::{Body, Http, Request, Response};
use crate::store::{
    Object, Precondition, Store, UPLOAD, copy, escape_path, escape_query, name_prefix, object, open, written,
};

/// How often a conditional write that conflicted with another one is retried.
const CONFLICTS: usize = 5;

/// A directory of a bucket.
#[derive(Clone, Debug)]
pub struct S3 {
    http: Http,
    imds: Imds,
    clock: Arc<dyn Clock>,
    region: String,
    /// `https://<host>`, and the path of the directory, which begins with `/` and ends with it.
    pub(super) origin: String,
    pub(super) bucket: String,
    pub(super) prefix: String,
}

impl S3 {
    /// The directory `prefix` of a bucket in a region. With a custom endpoint, and for buckets with dots in
    /// their names (which no wildcard certificate covers), the bucket is in the path.
    pub fn new(
        http: Http,
        imds: Imds,
        clock: Arc<dyn Clock>,
        region: &str,
        place: (&str, &str),
        endpoint: Option<&str>,
    ) -> Self {
        let (bucket, prefix) = place;
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let (origin, in_path) = match endpoint {
            Some(endpoint) => (endpoint.trim_end_matches('/').to_owned(), true),
            None if bucket.contains('.') => (format!("https://s3.{region}.{suffix}"), true),
            None => (format!("https://{bucket}.s3.{region}.{suffix}"), false),
        };
        let bucket = if in_path { format!("/{bucket}/") } else { "/".to_owned() };
        let prefix = name_prefix(prefix);
        Self { http, imds, clock, region: region.to_owned(), origin, bucket, prefix }
    }

    /// A signed request, handed to `then`.
    fn signed<T>(
        &self,
        method: &str,
        key: Option<&str>,
        (query, headers): (Pairs, Pairs),
        (body, hash): (Body<'_>, &str),
        then: impl FnOnce(&Request<'_>) -> Result<T>,
    ) -> Result<T> {
        let path = match key {
            Some(key) => format!("{}{}", self.bucket, escape_path(&format!("{}{key}", self.prefix))),
            None => self.bucket.clone(),
        };
        let host = self.origin.split_once("://").map_or(self.origin.as_str(), |(_, host)| host);
        let mut url = format!("{}{path}", self.origin);
        let pairs: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !pairs.is_empty() {
            url = format!("{url}?{}", pairs.join("&"));
        }
        let signable = Signable { method, host, path: &path, query, headers, body_sha256: hash };
        let signed = sign(&signable, &self.imds.credentials()?, &self.region, "s3", self.clock.now());
        let timeout = matches!(body, Body::File(..)).then_some(UPLOAD);
        let headers = signable.headers.into_iter().chain(signed).collect();
        then(&Request { method, url: &url, headers, body, timeout })
    }

    fn send(
        &self,
        method: &str,
        key: Option<&str>,
        (query, headers): (Pairs, Pairs),
        body: (Body<'_>, &str),
    ) -> Result<Response> {
        self.signed(method, key, (query, headers), body, |request| self.http.send(request))
    }
}

/// Names and values, of a query or of headers.
type Pairs = Vec<(String, String)>;

fn none() -> (Body<'static>, &'static str) {
    (Body::Empty, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
}

impl Store for S3 {
    fn read(&self, key: &str) -> Result<Option<Object>> {
        let response = self.send("GET", Some(key), (Vec::new(), Vec::new()), none())?;
        object(response, &format!("reading {key} of the state store"), "etag")
    }

    fn write(&self, key: &str, bytes: &[u8], precondition: Precondition<'_>) -> Result<bool> {
        let doing = format!("writing {key} of the state store");
        let hash = sha256(bytes);
        let condition = match precondition {
            Precondition::None => Vec::new(),
            Precondition::Absent => vec![("if-none-match".to_owned(), "*".to_owned())],
            Precondition::Version(version) => vec![("if-match".to_owned(), version.to_owned())],
        };
        let mut last = None;
        for _ in 0..CONFLICTS {
            let body = (Body::Bytes(bytes), hash.as_str());
            let response = self.send("PUT", Some(key), (Vec::new(), condition.clone()), body)?;
            // 409 ConditionalRequestConflict: another write was in progress, which says nothing about the
            // precondition.
            if response.status != 409 {
                return written(response, &doing, precondition);
            }
            last = Some(response);
        }
        written(last.unwrap_or_default(), &doing, precondition)
    }

    fn upload(&self, key: &str, file: &Path) -> Result<()> {
        let doing = format!("writing {key} of the state store");
        let (mut source, length) = open(file)?;
        let hash = sha256_of(&mut source).map_err(|e| Error::failed(&doing, e.to_string()))?;
        let (source, _) = open(file)?;
        let body = (Body::File(&source, length), hash.as_str());
        self.send("PUT", Some(key), (Vec::new(), Vec::new()), body)?.success(&doing).map(drop)
    }

    fn fetch(&self, key: &str, into: &mut dyn Write) -> Result<()> {
        self.signed("GET", Some(key), (Vec::new(), Vec::new()), none(), |request| {
            self.http.download(request, &mut |body| copy(body, into, key))
        })
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let (mut keys, mut token) = (Vec::new(), String::new());
        loop {
            let mut query = vec![
                ("list-type".to_owned(), "2".to_owned()),
                ("prefix".to_owned(), escape_query(&format!("{}{prefix}", self.prefix))),
            ];
            if !token.is_empty() {
                query.push(("continuation-token".to_owned(), escape_query(&token)));
            }
            let response = self.send("GET", None, (query, Vec::new()), none())?;
            let page = Element::parse(&response.success("listing the state store")?)?;
            let page_keys = page.all("Contents").filter_map(|it| it.at("Key").strip_prefix(&self.prefix));
            keys.extend(page_keys.map(str::to_owned));
            page.at("NextContinuationToken").clone_into(&mut token);
            if page.at("IsTruncated") != "true" || token.is_empty() {
                keys.sort();
                return Ok(keys);
            }
        }
    }

    fn delete(&self, key: &str) -> Result<()> {
        let doing = format!("deleting {key} of the state store");
        self.send("DELETE", Some(key), (Vec::new(), Vec::new()), none())?.success(&doing).map(drop)
    }
}
