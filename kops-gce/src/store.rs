//! A bucket of Cloud Storage as a state store.
//!
//! An object of the store is an object of the bucket, under the prefix of the URL, and its version is the
//! *generation*, which every write makes greater. Conditional writes are Cloud Storage's own
//! ([`ifGenerationMatch`](https://cloud.google.com/storage/docs/request-preconditions), 0 for an object that does
//! not exist yet): 412 says that the condition does not hold. Reads and lists see every write from the moment it
//! was answered ([consistency](https://cloud.google.com/storage/docs/consistency)).
//!
//! The API is the JSON one, spoken directly: Google's crate for objects speaks gRPC.
//!
//! The store makes single attempts, as all of this crate does; [`GcsStores`] opens it inside a
//! [`RetryingStore`].

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use google_cloud_auth::credentials::{CacheableResource, Credentials};
use kops_core::clock::Clock;
use kops_core::store::{
    Entry, Key, Object, Precondition, Prefix, RetryingStore, StateStore, StoreOpener, StoreUrl, Version,
};
use kops_core::{Error, ErrorKind, Result};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::Deserialize;

use crate::builder::{ATTEMPT_TIMEOUT, Connection};
use crate::{GceBuilder, error};

const ENDPOINT: &str = "https://storage.googleapis.com";
/// The generation of an object as it is read.
const GENERATION: &str = "x-goog-generation";

/// Opens `gs://bucket/prefix`, with transient failures repeated.
///
/// ```no_run
/// # async fn example() -> kops_core::Result<()> {
/// use std::sync::Arc;
///
/// use kops_core::clock::SystemClock;
/// use kops_core::store::Stores;
/// use kops_gce::{GceBuilder, GcsStores};
///
/// let clock = Arc::new(SystemClock::new());
/// let stores = Stores::new().with("gs", GcsStores::new(GceBuilder::from_env(), clock));
/// let store = stores.open("gs://my-bucket/clusters").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct GcsStores {
    builder: GceBuilder,
    clock: Arc<dyn Clock>,
}

impl GcsStores {
    /// With a connection that is made when a store is opened: who opens none needs no credentials. Neither
    /// project nor region is needed.
    pub fn new(builder: GceBuilder, clock: Arc<dyn Clock>) -> Self {
        Self { builder, clock }
    }
}

#[async_trait]
impl StoreOpener for GcsStores {
    async fn open(&self, url: &StoreUrl) -> Result<Arc<dyn StateStore>> {
        if url.host.is_empty() {
            return Err(Error::invalid(format!("`{url}` names no bucket")).hint("write gs://bucket/prefix"));
        }
        let prefix = match url.prefix() {
            "" => Prefix::root(),
            prefix => Prefix::new(prefix)?,
        };
        let store = GcsStore::new(self.builder.clone(), &url.host, prefix)?;
        Ok(Arc::new(RetryingStore::new(store, self.clock.clone())))
    }
}

/// A bucket of Cloud Storage, or the part of it under a prefix, as a state store.
#[derive(Clone)]
pub struct GcsStore {
    client: Client,
    credentials: Credentials,
    endpoint: String,
    bucket: String,
    prefix: Prefix,
}

impl fmt::Debug for GcsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcsStore")
            .field("endpoint", &self.endpoint)
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// An answer that was read whole.
struct Answer {
    status: StatusCode,
    generation: Option<String>,
    body: Vec<u8>,
}

#[derive(Deserialize)]
struct Meta {
    name: String,
    generation: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    items: Vec<Meta>,
    #[serde(default)]
    prefixes: Vec<String>,
    next_page_token: Option<String>,
}

impl GcsStore {
    /// The store under a prefix of a bucket, by the credentials and the endpoint of a builder.
    ///
    /// # Errors
    /// As [`GceBuilder::build`], but for project and region, which are not needed.
    pub fn new(builder: GceBuilder, bucket: impl Into<String>, prefix: Prefix) -> Result<Self> {
        let Connection { credentials, endpoints } = builder.connection()?;
        let client = Client::builder().timeout(ATTEMPT_TIMEOUT).build().map_err(|error| {
            Error::internal(format!("no HTTP client: {}", kops_core::cloud::causes(&error))).source(error)
        })?;
        let endpoint = endpoints.storage.unwrap_or_else(|| ENDPOINT.to_owned());
        Ok(Self { client, credentials, endpoint, bucket: bucket.into(), prefix })
    }

    fn object(&self, key: &Key) -> String {
        format!("{}{key}", self.prefix)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let bucket = utf8_percent_encode(&self.bucket, NON_ALPHANUMERIC);
        self.client.request(method, format!("{}/{path}/b/{bucket}/o", self.endpoint))
    }

    fn of_object(&self, method: Method, key: &Key) -> RequestBuilder {
        let object = self.object(key);
        let bucket = utf8_percent_encode(&self.bucket, NON_ALPHANUMERIC);
        let object = utf8_percent_encode(&object, NON_ALPHANUMERIC);
        self.client.request(method, format!("{}/storage/v1/b/{bucket}/o/{object}", self.endpoint))
    }

    async fn send(&self, call: &str, mut request: RequestBuilder) -> Result<Answer> {
        match self.credentials.headers(http::Extensions::new()).await.map_err(error::from_credentials)? {
            CacheableResource::New { data, .. } => request = request.headers(data),
            CacheableResource::NotModified => {}
        }
        let failed = |error: reqwest::Error| {
            Error::new(
                ErrorKind::Unavailable,
                format!(
                    "no answer from {}: {}",
                    self.endpoint,
                    kops_core::cloud::causes(&error.without_url())
                ),
            )
            .call(call)
            .hint("check the network, and the endpoint if one is set")
        };
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        let generation =
            response.headers().get(GENERATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = response.bytes().await.map_err(failed)?.to_vec();
        Ok(Answer { status, generation, body })
    }

    /// A failure in words that say what it means for a state store.
    fn failure(&self, call: &str, answer: &Answer) -> Error {
        let bucket = &self.bucket;
        let error = error::from_answer(call, answer.status.as_u16(), &answer.body);
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotYetVisible => Error::not_found(format!(
                "the bucket of the state store, {bucket}, does not exist"
            ))
            .hint(format!(
                "check the name, or make the bucket with `gcloud storage buckets create gs://{bucket}`; a \
                         state store deserves object versioning too"
            ))
            .call(call)
            .source(error),
            ErrorKind::Denied => Error::new(
                ErrorKind::Denied,
                format!("no access to the bucket {bucket}: {}", error.message()),
            )
            .hint(
                "a state store needs storage.objects.list on the bucket, and storage.objects.get, \
                         storage.objects.create and storage.objects.delete on its objects",
            )
            .call(call)
            .source(error),
            _ => error,
        }
    }

    /// Whether the bucket is there: a missing object and a missing bucket have the same status.
    fn says_bucket(answer: &Answer) -> bool {
        let body = String::from_utf8_lossy(&answer.body);
        body.contains("bucket does not exist")
    }

    fn read<'a, T: Deserialize<'a>>(call: &str, answer: &'a Answer) -> Result<T> {
        serde_json::from_slice(&answer.body).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "the answer makes no sense").call(call).source(error)
        })
    }

    /// The key of an object of the bucket; none for what is only there to show as a folder.
    fn key(&self, object: &str) -> Result<Option<Key>> {
        let name = object.strip_prefix(self.prefix.as_str()).unwrap_or(object);
        if name.is_empty() || name.ends_with('/') {
            return Ok(None);
        }
        Key::new(name).map(Some).map_err(|error| {
            Error::invalid(format!(
                "the bucket {} has an object that is not a state store's: {error}",
                self.bucket
            ))
            .hint("move it out of the way of the state store")
        })
    }

    async fn pages(&self, query: &[(&str, String)]) -> Result<(Vec<Meta>, Vec<String>)> {
        const CALL: &str = "storage.objects.list";
        let (mut items, mut prefixes) = (Vec::new(), Vec::new());
        let mut token: Option<String> = None;
        loop {
            let mut pairs: Vec<(&str, &str)> =
                query.iter().map(|(name, value)| (*name, value.as_str())).collect();
            pairs.push(("fields", "items(name,generation),prefixes,nextPageToken"));
            if let Some(token) = &token {
                pairs.push(("pageToken", token));
            }
            let answer = self.send(CALL, self.request(Method::GET, "storage/v1").query(&pairs)).await?;
            if !answer.status.is_success() {
                return Err(self.failure(CALL, &answer));
            }
            let page: Page = Self::read(CALL, &answer)?;
            items.extend(page.items);
            prefixes.extend(page.prefixes);
            token = page.next_page_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok((items, prefixes));
            }
        }
    }
}

#[async_trait]
impl StateStore for GcsStore {
    fn location(&self) -> String {
        format!("gs://{}/{}", self.bucket, self.prefix).trim_end_matches('/').to_owned()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        const CALL: &str = "storage.objects.get";
        let request = self.of_object(Method::GET, key).query(&[("alt", "media")]);
        let answer = self.send(CALL, request).await?;
        match answer.status {
            StatusCode::NOT_FOUND if !Self::says_bucket(&answer) => Ok(None),
            status if status.is_success() => {
                let version = answer.generation.map(Version::new).ok_or_else(|| {
                    Error::new(ErrorKind::Unsupported, "the object store tells no generations").call(CALL)
                })?;
                Ok(Some(Object { bytes: answer.body, version }))
            }
            _ => Err(self.failure(CALL, &answer)),
        }
    }

    async fn put(&self, key: &Key, bytes: Vec<u8>, condition: Precondition) -> Result<Version> {
        const CALL: &str = "storage.objects.create";
        let name = self.object(key);
        let mut query = vec![("uploadType", "media"), ("name", name.as_str())];
        match &condition {
            Precondition::Absent => query.push(("ifGenerationMatch", "0")),
            Precondition::Match(version) => query.push(("ifGenerationMatch", version.as_str())),
            Precondition::Any => {}
        }
        let request = self.request(Method::POST, "upload/storage/v1").query(&query);
        let request = request.header("content-type", "application/octet-stream").body(bytes);
        let answer = self.send(CALL, request).await?;
        match answer.status {
            StatusCode::PRECONDITION_FAILED => Err(condition.refusal(self, key)),
            status if status.is_success() => {
                Self::read::<Meta>(CALL, &answer).map(|object| Version::new(object.generation))
            }
            _ => Err(self.failure(CALL, &answer)),
        }
    }

    async fn delete(&self, key: &Key, expected: Option<&Version>) -> Result<()> {
        const CALL: &str = "storage.objects.delete";
        let mut request = self.of_object(Method::DELETE, key);
        if let Some(version) = expected {
            request = request.query(&[("ifGenerationMatch", version.as_str())]);
        }
        let answer = self.send(CALL, request).await?;
        let condition = expected.map_or(Precondition::Any, |version| Precondition::Match(version.clone()));
        match (answer.status, expected) {
            (StatusCode::NOT_FOUND, None) if !Self::says_bucket(&answer) => Ok(()),
            (StatusCode::NOT_FOUND, Some(_)) if !Self::says_bucket(&answer) => {
                Err(condition.refusal(self, key))
            }
            (StatusCode::PRECONDITION_FAILED, _) => Err(condition.refusal(self, key)),
            (status, _) if status.is_success() => Ok(()),
            _ => Err(self.failure(CALL, &answer)),
        }
    }

    async fn list(&self, prefix: &Prefix, after: Option<&Key>) -> Result<Vec<Entry>> {
        let mut query = vec![("prefix", format!("{}{prefix}", self.prefix))];
        if let Some(after) = after {
            // From that name on, which is left out below.
            query.push(("startOffset", self.object(after)));
        }
        let (items, _) = self.pages(&query).await?;
        let mut entries = Vec::new();
        for item in items {
            if let Some(key) = self.key(&item.name)?
                && after != Some(&key)
            {
                entries.push(Entry { key, version: Version::new(item.generation) });
            }
        }
        Ok(entries)
    }

    async fn directories(&self, prefix: &Prefix) -> Result<Vec<String>> {
        let under = format!("{}{prefix}", self.prefix);
        let query = [("prefix", under.clone()), ("delimiter", "/".to_owned())];
        let (_, prefixes) = self.pages(&query).await?;
        let name = |found: &String| found.strip_prefix(&under)?.strip_suffix('/').map(str::to_owned);
        let mut names: Vec<_> = prefixes.iter().filter_map(name).filter(|name| !name.is_empty()).collect();
        // Sorted with the slash at the end, before which a few characters sort.
        names.sort();
        Ok(names)
    }
}
