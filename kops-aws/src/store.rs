//! A bucket of S3 as a state store.
//!
//! An object of the store is an object of the bucket, under the prefix of the URL, and its version is the
//! ETag. Conditional writes are S3's own: `If-None-Match: *` and `If-Match` on PutObject (since 2024), and
//! `If-Match` on DeleteObject (since 2025). S3 answers 412 when the condition does not hold, 409 when two
//! conditional requests met, and 404 when what was to be replaced is gone: all three are a lost write.
//! Reads and lists see every write from the moment it was answered
//! ([consistency](https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel)).
//!
//! The store makes single attempts, as all of this crate does; [`S3Stores`] opens it inside a
//! [`RetryingStore`].
//!
//! # The region of the bucket
//! It need not be the one of the cluster. S3 answers a request to the wrong region with the right one in a
//! header; the store goes there, and stays there. When the regions agree that costs nothing.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use kops_core::clock::Clock;
use kops_core::store::{
    Entry, Key, Object, Precondition, Prefix, RetryingStore, StateStore, StoreOpener, StoreUrl, Version,
};
use kops_core::{Error, ErrorKind, Result};

use crate::{AwsBuilder, error};

const REGION: &str = "x-amz-bucket-region";

/// Opens `s3://bucket/prefix`, with transient failures repeated.
///
/// ```no_run
/// # async fn example() -> kops_core::Result<()> {
/// use std::sync::Arc;
///
/// use kops_aws::{Aws, AwsBuilder, S3Stores};
/// use kops_core::clock::SystemClock;
/// use kops_core::store::Stores;
///
/// let clock = Arc::new(SystemClock::new());
/// let stores = Stores::new().with("s3", S3Stores::new(AwsBuilder::from_env(), clock));
/// let store = stores.open("s3://my-bucket/clusters").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct S3Stores {
    builder: AwsBuilder,
    clock: Arc<dyn Clock>,
}

impl S3Stores {
    /// With a connection that is made when a store is opened: who opens none needs no credentials.
    pub fn new(builder: AwsBuilder, clock: Arc<dyn Clock>) -> Self {
        Self { builder, clock }
    }
}

#[async_trait]
impl StoreOpener for S3Stores {
    async fn open(&self, url: &StoreUrl) -> Result<Arc<dyn StateStore>> {
        if url.host.is_empty() {
            return Err(Error::invalid(format!("`{url}` names no bucket")).hint("write s3://bucket/prefix"));
        }
        let prefix = match url.prefix() {
            "" => Prefix::root(),
            prefix => Prefix::new(prefix)?,
        };
        let aws = self.builder.clone().build().await?;
        let store =
            S3Store::new(aws.clients().s3.clone(), &url.host, prefix).endpoint(aws.clients().endpoint());
        Ok(Arc::new(RetryingStore::new(store, self.clock.clone())))
    }
}

/// A bucket of S3, or the part of it under a prefix, as a state store.
#[derive(Clone, Debug)]
pub struct S3Store {
    client: Arc<RwLock<Client>>,
    endpoint: Option<String>,
    bucket: String,
    prefix: Prefix,
}

/// What a failed call means for the store.
enum Failure {
    /// The bucket is in another region, where the client has been sent.
    Moved,
    /// There is no such object.
    Missing,
    /// A condition did not hold.
    Lost,
    /// Anything else, in words.
    Failed(Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Failed(error) => error,
            Failure::Moved => Self::new(
                ErrorKind::Unavailable,
                "S3 sends from one region to another; is the bucket being moved?",
            ),
            Failure::Missing => Self::not_found("there is no such object"),
            Failure::Lost => {
                Self::new(ErrorKind::Conflict, "another request to the same object is under way")
            }
        }
    }
}

impl S3Store {
    /// The store under a prefix of a bucket.
    ///
    /// The client must use path-style addresses if its endpoint is overridden.
    pub fn new(client: Client, bucket: impl Into<String>, prefix: Prefix) -> Self {
        Self { client: Arc::new(RwLock::new(client)), endpoint: None, bucket: bucket.into(), prefix }
    }

    /// The address that the client's endpoint is overridden with, for errors to name.
    pub fn endpoint(mut self, endpoint: Option<&str>) -> Self {
        self.endpoint = endpoint.map(str::to_owned);
        self
    }

    /// The name of an object in the bucket.
    fn object(&self, key: &Key) -> String {
        format!("{}{key}", self.prefix)
    }

    fn client(&self) -> Client {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a call, a second time if the first was sent to the wrong region.
    async fn call<T, E, F>(
        &self,
        name: &str,
        request: impl Fn(Client) -> F + Send + Sync,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        T: Send,
    {
        let mut redirected = false;
        loop {
            let client = self.client();
            // Boxed: the SDK's futures take some 15 KiB each.
            match Box::pin(request(client.clone())).await {
                Ok(answer) => return Ok(answer),
                Err(error) => match self.failure(name, &client, error) {
                    Failure::Moved if !redirected => redirected = true,
                    failure => return Err(failure),
                },
            }
        }
    }

    fn failure<E>(&self, call: &str, client: &Client, failed: SdkError<E, HttpResponse>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let response = failed.raw_response();
        let status = response.map_or(0, |response| response.status().as_u16());
        // Set on a redirection, and on refusing a signature that was made for another region.
        let region = response.and_then(|response| response.headers().get(REGION)).map(str::to_owned);
        let code =
            failed.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default().to_owned();
        match (status, code.as_str(), region) {
            (404, "NoSuchKey", _) => Failure::Missing,
            (412, _, _) | (409, "ConditionalRequestConflict", _) => Failure::Lost,
            (301 | 307 | 400, _, Some(region)) if self.go_to(client, &region) => Failure::Moved,
            _ => {
                let error = error::from_sdk(call, self.endpoint.as_deref(), failed);
                Failure::Failed(self.explain(call, &code, error))
            }
        }
    }

    /// Sends the client to a region, if it asked in another.
    fn go_to(&self, asked: &Client, region: &str) -> bool {
        if asked.config().region().is_some_and(|asked| asked.as_ref() == region) {
            return false;
        }
        let config = asked.config().to_builder().region(Region::new(region.to_owned())).build();
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = Client::from_conf(config);
        true
    }

    /// Says what S3's words mean for a state store.
    fn explain(&self, call: &str, code: &str, error: Error) -> Error {
        let bucket = &self.bucket;
        match (error.kind(), code) {
            (_, "NoSuchBucket") => Error::not_found(format!(
                "the bucket of the state store, {bucket}, does not exist"
            ))
            .hint(format!(
                "check the name, or make the bucket with `aws s3 mb s3://{bucket}`; a state store deserves \
                     versioning too"
            )),
            (ErrorKind::Denied, _) => Error::new(
                ErrorKind::Denied,
                format!("no access to the bucket {bucket}: {}", error.message()),
            )
            .hint(
                "a state store needs s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject and \
                     s3:DeleteObject on its objects",
            ),
            (_, "PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed") => {
                Error::invalid(format!("the bucket {bucket} is in another region: {}", error.message()))
                    .hint("set the bucket's region")
            }
            _ => return error,
        }
        .call(call)
        .source(error)
    }

    fn refusal(&self, failure: Failure, condition: &Precondition, key: &Key) -> Error {
        match failure {
            // What was to be replaced is gone.
            Failure::Missing if matches!(condition, Precondition::Match(_)) => condition.refusal(self, key),
            Failure::Lost => condition.refusal(self, key),
            failure => failure.into(),
        }
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
}

#[async_trait]
impl StateStore for S3Store {
    fn location(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix).trim_end_matches('/').to_owned()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        let request = |client: Client| client.get_object().bucket(&self.bucket).key(self.object(key)).send();
        let answer = match self.call("s3:GetObject", request).await {
            Ok(answer) => answer,
            Err(Failure::Missing) => return Ok(None),
            Err(failure) => return Err(failure.into()),
        };
        let version = version(answer.e_tag)?;
        let bytes = answer.body.collect().await.map_err(|error| {
            Error::new(ErrorKind::Unavailable, "the connection broke off in the middle of an object")
                .call("s3:GetObject")
                .source(error)
        })?;
        Ok(Some(Object { bytes: bytes.to_vec(), version }))
    }

    async fn put(&self, key: &Key, bytes: Vec<u8>, condition: Precondition) -> Result<Version> {
        let request = |client: Client| {
            let put = client.put_object().bucket(&self.bucket).key(self.object(key));
            let put = match &condition {
                Precondition::Absent => put.if_none_match("*"),
                Precondition::Match(version) => put.if_match(version.as_str()),
                Precondition::Any => put,
            };
            put.body(ByteStream::from(bytes.clone())).send()
        };
        let answer = self.call("s3:PutObject", request).await;
        version(answer.map_err(|failure| self.refusal(failure, &condition, key))?.e_tag)
    }

    async fn delete(&self, key: &Key, expected: Option<&Version>) -> Result<()> {
        let request = |client: Client| {
            let delete = client.delete_object().bucket(&self.bucket).key(self.object(key));
            delete.set_if_match(expected.map(|version| version.as_str().to_owned())).send()
        };
        let condition = expected.map_or(Precondition::Any, |version| Precondition::Match(version.clone()));
        match self.call("s3:DeleteObject", request).await {
            Ok(_) => Ok(()),
            Err(Failure::Missing) if expected.is_none() => Ok(()),
            Err(failure) => Err(self.refusal(failure, &condition, key)),
        }
    }

    async fn list(&self, prefix: &Prefix, after: Option<&Key>) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut next = None;
        loop {
            let request = |client: Client| {
                let list =
                    client.list_objects_v2().bucket(&self.bucket).prefix(format!("{}{prefix}", self.prefix));
                list.set_start_after(after.map(|key| self.object(key)))
                    .set_continuation_token(next.clone())
                    .send()
            };
            let page = self.call("s3:ListObjectsV2", request).await?;
            for object in page.contents.unwrap_or_default() {
                if let Some(key) = self.key(&object.key.unwrap_or_default())? {
                    entries.push(Entry { key, version: version(object.e_tag)? });
                }
            }
            next = page.next_continuation_token;
            if next.is_none() {
                return Ok(entries);
            }
        }
    }

    async fn directories(&self, prefix: &Prefix) -> Result<Vec<String>> {
        let under = format!("{}{prefix}", self.prefix);
        let mut names = Vec::new();
        let mut next = None;
        loop {
            let request = |client: Client| {
                let list = client.list_objects_v2().bucket(&self.bucket).prefix(&under).delimiter("/");
                list.set_continuation_token(next.clone()).send()
            };
            let page = self.call("s3:ListObjectsV2", request).await?;
            for common in page.common_prefixes.unwrap_or_default() {
                let name =
                    common.prefix.as_deref().and_then(|name| name.strip_prefix(&under)?.strip_suffix('/'));
                names.extend(name.filter(|name| !name.is_empty()).map(str::to_owned));
            }
            next = page.next_continuation_token;
            if next.is_none() {
                // Sorted by S3 with the slash at the end, before which a few characters sort.
                names.sort();
                return Ok(names);
            }
        }
    }
}

fn version(etag: Option<String>) -> Result<Version> {
    etag.map(Version::new).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "the object store gives its objects no ETags")
            .hint("use one that does: conditional writes go by them")
    })
}
