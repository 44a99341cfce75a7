//! A container of Swift as a state store.
//!
//! An object of the store is an object of the container, under the prefix of the URL, and its version is the ETag.
//!
//! # What Swift cannot do
//! - **It has no compare-and-swap.** Swift knows `If-None-Match: *`, but looks and then writes: of those who make an
//!   object within the same milliseconds several may be told that they have. So whoever has made one waits a moment
//!   and looks whose it is: the last one's, and the others are refused. That is how the lease is taken by one only.
//!   Replacing an object at a version is a look and a write, too: between the two, some milliseconds, another writer
//!   is not seen. The lease keeps writers of a cluster apart; who edits specifications at the very same moment may
//!   lose one of two edits.
//! - **Listings lag.** What has been written is read at once, but a listing may take seconds to show it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kops_core::clock::Clock;
use kops_core::store::{
    Entry, Key, Object, Precondition, Prefix, RetryingStore, StateStore, StoreOpener, StoreUrl, Version,
};
use kops_core::{Error, ErrorKind, Result};
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH};
use serde::Deserialize;

use crate::clients::{Call, Clients, Service};
use crate::{Openstack, OpenstackBuilder, error};

/// Entries of a page of a listing, which is what Swift gives at most unless configured otherwise.
const PAGE: usize = 10_000;

/// How long those who made an object within the same moment may still be writing it: many times what a write takes.
const SETTLES: Duration = Duration::from_millis(250);

/// Opens `swift://container/prefix`, with transient failures repeated.
///
/// ```no_run
/// # async fn example() -> kops_core::Result<()> {
/// use std::sync::Arc;
///
/// use kops_core::clock::SystemClock;
/// use kops_core::store::Stores;
/// use kops_openstack::{OpenstackBuilder, SwiftStores};
///
/// let clock = Arc::new(SystemClock::new());
/// let stores = Stores::new().with("swift", SwiftStores::new(OpenstackBuilder::from_env(), clock));
/// let store = stores.open("swift://my-container/clusters").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SwiftStores {
    builder: OpenstackBuilder,
    clock: Arc<dyn Clock>,
}

impl SwiftStores {
    /// With a connection that is made when a store is opened: who opens none needs no credentials.
    pub fn new(builder: OpenstackBuilder, clock: Arc<dyn Clock>) -> Self {
        Self { builder, clock }
    }
}

#[async_trait]
impl StoreOpener for SwiftStores {
    async fn open(&self, url: &StoreUrl) -> Result<Arc<dyn StateStore>> {
        if url.host.is_empty() {
            return Err(
                Error::invalid(format!("`{url}` names no container")).hint("write swift://container/prefix")
            );
        }
        let prefix = match url.prefix() {
            "" => Prefix::root(),
            prefix => Prefix::new(prefix)?,
        };
        let cloud = self.builder.clone().build().await?;
        Ok(Arc::new(RetryingStore::new(SwiftStore::new(&cloud, &url.host, prefix), self.clock.clone())))
    }
}

/// A container of Swift, or the part of it under a prefix, as a state store.
#[derive(Clone, Debug)]
pub struct SwiftStore {
    clients: Clients,
    container: String,
    prefix: Prefix,
}

/// An answer, whatever its status.
struct Answer {
    status: u16,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl SwiftStore {
    /// The store under a prefix of a container.
    pub fn new(cloud: &Openstack, container: impl Into<String>, prefix: Prefix) -> Self {
        Self { clients: cloud.clients().clone(), container: container.into(), prefix }
    }

    fn object(&self, key: &Key) -> String {
        format!("{}/{}{key}", self.container, self.prefix)
    }

    async fn call(&self, call: Call, body: Option<Vec<u8>>, only_new: bool) -> Result<Answer> {
        let name = call.name();
        let mut request = self.clients.request(&call)?;
        if only_new {
            request = request.header(IF_NONE_MATCH, "*");
        }
        if let Some(body) = body {
            // The length of an empty body is not sent unless said.
            request = request.header(CONTENT_LENGTH, body.len());
            request = request.header(CONTENT_TYPE, "application/octet-stream").body(body);
        }
        let answer = request.send_unchecked().await.map_err(|error| error::unanswered(&name, &error))?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await.map_err(|_| {
            Error::new(ErrorKind::Unavailable, "the connection broke off in the middle of an object")
                .call(&name)
        })?;
        Ok(Answer { status, headers, bytes: bytes.to_vec() })
    }

    /// The error of an answer.
    async fn explain(&self, call: &str, answer: &Answer) -> Error {
        // Swift answers alike whether the object is missing or its container.
        if answer.status == 404 && !self.exists().await {
            return self.missing().call(call);
        }
        let error =
            error::answered(call, answer.status, &answer.headers, &String::from_utf8_lossy(&answer.bytes));
        match error.kind() {
            ErrorKind::Denied => Error::new(
                ErrorKind::Denied,
                format!("no access to the container {}: {}", self.container, error.message()),
            )
            .hint("a state store needs to be read and written; see `swift stat` for who may")
            .call(call),
            _ => error,
        }
    }

    async fn exists(&self) -> bool {
        let call = Call::new(Method::HEAD, Service::ObjectStore, self.container.as_str());
        self.call(call, None, false).await.is_ok_and(|answer| answer.status != 404)
    }

    fn missing(&self) -> Error {
        let container = &self.container;
        Error::not_found(format!("the container of the state store, {container}, does not exist"))
            .hint(format!("check the name, or make it with `openstack container create {container}`"))
    }

    /// The version of an object now.
    async fn version(&self, key: &Key) -> Result<Option<Version>> {
        let call = Call::new(Method::HEAD, Service::ObjectStore, self.object(key));
        let name = call.name();
        let answer = self.call(call, None, false).await?;
        match answer.status {
            200..=299 => version(&answer.headers).map(Some),
            404 if self.exists().await => Ok(None),
            _ => Err(self.explain(&name, &answer).await),
        }
    }

    /// Reads the pages of a listing.
    async fn entries(&self, prefix: &Prefix, after: Option<&Key>, delimiter: bool) -> Result<Vec<Listed>> {
        let mut all: Vec<Listed> = Vec::new();
        let mut marker = after.map(|after| format!("{}{after}", self.prefix));
        loop {
            let mut query = vec![
                ("format", "json".to_owned()),
                ("limit", PAGE.to_string()),
                ("prefix", format!("{}{prefix}", self.prefix)),
            ];
            if delimiter {
                query.push(("delimiter", "/".to_owned()));
            }
            query.extend(marker.take().map(|marker| ("marker", marker)));
            let call = Call::get(Service::ObjectStore, self.container.as_str()).query(&query);
            let name = call.name();
            let answer = self.call(call, None, false).await?;
            let page: Vec<Listed> = match answer.status {
                200 => serde_json::from_slice(&answer.bytes).map_err(|error| {
                    Error::new(ErrorKind::Unavailable, format!("the listing makes no sense: {error}"))
                        .call(&name)
                })?,
                204 => Vec::new(),
                _ => return Err(self.explain(&name, &answer).await),
            };
            // The last page is an empty one: what Swift gives at most is its operator's choice.
            let Some(last) = page.last() else { return Ok(all) };
            marker = Some(last.name.clone().or_else(|| last.subdir.clone()).unwrap_or_default());
            all.extend(page);
        }
    }
}

#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    hash: String,
    #[serde(default)]
    subdir: Option<String>,
}

fn version(headers: &HeaderMap) -> Result<Version> {
    let etag = headers.get(ETAG).and_then(|etag| etag.to_str().ok());
    let etag =
        etag.ok_or_else(|| Error::new(ErrorKind::Unavailable, "Swift tells no version of an object"))?;
    // Without quotes, as listings have it.
    Ok(Version::new(etag.trim_matches('"')))
}

#[async_trait]
impl StateStore for SwiftStore {
    fn location(&self) -> String {
        format!("swift://{}/{}", self.container, self.prefix).trim_end_matches('/').to_owned()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        let call = Call::get(Service::ObjectStore, self.object(key));
        let name = call.name();
        let answer = self.call(call, None, false).await?;
        match answer.status {
            200..=299 => Ok(Some(Object { version: version(&answer.headers)?, bytes: answer.bytes })),
            404 if self.exists().await => Ok(None),
            _ => Err(self.explain(&name, &answer).await),
        }
    }

    async fn put(&self, key: &Key, bytes: Vec<u8>, condition: Precondition) -> Result<Version> {
        if let Precondition::Match(_) = condition
            && !condition.holds(self.version(key).await?.as_ref())
        {
            return Err(condition.refusal(self, key));
        }
        let call = Call::new(Method::PUT, Service::ObjectStore, self.object(key));
        let name = call.name();
        let answer = self.call(call, Some(bytes), condition == Precondition::Absent).await?;
        match answer.status {
            200..=299 if condition == Precondition::Absent => {
                let made = version(&answer.headers)?;
                self.clients.clock.sleep(SETTLES).await;
                match self.version(key).await? {
                    Some(now) if now == made => Ok(made),
                    _ => Err(condition.refusal(self, key)),
                }
            }
            200..=299 => version(&answer.headers),
            412 => Err(condition.refusal(self, key)),
            _ => Err(self.explain(&name, &answer).await),
        }
    }

    async fn delete(&self, key: &Key, expected: Option<&Version>) -> Result<()> {
        if let Some(expected) = expected {
            let condition = Precondition::Match(expected.clone());
            if !condition.holds(self.version(key).await?.as_ref()) {
                return Err(condition.refusal(self, key));
            }
        }
        let call = Call::delete(Service::ObjectStore, self.object(key));
        let name = call.name();
        let answer = self.call(call, None, false).await?;
        match answer.status {
            200..=299 => Ok(()),
            404 if self.exists().await => Ok(()),
            _ => Err(self.explain(&name, &answer).await),
        }
    }

    async fn list(&self, prefix: &Prefix, after: Option<&Key>) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for listed in self.entries(prefix, after, false).await? {
            let Some(name) = listed.name.filter(|name| !name.ends_with('/')) else { continue };
            let name = name.strip_prefix(self.prefix.as_str()).unwrap_or(&name).to_owned();
            let key = Key::new(&name).map_err(|error| {
                Error::invalid(format!(
                    "the container {} has an object that is not a state store's: {error}",
                    self.container
                ))
                .hint("move it out of the way of the state store")
            })?;
            entries.push(Entry { key, version: Version::new(listed.hash) });
        }
        // Swift sorts by bytes as well, except where its operator has chosen otherwise.
        entries.sort_by(|a, b| a.key.as_str().cmp(b.key.as_str()));
        Ok(entries)
    }

    async fn directories(&self, prefix: &Prefix) -> Result<Vec<String>> {
        let whole = format!("{}{prefix}", self.prefix);
        let listed = self.entries(prefix, None, true).await?;
        let names = listed.into_iter().filter_map(|it| it.subdir);
        let mut names: Vec<String> = names
            .filter_map(|name| Some(name.strip_prefix(&whole)?.trim_end_matches('/').to_owned()))
            .filter(|name| !name.is_empty())
            .collect();
        names.sort();
        names.dedup();
        Ok(names)
    }
}
