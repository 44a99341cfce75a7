//! A store on a plain web server that supports GET, PUT, DELETE and `If-None-Match: *`: for private networks
//! and tests.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::{Object, Precondition, Store, copy, escape_path};
use crate::error::{Error, Result};
use crate::http::{Body, Http, Request, Response};

/// A store on a web server. `GET` of a directory returns a JSON list of names.
#[derive(Clone, Debug)]
pub struct Server {
    http: Http,
    base: String,
}

impl Server {
    /// The store below this URL.
    pub fn new(http: Http, base: &str) -> Self {
        Self { http, base: base.trim_end_matches('/').to_owned() }
    }

    fn url(&self, key: &str) -> String {
        format!("{}/{}", self.base, escape_path(key))
    }
}

/// The result of a conditional write: 412 means that the precondition was not met.
pub(crate) fn written(response: Response, doing: &str, precondition: Precondition<'_>) -> Result<bool> {
    if response.status == 412 && precondition != Precondition::None {
        return Ok(false);
    }
    response.success(doing).map(|_| true)
}

/// The result of a read: 404 means that the object does not exist.
pub(crate) fn object(response: Response, doing: &str, version: &str) -> Result<Option<Object>> {
    if response.status == 404 {
        return Ok(None);
    }
    let version = response.header(version).unwrap_or_default().to_owned();
    Ok(Some(Object { bytes: response.success(doing)?, version }))
}

/// The result of a deletion: 404 means that the object did not exist.
pub(crate) fn deleted(response: Response, key: &str) -> Result<()> {
    if response.status == 404 {
        return Ok(());
    }
    response.success(&format!("deleting {key} of the state store")).map(drop)
}

/// A file to upload, and its length.
pub(crate) fn open(file: &Path) -> Result<(File, u64)> {
    let failed =
        |e: std::io::Error| Error::failed(format!("reading {} to upload it", file.display()), e.to_string());
    let open = File::open(file).map_err(failed)?;
    let length = open.metadata().map_err(failed)?.len();
    Ok((open, length))
}

impl Store for Server {
    fn read(&self, key: &str) -> Result<Option<Object>> {
        let response = self.http.send(&Request::new("GET", &self.url(key)))?;
        object(response, &format!("reading {key} of the state store"), "etag")
    }

    fn write(&self, key: &str, bytes: &[u8], precondition: Precondition<'_>) -> Result<bool> {
        let url = self.url(key);
        let mut request = Request::new("PUT", &url).body(bytes);
        match precondition {
            Precondition::None => {}
            Precondition::Absent => request = request.header("if-none-match", "*"),
            Precondition::Version(version) => request = request.header("if-match", version),
        }
        written(self.http.send(&request)?, &format!("writing {key} of the state store"), precondition)
    }

    fn upload(&self, key: &str, file: &Path) -> Result<()> {
        let (file, length) = open(file)?;
        let url = self.url(key);
        let mut request = Request::new("PUT", &url).timeout(UPLOAD);
        request.body = Body::File(&file, length);
        self.http.send(&request)?.success(&format!("writing {key} of the state store")).map(drop)
    }

    fn fetch(&self, key: &str, into: &mut dyn Write) -> Result<()> {
        let url = self.url(key);
        let request = Request::new("GET", &url).timeout(UPLOAD);
        self.http.download(&request, &mut |body| copy(body, into, key))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let directory = prefix.rsplit_once('/').map_or("", |(directory, _)| directory);
        let response = self.http.send(&Request::new("GET", &self.url(directory)))?;
        if response.status == 404 {
            return Ok(Vec::new());
        }
        let names: Vec<String> = serde_json::from_value(response.json("listing the state store")?)
            .map_err(|e| Error::invalid("listing the state store", e.to_string()))?;
        let key = |name| if directory.is_empty() { name } else { format!("{directory}/{name}") };
        let mut keys: Vec<_> = names.into_iter().map(key).filter(|it| it.starts_with(prefix)).collect();
        keys.sort();
        Ok(keys)
    }

    fn delete(&self, key: &str) -> Result<()> {
        let response = self.http.send(&Request::new("DELETE", &self.url(key)))?;
        deleted(response, key)
    }
}

/// The timeout of an upload: a snapshot of 8 GB at 20 MB/s.
pub(crate) const UPLOAD: std::time::Duration = std::time::Duration::from_mins(7);
