//! A blob container as a state store.
//!
//! An object of the store is a block blob, under the prefix of the URL, and its version is the ETag.
//! Conditional writes are Azure's own: `If-None-Match: *` and `If-Match` on Put Blob, `If-Match` on Delete
//! Blob; Azure answers 412, or 409 for a blob that already exists. Reads and lists see every write that has
//! been acknowledged (<https://learn.microsoft.com/en-us/azure/storage/blobs/concurrency-manage>).
//!
//! The four calls are implemented here: object_store deletes without conditions and loses the class of most
//! errors, and azure_storage_blobs is no longer maintained. The store makes single attempts, like everything
//! in this crate; [`BlobStores`] opens it inside a [`RetryingStore`].
//!
//! # Credentials
//! The account's key if one is set, by [`AzureBuilder::storage_key`] or by `AZURE_STORAGE_KEY`; otherwise
//! tokens, as for all of Azure. Tokens are preferable: a key grants full access to an account, and does not
//! expire.

mod access;
mod listing;

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::headers::ETAG;
use azure_core::{HttpClient as _, Method, Request, Response, Url};
use kops_core::clock::Clock;
use kops_core::store::{
    Bucket, BucketError, Listing, Place, Precondition, Range, RetryingStore, StateStore, StoreOpener,
    StoreUrl, StoredObject, Version,
};
use kops_core::{Error, ErrorKind, Result};

use self::access::Access;
use self::listing::Page;
use crate::builder::address;
use crate::wire::Transport;
use crate::{AzureBuilder, error};

/// The service version in use: the first with everything that is needed here is far older.
/// <https://learn.microsoft.com/en-us/rest/api/storageservices/versioning-for-the-azure-storage-services>
const API_VERSION: &str = "2021-12-02";

const GET: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read";
const PUT: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write";
const DELETE: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete";

/// Opens `azureblob://account/container/prefix`, with retries of transient failures.
///
/// ```no_run
/// # async fn example() -> kops_core::Result<()> {
/// use std::sync::Arc;
///
/// use kops_azure::{AzureBuilder, BlobStores};
/// use kops_core::clock::SystemClock;
/// use kops_core::store::Stores;
///
/// let clock = Arc::new(SystemClock::new());
/// let stores = Stores::new().with("azureblob", BlobStores::new(AzureBuilder::from_env(), clock));
/// let store = stores.open("azureblob://myaccount/clusters").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct BlobStores {
    builder: AzureBuilder,
    clock: Arc<dyn Clock>,
    endpoint: Option<String>,
}

impl BlobStores {
    /// With a connection that is made when a store is opened: credentials are only needed then. Only the
    /// builder's credentials are used, and the endpoint of the account's blob service if the environment sets
    /// one.
    pub fn new(builder: AzureBuilder, clock: Arc<dyn Clock>) -> Self {
        Self { builder, clock, endpoint: None }
    }

    /// The endpoint of the account's blob service, for example an emulator's:
    /// `http://127.0.0.1:10000/devstoreaccount1`. By default that of the builder's environment, or the
    /// account's own under `core.windows.net`.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }
}

#[async_trait]
impl StoreOpener for BlobStores {
    async fn open(&self, url: &StoreUrl) -> Result<Arc<dyn StateStore>> {
        let place = Place::of(url, "account/container")?;
        let endpoint = self.endpoint.clone().or_else(|| self.builder.storage_endpoint_of(&url.host));
        let address = match endpoint {
            Some(endpoint) => address(&endpoint)?,
            None => address(&format!("https://{}.blob.core.windows.net", url.host))?,
        };
        let transport = Transport::new()?;
        let access = match self.builder.storage_key_of(&url.host) {
            Some(key) => Access::key(&url.host, &key, self.clock.clone())?,
            None => Access::Tokens(self.builder.authenticate(&transport)?),
        };
        let store = BlobStore { transport, access, address, account: url.host.clone(), place };
        Ok(Arc::new(RetryingStore::new(store, self.clock.clone())))
    }
}

/// A blob container, or the part of it under a prefix, as a state store; opened by [`BlobStores`].
#[derive(Clone, Debug)]
pub struct BlobStore {
    transport: Transport,
    access: Access,
    address: Url,
    account: String,
    place: Place,
}

impl BlobStore {
    /// The URL of the container, or of a blob in it.
    fn url(&self, blob: &str) -> Result<Url> {
        let mut url = self.address.clone();
        url.path_segments_mut()
            .map_err(|()| Error::internal("the URL has no path"))?
            .pop_if_empty()
            .push(self.place.bucket())
            .extend(blob.split('/').filter(|part| !part.is_empty()));
        Ok(url)
    }

    fn request(&self, method: Method, blob: &str) -> Result<Request> {
        let mut request = Request::new(self.url(blob)?, method);
        request.set_body(azure_core::EMPTY_BODY);
        Ok(request)
    }

    async fn send(&self, call: &'static str, mut request: Request) -> Result<Response, BucketError> {
        request.insert_header("x-ms-version", API_VERSION);
        let answer = async {
            self.access.authorize(&mut request).await?;
            self.transport.execute_request(&request).await
        };
        answer.await.map_err(|error| self.refusal(call, error))
    }

    /// Explains Azure's errors for a state store.
    fn refusal(&self, call: &'static str, error: azure_core::Error) -> BucketError {
        let error = error::from_sdk(call, Some(self.address.as_str()), error);
        match error.kind() {
            ErrorKind::NotFound if error.message().starts_with("ContainerNotFound") => {
                let (account, container) = (&self.account, self.place.bucket());
                let make = format!(
                    "az storage container create --auth-mode login --account-name {account} --name {container}"
                );
                self.place.missing(&make).with_call(call).with_source(error).into()
            }
            ErrorKind::NotFound | ErrorKind::NotYetVisible => BucketError::NotFound,
            ErrorKind::Conflict | ErrorKind::AlreadyExists => BucketError::PreconditionFailed,
            ErrorKind::Denied => {
                let needs = "the role Storage Blob Data Contributor on the account or the container";
                self.place.denied(error, needs).into()
            }
            _ => error.into(),
        }
    }

    fn version(&self, answer: &Response) -> Result<Version> {
        self.place.version(answer.headers().get_optional_str(&ETAG))
    }
}

async fn body(answer: Response) -> Result<Vec<u8>> {
    let bytes = answer.into_body().collect().await.map_err(|error| error::from_sdk(GET, None, error))?;
    Ok(bytes.to_vec())
}

#[async_trait]
impl Bucket for BlobStore {
    fn place(&self) -> &Place {
        &self.place
    }

    async fn get_object(&self, blob: &str) -> Result<StoredObject, BucketError> {
        let answer = self.send(GET, self.request(Method::Get, blob)?).await?;
        let version = self.version(&answer)?;
        Ok(StoredObject::new(body(answer).await?, version))
    }

    async fn put_object(
        &self,
        blob: &str,
        bytes: Vec<u8>,
        condition: &Precondition,
    ) -> Result<Version, BucketError> {
        let mut request = self.request(Method::Put, blob)?;
        request.insert_header("x-ms-blob-type", "BlockBlob");
        request.insert_header("content-type", "application/octet-stream");
        request.insert_header("content-length", bytes.len().to_string());
        match condition {
            Precondition::Absent => request.insert_header("if-none-match", "*"),
            Precondition::Match(version) => request.insert_header("if-match", version.as_str().to_owned()),
            Precondition::Any => {}
        }
        request.set_body(bytes);
        Ok(self.version(&self.send(PUT, request).await?)?)
    }

    async fn delete_object(&self, blob: &str, expected: Option<&Version>) -> Result<(), BucketError> {
        let mut request = self.request(Method::Delete, blob)?;
        if let Some(version) = expected {
            request.insert_header("if-match", version.as_str().to_owned());
        }
        self.send(DELETE, request).await.map(drop)
    }

    /// Azure has no listing that starts after a name.
    async fn list_objects(&self, range: Range<'_>) -> Result<Listing, BucketError> {
        let mut listing = Listing::default();
        let mut marker = String::new();
        loop {
            let mut request = self.request(Method::Get, "")?;
            let mut query = vec![("restype", "container"), ("comp", "list"), ("prefix", range.prefix)];
            query.extend(range.folded.then_some(("delimiter", "/")));
            query.extend(Some(("marker", marker.as_str())).filter(|(_, marker)| !marker.is_empty()));
            request.url_mut().query_pairs_mut().extend_pairs(query);
            let answer = self.send(GET, request).await?;
            let page =
                Page::read(&body(answer).await?).map_err(|error| self.place.garbled(error).with_call(GET))?;
            // Headers quote ETags, listings do not.
            let version = |tag: String| Version::new(format!("\"{}\"", tag.trim_matches('"')));
            listing.objects.extend(page.blobs.into_iter().map(|(blob, tag)| (blob, version(tag))));
            listing.folders.extend(page.prefixes);
            if page.next.is_empty() {
                return Ok(listing);
            }
            marker = page.next;
        }
    }
}
