//! The state store in Blob Storage.
//!
//! <https://learn.microsoft.com/en-us/rest/api/storageservices/blob-service-rest-api>

use std::io::Write;
use std::path::Path;

use super::Metadata;
use crate::cloud::xml::Element;
use crate::error::Result;
use crate::http::{Body, Http, Request};
use crate::store::{
    Object, Precondition, Store, UPLOAD, copy, deleted, escape_path, escape_query, name_prefix, object, open,
    written,
};

/// The API version; a PUT may write block blobs of up to 5,000 MiB since 2019-12-12.
const VERSION: &str = "2021-08-06";

/// A directory of a container.
#[derive(Clone, Debug)]
pub struct Blob {
    http: Http,
    metadata: Metadata,
    container: String,
    prefix: String,
}

impl Blob {
    /// The directory `prefix` of a container of an account.
    pub fn new(http: Http, metadata: Metadata, place: (&str, &str, &str), endpoint: Option<&str>) -> Self {
        let (account, container, prefix) = place;
        let endpoint =
            endpoint.map_or_else(|| format!("https://{account}.blob.core.windows.net"), str::to_owned);
        let prefix = name_prefix(prefix);
        Self { http, metadata, container: format!("{}/{container}", endpoint.trim_end_matches('/')), prefix }
    }

    fn url(&self, key: &str) -> String {
        format!("{}/{}", self.container, escape_path(&format!("{}{key}", self.prefix)))
    }

    fn request<'a>(&self, method: &'a str, url: &'a str) -> Result<Request<'a>> {
        let bearer = format!("Bearer {}", self.metadata.storage_token()?);
        Ok(Request::new(method, url).header("authorization", bearer).header("x-ms-version", VERSION))
    }
}

impl Store for Blob {
    fn read(&self, key: &str) -> Result<Option<Object>> {
        let url = self.url(key);
        object(
            self.http.send(&self.request("GET", &url)?)?,
            &format!("reading {key} of the state store"),
            "etag",
        )
    }

    fn write(&self, key: &str, bytes: &[u8], precondition: Precondition<'_>) -> Result<bool> {
        let url = self.url(key);
        let mut request = self.request("PUT", &url)?.header("x-ms-blob-type", "BlockBlob").body(bytes);
        match precondition {
            Precondition::None => {}
            Precondition::Absent => request = request.header("if-none-match", "*"),
            Precondition::Version(etag) => request = request.header("if-match", etag),
        }
        let response = self.http.send(&request)?;
        // `If-None-Match: *` is answered with 409 BlobAlreadyExists, not with 412.
        if response.status == 409 && precondition == Precondition::Absent {
            return Ok(false);
        }
        written(response, &format!("writing {key} of the state store"), precondition)
    }

    fn upload(&self, key: &str, file: &Path) -> Result<()> {
        let (file, length) = open(file)?;
        let url = self.url(key);
        let mut request = self.request("PUT", &url)?.header("x-ms-blob-type", "BlockBlob").timeout(UPLOAD);
        request.body = Body::File(&file, length);
        self.http.send(&request)?.success(&format!("writing {key} of the state store")).map(drop)
    }

    fn fetch(&self, key: &str, into: &mut dyn Write) -> Result<()> {
        let url = self.url(key);
        let request = self.request("GET", &url)?.timeout(UPLOAD);
        self.http.download(&request, &mut |body| copy(body, into, key))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let (mut keys, mut marker) = (Vec::new(), String::new());
        let wanted = escape_query(&format!("{}{prefix}", self.prefix));
        loop {
            let url = format!(
                "{}?restype=container&comp=list&prefix={wanted}&marker={}",
                self.container,
                escape_query(&marker)
            );
            let page = self.http.send(&self.request("GET", &url)?)?.success("listing the state store")?;
            let page = Element::parse(&page)?;
            let blobs = page.all("Blobs").flat_map(|it| it.all("Blob"));
            keys.extend(blobs.filter_map(|it| it.at("Name").strip_prefix(&self.prefix)).map(str::to_owned));
            page.at("NextMarker").clone_into(&mut marker);
            if marker.is_empty() {
                keys.sort();
                return Ok(keys);
            }
        }
    }

    fn delete(&self, key: &str) -> Result<()> {
        let url = self.url(key);
        let response = self.http.send(&self.request("DELETE", &url)?)?;
        deleted(response, key)
    }
}
