//! A Cloud Storage bucket as a state store.
//!
//! An object of the store is an object of the bucket, under the prefix of the URL, and its version is the
//! *generation*, which every write increases. Conditional writes are Cloud Storage's own
//! ([`ifGenerationMatch`](https://cloud.google.com/storage/docs/request-preconditions), 0 for an object that
//! does not exist yet): 412 means that the condition failed. Reads and lists see every write that has been
//! acknowledged ([consistency](https://cloud.google.com/storage/docs/consistency)).
//!
//! It uses the JSON API directly: Google's crate for objects uses gRPC.
//!
//! The store makes single attempts, like everything in this crate; [`GcsStores`] opens it inside a
//! [`RetryingStore`].

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use google_cloud_auth::credentials::{CacheableResource, Credentials};
use kops_core::clock::Clock;
use kops_core::store::{
    Bucket, BucketError, Listing, Place, Precondition, Range, RetryingStore, StateStore, StoreOpener,
    StoreUrl, StoredObject, Version,
};
use kops_core::{Error, ErrorKind, Result};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::Deserialize;

use crate::builder::{ATTEMPT_TIMEOUT, Connection};
use crate::{GceBuilder, error};

const ENDPOINT: &str = "https://storage.googleapis.com";
/// The generation of an object in a response.
const GENERATION: &str = "x-goog-generation";

/// Opens `gs://bucket/prefix`, with retries of transient failures.
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
/// let stores = Stores::new().with("gs", GcsStores::new(GceBuilder::from_env().install_ring(), clock));
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
    /// With a connection that is made when a store is opened: credentials are only needed then. Neither
    /// project nor region is needed.
    pub fn new(builder: GceBuilder, clock: Arc<dyn Clock>) -> Self {
        Self { builder, clock }
    }
}

#[async_trait]
impl StoreOpener for GcsStores {
    async fn open(&self, url: &StoreUrl) -> Result<Arc<dyn StateStore>> {
        let store = GcsStore::new(self.builder.clone(), Place::of(url, "bucket")?)?;
        Ok(Arc::new(RetryingStore::new(store, self.clock.clone())))
    }
}

/// A Cloud Storage bucket, or the part of it under a prefix, as a state store.
#[derive(Clone)]
pub struct GcsStore {
    client: Client,
    credentials: Credentials,
    endpoint: String,
    place: Place,
}

impl fmt::Debug for GcsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcsStore")
            .field("endpoint", &self.endpoint)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// A successful response that was read completely.
struct Answer {
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
    /// The store at a place, with the credentials and the endpoint of a builder.
    ///
    /// # Errors
    /// As [`GceBuilder::build`], except for project and region, which are not needed.
    pub fn new(builder: GceBuilder, place: Place) -> Result<Self> {
        let Connection { credentials, endpoints } = builder.connection()?;
        let client = Client::builder().timeout(ATTEMPT_TIMEOUT).build().map_err(|error| {
            Error::internal(format!("no HTTP client: {}", kops_core::cloud::causes(&error)))
                .with_source(error)
        })?;
        let endpoint = endpoints.storage.unwrap_or_else(|| ENDPOINT.to_owned());
        Ok(Self { client, credentials, endpoint, place })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let bucket = utf8_percent_encode(self.place.bucket(), NON_ALPHANUMERIC);
        self.client.request(method, format!("{}/{path}/b/{bucket}/o", self.endpoint))
    }

    fn of_object(&self, method: Method, object: &str) -> RequestBuilder {
        let bucket = utf8_percent_encode(self.place.bucket(), NON_ALPHANUMERIC);
        let object = utf8_percent_encode(object, NON_ALPHANUMERIC);
        self.client.request(method, format!("{}/storage/v1/b/{bucket}/o/{object}", self.endpoint))
    }

    /// Makes a call, and returns an error unless it succeeds.
    async fn send(&self, call: &str, mut request: RequestBuilder) -> Result<Answer, BucketError> {
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
            .with_call(call)
            .with_hint("check the network, and the endpoint if one is set")
        };
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        let generation =
            response.headers().get(GENERATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = response.bytes().await.map_err(failed)?.to_vec();
        match status {
            status if status.is_success() => Ok(Answer { generation, body }),
            StatusCode::PRECONDITION_FAILED => Err(BucketError::PreconditionFailed),
            // A missing object and a missing bucket have the same status.
            StatusCode::NOT_FOUND if !String::from_utf8_lossy(&body).contains("bucket does not exist") => {
                Err(BucketError::NotFound)
            }
            status => Err(self.explain(call, error::from_answer(call, status.as_u16(), &body)).into()),
        }
    }

    /// Explains Cloud Storage's errors for a state store.
    fn explain(&self, call: &str, error: Error) -> Error {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotYetVisible => {
                let make = format!("gcloud storage buckets create gs://{}", self.place.bucket());
                self.place.missing(&make).with_call(call).with_source(error)
            }
            ErrorKind::Denied => self.place.denied(
                error,
                "storage.objects.list on the bucket, and storage.objects.get, storage.objects.create and \
                 storage.objects.delete on its objects",
            ),
            _ => error,
        }
    }

    fn read<'a, T: Deserialize<'a>>(&self, call: &str, answer: &'a Answer) -> Result<T> {
        serde_json::from_slice(&answer.body).map_err(|error| self.place.garbled(error).with_call(call))
    }
}

#[async_trait]
impl Bucket for GcsStore {
    fn place(&self) -> &Place {
        &self.place
    }

    async fn get_object(&self, object: &str) -> Result<StoredObject, BucketError> {
        let request = self.of_object(Method::GET, object).query(&[("alt", "media")]);
        let answer = self.send("storage.objects.get", request).await?;
        Ok(StoredObject::new(answer.body, self.place.version(answer.generation)?))
    }

    async fn put_object(
        &self,
        object: &str,
        bytes: Vec<u8>,
        condition: &Precondition,
    ) -> Result<Version, BucketError> {
        const CALL: &str = "storage.objects.create";
        let mut query = vec![("uploadType", "media"), ("name", object)];
        match condition {
            Precondition::Absent => query.push(("ifGenerationMatch", "0")),
            Precondition::Match(version) => query.push(("ifGenerationMatch", version.as_str())),
            Precondition::Any => {}
        }
        let request = self.request(Method::POST, "upload/storage/v1").query(&query);
        let request = request.header("content-type", "application/octet-stream").body(bytes);
        let answer = self.send(CALL, request).await?;
        Ok(Version::new(self.read::<Meta>(CALL, &answer)?.generation))
    }

    async fn delete_object(&self, object: &str, expected: Option<&Version>) -> Result<(), BucketError> {
        let condition = expected.map(|version| ("ifGenerationMatch", version.as_str()));
        let request = self.of_object(Method::DELETE, object).query(&condition.as_slice());
        self.send("storage.objects.delete", request).await.map(drop)
    }

    async fn list_objects(&self, range: Range<'_>) -> Result<Listing, BucketError> {
        const CALL: &str = "storage.objects.list";
        let mut listing = Listing::default();
        let mut query =
            vec![("fields", "items(name,generation),prefixes,nextPageToken"), ("prefix", range.prefix)];
        query.extend(range.folded.then_some(("delimiter", "/")));
        query.extend(range.after.map(|after| ("startOffset", after)));
        let mut token: Option<String> = None;
        loop {
            let request = self.request(Method::GET, "storage/v1").query(&query);
            let request = request.query(&token.iter().map(|token| ("pageToken", token)).collect::<Vec<_>>());
            let answer = self.send(CALL, request).await?;
            let page: Page = self.read(CALL, &answer)?;
            let objects = page.items.into_iter().map(|item| (item.name, Version::new(item.generation)));
            listing.objects.extend(objects);
            listing.folders.extend(page.prefixes);
            token = page.next_page_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(listing);
            }
        }
    }
}
