//! A Swift container as a state store.
//!
//! An object of the store is an object of the container, under the prefix of the URL, and its version is the ETag.
//!
//! # What Swift cannot do
//! - **It has no compare-and-swap.** Swift supports `If-None-Match: *`, but checks before it writes: of
//!   several writers that create an object within the same milliseconds, more than one may succeed. So after
//!   creating an object, a writer waits a moment and checks whose it is: the last writer wins, and the others
//!   are rejected. That is how only one can acquire the lease. Replacing an object at a version is a check
//!   and a write, too: in the milliseconds in between, another writer goes unnoticed. The lease keeps writers
//!   of a cluster apart; of two edits of a specification at the very same moment, one may be lost.
//! - **Listings lag.** A write is visible to reads at once, but it may take seconds to appear in listings.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kops_core::clock::Clock;
use kops_core::store::{
    Bucket, BucketError, Listing, Place, Precondition, Range, RetryingStore, StateStore, StoreOpener,
    StoreUrl, StoredObject, Version,
};
use kops_core::{ErrorKind, Result};
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH};
use serde::Deserialize;

use crate::clients::{Call, Clients, Service};
use crate::{Openstack, OpenstackBuilder, error};

/// Entries per page of a listing, Swift's maximum unless configured otherwise.
const PAGE: usize = 10_000;

/// How long writers that create an object at the same moment may still be writing: many times the duration of
/// a write.
const SETTLES: Duration = Duration::from_millis(250);

/// Opens `swift://container/prefix`, with retries of transient failures.
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
    /// With a connection that is made when a store is opened: credentials are only needed then.
    pub fn new(builder: OpenstackBuilder, clock: Arc<dyn Clock>) -> Self {
        Self { builder, clock }
    }
}

#[async_trait]
impl StoreOpener for SwiftStores {
    async fn open(&self, url: &StoreUrl) -> Result<Arc<dyn StateStore>> {
        let place = Place::of(url, "container")?;
        let cloud = self.builder.clone().build().await?;
        Ok(Arc::new(RetryingStore::new(SwiftStore::new(&cloud, place), self.clock.clone())))
    }
}

/// A Swift container, or the part of it under a prefix, as a state store.
#[derive(Clone, Debug)]
pub struct SwiftStore {
    clients: Clients,
    place: Place,
}

/// A successful response.
struct Answer {
    headers: HeaderMap,
    bytes: Vec<u8>,
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

impl SwiftStore {
    /// The store at a place.
    pub fn new(cloud: &Openstack, place: Place) -> Self {
        Self { clients: cloud.clients().clone(), place }
    }

    fn of_object(&self, method: Method, object: &str) -> Call {
        Call::new(method, Service::ObjectStore, format!("{}/{object}", self.place.bucket()))
    }

    /// Makes a call, and returns an error unless it succeeds.
    async fn send(&self, call: Call, body: Option<Vec<u8>>, only_new: bool) -> Result<Answer, BucketError> {
        let name = call.name();
        let mut request = self.clients.request(&call)?;
        if only_new {
            request = request.header(IF_NONE_MATCH, "*");
        }
        if let Some(body) = body {
            // The length of an empty body is only sent if set explicitly.
            request = request.header(CONTENT_LENGTH, body.len());
            request = request.header(CONTENT_TYPE, "application/octet-stream").body(body);
        }
        let answer = request.send_unchecked().await.map_err(|error| error::unanswered(&name, &error))?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes =
            answer.bytes().await.map_err(|error| self.place.broke_off(error).with_call(&name))?.to_vec();
        match status {
            200..=299 => Ok(Answer { headers, bytes }),
            412 => Err(BucketError::PreconditionFailed),
            // Swift's response is the same whether the object is missing or its container.
            404 if self.exists().await? => Err(BucketError::NotFound),
            404 => {
                let make = format!("openstack container create {}", self.place.bucket());
                Err(self.place.missing(&make).with_call(&name).into())
            }
            _ => {
                let error = error::answered(&name, status, &headers, &String::from_utf8_lossy(&bytes));
                Err(match error.kind() {
                    ErrorKind::Denied => {
                        self.place.denied(error, "to read and write it; see `swift stat` for its ACLs").into()
                    }
                    _ => error.into(),
                })
            }
        }
    }

    /// Whether there is such a container.
    async fn exists(&self) -> Result<bool> {
        let call = Call::new(Method::HEAD, Service::ObjectStore, self.place.bucket());
        let answer = self.clients.request(&call)?.send_unchecked().await;
        let answer = answer.map_err(|error| error::unanswered(&call.name(), &error))?;
        Ok(answer.status().as_u16() != 404)
    }

    fn version(&self, headers: &HeaderMap) -> Result<Version> {
        let etag = headers.get(ETAG).and_then(|etag| etag.to_str().ok());
        // Without quotes, as in listings.
        self.place.version(etag.map(|etag| etag.trim_matches('"')))
    }

    /// Checks that an object has the expected version now.
    async fn look(&self, object: &str, expected: &Version) -> Result<(), BucketError> {
        let answer = self.send(self.of_object(Method::HEAD, object), None, false).await?;
        if self.version(&answer.headers)? == *expected {
            Ok(())
        } else {
            Err(BucketError::PreconditionFailed)
        }
    }
}

#[async_trait]
impl Bucket for SwiftStore {
    fn place(&self) -> &Place {
        &self.place
    }

    async fn get_object(&self, object: &str) -> Result<StoredObject, BucketError> {
        let answer = self.send(self.of_object(Method::GET, object), None, false).await?;
        Ok(StoredObject::new(answer.bytes, self.version(&answer.headers)?))
    }

    async fn put_object(
        &self,
        object: &str,
        bytes: Vec<u8>,
        condition: &Precondition,
    ) -> Result<Version, BucketError> {
        if let Precondition::Match(expected) = condition {
            self.look(object, expected).await?;
        }
        let only_new = *condition == Precondition::Absent;
        let answer = self.send(self.of_object(Method::PUT, object), Some(bytes), only_new).await?;
        let made = self.version(&answer.headers)?;
        if only_new {
            self.clients.clock.sleep(SETTLES).await;
            // An object that is gone already is a failed precondition, too.
            self.look(object, &made).await.map_err(|refusal| match refusal {
                BucketError::NotFound => BucketError::PreconditionFailed,
                refusal => refusal,
            })?;
        }
        Ok(made)
    }

    async fn delete_object(&self, object: &str, expected: Option<&Version>) -> Result<(), BucketError> {
        if let Some(expected) = expected {
            self.look(object, expected).await?;
        }
        self.send(self.of_object(Method::DELETE, object), None, false).await.map(drop)
    }

    async fn list_objects(&self, range: Range<'_>) -> Result<Listing, BucketError> {
        let mut listing = Listing::default();
        let mut marker = range.after.map(str::to_owned);
        loop {
            let mut query = vec![
                ("format", "json".to_owned()),
                ("limit", PAGE.to_string()),
                ("prefix", range.prefix.to_owned()),
            ];
            query.extend(range.folded.then(|| ("delimiter", "/".to_owned())));
            query.extend(marker.take().map(|marker| ("marker", marker)));
            let call = Call::get(Service::ObjectStore, self.place.bucket()).query(&query);
            let name = call.name();
            let answer = self.send(call, None, false).await?;
            let page: Vec<Listed> = match answer.bytes.as_slice() {
                b"" => Vec::new(),
                bytes => serde_json::from_slice(bytes)
                    .map_err(|error| self.place.garbled(error).with_call(&name))?,
            };
            // The last page is empty: the page size is the operator's choice.
            let Some(last) = page.last() else { return Ok(listing) };
            marker = Some(last.name.clone().or_else(|| last.subdir.clone()).unwrap_or_default());
            for it in page {
                listing.objects.extend(it.name.map(|name| (name, Version::new(it.hash))));
                listing.folders.extend(it.subdir);
            }
        }
    }
}
