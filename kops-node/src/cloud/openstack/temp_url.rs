//! The state store of a node on OpenStack: signed URLs, each for one prefix.
//!
//! <https://docs.openstack.org/swift/latest/api/temporary_url_middleware.html>, "prefix-based". They expire;
//! a node needs them until it has joined.

use std::fmt;
use std::io::Write;
use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};
use crate::http::{Body, Http, Request};
use crate::store::{Object, Precondition, Store, UPLOAD, copy, escape_path, object, open, written};

/// A signed URL.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TempUrl {
    /// What keys must begin with, for example `join/`.
    pub prefix: String,
    /// `GET` or `PUT`.
    pub method: String,
    /// The URL of the cluster's directory, without a trailing slash.
    pub base: String,
    /// `temp_url_sig=…&temp_url_expires=…&temp_url_prefix=…`.
    pub query: String,
}

impl fmt::Debug for TempUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TempUrl({} {})", self.method, self.prefix)
    }
}

/// All URLs of a machine.
#[derive(Clone, Debug)]
pub struct TempUrls {
    http: Http,
    urls: Vec<TempUrl>,
}

impl TempUrls {
    /// A store with the permissions of these URLs.
    pub fn new(http: Http, urls: Vec<TempUrl>) -> Self {
        Self { http, urls }
    }

    fn url(&self, method: &str, key: &str) -> Result<String> {
        let found = self.urls.iter().find(|it| it.method == method && key.starts_with(&it.prefix));
        let found = found.ok_or_else(|| {
            Error::new(
                ErrorKind::Denied,
                format!("{method} {key} of the state store"),
                "none of this machine's URLs allows it",
            )
        })?;
        Ok(format!("{}/{}?{}", found.base, escape_path(key), found.query))
    }
}

impl Store for TempUrls {
    fn read(&self, key: &str) -> Result<Option<Object>> {
        let response = self.http.send(&Request::new("GET", &self.url("GET", key)?))?;
        object(response, &format!("reading {key} of the state store"), "etag")
    }

    fn write(&self, key: &str, bytes: &[u8], precondition: Precondition<'_>) -> Result<bool> {
        let url = self.url("PUT", key)?;
        let mut request = Request::new("PUT", &url).body(bytes);
        match precondition {
            Precondition::None => {}
            Precondition::Absent => request = request.header("if-none-match", "*"),
            Precondition::Version(_) => {
                return Err(Error::invalid(
                    format!("writing {key} of the state store"),
                    "nodes cannot hold a lease",
                ));
            }
        }
        written(self.http.send(&request)?, &format!("writing {key} of the state store"), precondition)
    }

    fn upload(&self, key: &str, file: &Path) -> Result<()> {
        let (file, length) = open(file)?;
        let url = self.url("PUT", key)?;
        let mut request = Request::new("PUT", &url).timeout(UPLOAD);
        request.body = Body::File(&file, length);
        self.http.send(&request)?.success(&format!("writing {key} of the state store")).map(drop)
    }

    fn fetch(&self, key: &str, into: &mut dyn Write) -> Result<()> {
        let url = self.url("GET", key)?;
        self.http.download(&Request::new("GET", &url).timeout(UPLOAD), &mut |body| copy(body, into, key))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        Err(Error::new(
            ErrorKind::Denied,
            format!("listing {prefix} of the state store"),
            "a node may not list",
        ))
    }

    fn delete(&self, key: &str) -> Result<()> {
        Err(Error::new(
            ErrorKind::Denied,
            format!("deleting {key} of the state store"),
            "a node may not delete",
        ))
    }
}
