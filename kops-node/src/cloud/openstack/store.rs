//! The state store in Swift. It supports `If-None-Match: *` but no `If-Match` on PUT, so leases are only
//! advisory.
//!
//! <https://docs.openstack.org/api-ref/object-store/>

use std::io::Write;
use std::path::Path;

use super::Keystone;
use crate::error::Result;
use crate::http::{Body, Http};
use crate::store::{
    Object, Precondition, Store, UPLOAD, copy, deleted, escape_path, escape_query, name_prefix, object, open,
    written,
};

/// A directory of a container.
#[derive(Clone, Debug)]
pub struct Swift {
    http: Http,
    keystone: Keystone,
    container: String,
    prefix: String,
    endpoint: Option<String>,
}

impl Swift {
    /// The directory `prefix` of a container, at the endpoint in the catalogue or a custom one.
    pub fn new(http: Http, keystone: Keystone, place: (&str, &str), endpoint: Option<&str>) -> Self {
        let prefix = name_prefix(place.1);
        let endpoint = endpoint.map(|it| it.trim_end_matches('/').to_owned());
        Self { http, keystone, container: place.0.to_owned(), prefix, endpoint }
    }

    fn container(&self) -> Result<String> {
        let endpoint = match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => self.keystone.endpoint("object-store")?,
        };
        Ok(format!("{endpoint}/{}", self.container))
    }

    fn url(&self, key: &str) -> Result<String> {
        Ok(format!("{}/{}", self.container()?, escape_path(&format!("{}{key}", self.prefix))))
    }
}

impl Store for Swift {
    fn read(&self, key: &str) -> Result<Option<Object>> {
        let url = self.url(key)?;
        let response = self.http.send(&self.keystone.request("GET", &url)?)?;
        object(response, &format!("reading {key} of the state store"), "etag")
    }

    fn write(&self, key: &str, bytes: &[u8], precondition: Precondition<'_>) -> Result<bool> {
        let url = self.url(key)?;
        let mut request = self.keystone.request("PUT", &url)?.body(bytes);
        if precondition == Precondition::Absent {
            request = request.header("if-none-match", "*");
        }
        if let Precondition::Version(version) = precondition
            && self.read(key)?.is_none_or(|it| it.version != version)
        {
            return Ok(false); // not atomic: another write may happen between this read and the write
        }
        written(self.http.send(&request)?, &format!("writing {key} of the state store"), precondition)
    }

    fn upload(&self, key: &str, file: &Path) -> Result<()> {
        let (file, length) = open(file)?;
        let url = self.url(key)?;
        let mut request = self.keystone.request("PUT", &url)?.timeout(UPLOAD);
        request.body = Body::File(&file, length);
        self.http.send(&request)?.success(&format!("writing {key} of the state store")).map(drop)
    }

    fn fetch(&self, key: &str, into: &mut dyn Write) -> Result<()> {
        let url = self.url(key)?;
        let request = self.keystone.request("GET", &url)?.timeout(UPLOAD);
        self.http.download(&request, &mut |body| copy(body, into, key))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let (mut keys, mut marker) = (Vec::new(), String::new());
        let wanted = escape_query(&format!("{}{prefix}", self.prefix));
        loop {
            let url =
                format!("{}?format=json&prefix={wanted}&marker={}", self.container()?, escape_query(&marker));
            let page =
                self.http.send(&self.keystone.request("GET", &url)?)?.json("listing the state store")?;
            let names: Vec<_> =
                page.as_array().into_iter().flatten().filter_map(|it| it["name"].as_str()).collect();
            let Some(last) = names.last() else {
                keys.sort();
                return Ok(keys);
            };
            (*last).clone_into(&mut marker);
            keys.extend(names.iter().filter_map(|it| it.strip_prefix(&self.prefix)).map(str::to_owned));
        }
    }

    fn delete(&self, key: &str) -> Result<()> {
        let url = self.url(key)?;
        let response = self.http.send(&self.keystone.request("DELETE", &url)?)?;
        deleted(response, key)
    }
}
