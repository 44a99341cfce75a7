//! The state store in Cloud Storage, by its JSON API.
//!
//! <https://cloud.google.com/storage/docs/json_api/v1/objects>; versions are generations.

use std::io::Write;
use std::path::Path;

use super::Metadata;
use crate::error::Result;
use crate::http::{Body, Http, Request};
use crate::store::{
    Object, Precondition, Store, UPLOAD, copy, deleted, escape_query, name_prefix, object, open, written,
};

/// A directory of a bucket.
#[derive(Clone, Debug)]
pub struct CloudStorage {
    http: Http,
    metadata: Metadata,
    endpoint: String,
    bucket: String,
    prefix: String,
}

impl CloudStorage {
    /// The directory `prefix` of a bucket.
    pub fn new(http: Http, metadata: Metadata, place: (&str, &str), endpoint: Option<&str>) -> Self {
        let endpoint = endpoint.unwrap_or("https://storage.googleapis.com").trim_end_matches('/').to_owned();
        let prefix = name_prefix(place.1);
        Self { http, metadata, endpoint, bucket: place.0.to_owned(), prefix }
    }

    /// An object's URL: its name is one part of the path, slashes escaped.
    fn url(&self, key: &str) -> String {
        let name = escape_query(&format!("{}{key}", self.prefix));
        format!("{}/storage/v1/b/{}/o/{name}", self.endpoint, self.bucket)
    }

    fn upload_url(&self, key: &str) -> String {
        let name = escape_query(&format!("{}{key}", self.prefix));
        format!("{}/upload/storage/v1/b/{}/o?uploadType=media&name={name}", self.endpoint, self.bucket)
    }

    fn request<'a>(&self, method: &'a str, url: &'a str) -> Result<Request<'a>> {
        Ok(Request::new(method, url).header("authorization", format!("Bearer {}", self.metadata.token()?)))
    }
}

impl Store for CloudStorage {
    fn read(&self, key: &str) -> Result<Option<Object>> {
        let url = format!("{}?alt=media", self.url(key));
        let response = self.http.send(&self.request("GET", &url)?)?;
        object(response, &format!("reading {key} of the state store"), "x-goog-generation")
    }

    fn write(&self, key: &str, bytes: &[u8], precondition: Precondition<'_>) -> Result<bool> {
        let condition = match precondition {
            Precondition::None => String::new(),
            Precondition::Absent => "&ifGenerationMatch=0".to_owned(),
            Precondition::Version(generation) => format!("&ifGenerationMatch={generation}"),
        };
        let url = format!("{}{condition}", self.upload_url(key));
        let response = self.http.send(&self.request("POST", &url)?.body(bytes))?;
        written(response, &format!("writing {key} of the state store"), precondition)
    }

    fn upload(&self, key: &str, file: &Path) -> Result<()> {
        let (file, length) = open(file)?;
        let url = self.upload_url(key);
        let mut request = self.request("POST", &url)?.timeout(UPLOAD);
        request.body = Body::File(&file, length);
        self.http.send(&request)?.success(&format!("writing {key} of the state store")).map(drop)
    }

    fn fetch(&self, key: &str, into: &mut dyn Write) -> Result<()> {
        let url = format!("{}?alt=media", self.url(key));
        let request = self.request("GET", &url)?.timeout(UPLOAD);
        self.http.download(&request, &mut |body| copy(body, into, key))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let (mut keys, mut token) = (Vec::new(), String::new());
        let wanted = escape_query(&format!("{}{prefix}", self.prefix));
        loop {
            let page = format!(
                "?prefix={wanted}&fields=items(name),nextPageToken&pageToken={}",
                escape_query(&token)
            );
            let url = format!("{}/storage/v1/b/{}/o{page}", self.endpoint, self.bucket);
            let page = self.http.send(&self.request("GET", &url)?)?.json("listing the state store")?;
            let names = page["items"].as_array().into_iter().flatten().filter_map(|it| it["name"].as_str());
            keys.extend(names.filter_map(|it| it.strip_prefix(&self.prefix)).map(str::to_owned));
            page["nextPageToken"].as_str().unwrap_or_default().clone_into(&mut token);
            if token.is_empty() {
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
