//! An S3 bucket as a state store.
//!
//! An object of the store is an object of the bucket, under the prefix of the URL, and its version is the
//! ETag. Conditional writes are S3's own: `If-None-Match: *` and `If-Match` on PutObject (since 2024), and
//! `If-Match` on DeleteObject (since 2025). S3 answers 412 if the condition fails, 409 if two conditional
//! requests conflict, and 404 if the object to be replaced is gone: all three are failed preconditions. Reads
//! and lists see every write that has been acknowledged
//! ([consistency](https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel)).
//!
//! The store makes single attempts, like everything in this crate; [`S3Stores`] opens it inside a
//! [`RetryingStore`].
//!
//! # The region of the bucket
//! It may differ from the cluster's. S3 answers a request to the wrong region with a header that names the
//! right one; the store switches to it, and stays there. If the regions agree, that costs nothing.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use kops_core::clock::Clock;
use kops_core::store::{
    Bucket, BucketError, Listing, Place, Precondition, Range, RetryingStore, StateStore, StoreOpener,
    StoreUrl, StoredObject, Version,
};
use kops_core::{Error, ErrorKind, Result};

use crate::{AwsBuilder, error};

const REGION: &str = "x-amz-bucket-region";

/// Opens `s3://bucket/prefix`, with retries of transient failures.
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
    /// With a connection that is made when a store is opened: credentials are only needed then.
    pub fn new(builder: AwsBuilder, clock: Arc<dyn Clock>) -> Self {
        Self { builder, clock }
    }
}

#[async_trait]
impl StoreOpener for S3Stores {
    async fn open(&self, url: &StoreUrl) -> Result<Arc<dyn StateStore>> {
        let place = Place::of(url, "bucket")?;
        let aws = self.builder.clone().build().await?;
        let store = S3Store::new(aws.clients().s3.clone(), place).endpoint(aws.clients().endpoint());
        Ok(Arc::new(RetryingStore::new(store, self.clock.clone())))
    }
}

/// An S3 bucket, or the part of it under a prefix, as a state store.
#[derive(Clone, Debug)]
pub struct S3Store {
    client: Arc<RwLock<Client>>,
    endpoint: Option<String>,
    place: Place,
}

impl S3Store {
    /// The store at a place.
    ///
    /// The client must use path-style addresses if its endpoint is overridden.
    pub fn new(client: Client, place: Place) -> Self {
        Self { client: Arc::new(RwLock::new(client)), endpoint: None, place }
    }

    /// The client's custom endpoint, for error messages.
    pub fn endpoint(mut self, endpoint: Option<&str>) -> Self {
        self.endpoint = endpoint.map(str::to_owned);
        self
    }

    fn client(&self) -> Client {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a call, and repeats it if the first was sent to the wrong region.
    async fn call<T, E, F>(
        &self,
        name: &str,
        request: impl Fn(Client) -> F + Send + Sync,
    ) -> Result<T, BucketError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        T: Send,
    {
        let mut redirected = false;
        loop {
            let client = self.client();
            // Boxed: the SDK's futures take some 15 KiB each.
            let error = match Box::pin(request(client.clone())).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if !self.follow(&client, error.raw_response()) {
                return Err(self.refusal(name, error));
            }
            if redirected {
                let message = "S3 keeps redirecting from one region to another; is the bucket being moved?";
                return Err(Error::new(ErrorKind::Unavailable, message).with_call(name).into());
            }
            redirected = true;
        }
    }

    /// Switches the client to the region in the response, if it was another one.
    fn follow(&self, asked: &Client, answer: Option<&HttpResponse>) -> bool {
        // Set on redirects, and on signatures that were made for another region.
        let region = answer
            .filter(|answer| [301, 307, 400].contains(&answer.status().as_u16()))
            .and_then(|answer| answer.headers().get(REGION));
        let Some(region) = region else { return false };
        if asked.config().region().is_some_and(|asked| asked.as_ref() == region) {
            return false;
        }
        let config = asked.config().to_builder().region(Region::new(region.to_owned())).build();
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = Client::from_conf(config);
        true
    }

    fn refusal<E>(&self, call: &str, failed: SdkError<E, HttpResponse>) -> BucketError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let status = failed.raw_response().map_or(0, |response| response.status().as_u16());
        let code =
            failed.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default().to_owned();
        match (status, code.as_str()) {
            (404, "NoSuchKey") => BucketError::NotFound,
            (412, _) | (409, "ConditionalRequestConflict") => BucketError::PreconditionFailed,
            _ => {
                let error = error::from_sdk(call, self.endpoint.as_deref(), failed);
                self.explain(call, &code, error).into()
            }
        }
    }

    /// Explains S3's errors for a state store.
    fn explain(&self, call: &str, code: &str, error: Error) -> Error {
        match (error.kind(), code) {
            (_, "NoSuchBucket") => {
                let make = format!("aws s3 mb s3://{}", self.place.bucket());
                self.place.missing(&make).with_call(call).with_source(error)
            }
            (ErrorKind::Denied, _) => self.place.denied(
                error,
                "s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject and s3:DeleteObject on its objects",
            ),
            (_, "PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed") => {
                let message = format!("the bucket {} is in another region: {}", self.place, error.message());
                Error::invalid(message).with_hint("set the bucket's region").with_call(call).with_source(error)
            }
            _ => error,
        }
    }
}

#[async_trait]
impl Bucket for S3Store {
    fn place(&self) -> &Place {
        &self.place
    }

    async fn get_object(&self, object: &str) -> Result<StoredObject, BucketError> {
        let call = "s3:GetObject";
        let request = |client: Client| client.get_object().bucket(self.place.bucket()).key(object).send();
        let answer = self.call(call, request).await?;
        let version = self.place.version(answer.e_tag)?;
        let bytes =
            answer.body.collect().await.map_err(|error| self.place.broke_off(error).with_call(call))?;
        Ok(StoredObject::new(bytes.to_vec(), version))
    }

    async fn put_object(
        &self,
        object: &str,
        bytes: Vec<u8>,
        condition: &Precondition,
    ) -> Result<Version, BucketError> {
        let request = |client: Client| {
            let put = client.put_object().bucket(self.place.bucket()).key(object);
            let put = match condition {
                Precondition::Absent => put.if_none_match("*"),
                Precondition::Match(version) => put.if_match(version.as_str()),
                Precondition::Any => put,
            };
            put.body(ByteStream::from(bytes.clone())).send()
        };
        Ok(self.place.version(self.call("s3:PutObject", request).await?.e_tag)?)
    }

    async fn delete_object(&self, object: &str, expected: Option<&Version>) -> Result<(), BucketError> {
        let request = |client: Client| {
            let delete = client.delete_object().bucket(self.place.bucket()).key(object);
            delete.set_if_match(expected.map(|version| version.as_str().to_owned())).send()
        };
        self.call("s3:DeleteObject", request).await.map(drop)
    }

    async fn list_objects(&self, range: Range<'_>) -> Result<Listing, BucketError> {
        let mut listing = Listing::default();
        let mut next = None;
        loop {
            let request = |client: Client| {
                let list = client.list_objects_v2().bucket(self.place.bucket()).prefix(range.prefix);
                list.set_delimiter(range.folded.then(|| "/".to_owned()))
                    .set_start_after(range.after.map(str::to_owned))
                    .set_continuation_token(next.clone())
                    .send()
            };
            let page = self.call("s3:ListObjectsV2", request).await?;
            for object in page.contents.unwrap_or_default() {
                let version = self.place.version(object.e_tag)?;
                listing.objects.push((object.key.unwrap_or_default(), version));
            }
            let folders = page.common_prefixes.unwrap_or_default();
            listing.folders.extend(folders.into_iter().filter_map(|folder| folder.prefix));
            next = page.next_continuation_token;
            if next.is_none() {
                return Ok(listing);
            }
        }
    }
}
