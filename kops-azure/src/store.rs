//! A container of blobs as a state store.
//!
//! An object of the store is a block blob, under the prefix of the URL, and its version is the ETag. Conditional writes
//! are Azure's own: `If-None-Match: *` and `If-Match` on Put Blob, `If-Match` on Delete Blob; Azure answers 412, or 409
//! for a blob that is there already. Reads and lists see every write from the moment it was answered
//! (<https://learn.microsoft.com/en-us/azure/storage/blobs/concurrency-manage>).
//!
//! The calls are our own, five of them: object_store deletes without conditions and loses the class of most failures,
//! and azure_storage_blobs is no longer kept. The store makes single attempts, as all of this crate does;
//! [`BlobStores`] opens it inside a [`RetryingStore`].

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::auth::TokenCredential;
use azure_core::{HttpClient as _, Method, Request, Response, Url};
use kops_core::clock::Clock;
use kops_core::store::{
    Entry, Key, Object, Precondition, Prefix, RetryingStore, StateStore, StoreOpener, StoreUrl, Version,
};
use kops_core::{Error, ErrorKind, Result};
use quick_xml::events::Event;

use crate::builder::address;
use crate::wire::Transport;
use crate::{AzureBuilder, error};

/// The version of the service that is spoken: the first with everything that is used here is far older.
/// <https://learn.microsoft.com/en-us/rest/api/storageservices/versioning-for-the-azure-storage-services>
const API_VERSION: &str = "2021-12-02";
/// What tokens are for.
const SCOPE: &str = "https://storage.azure.com/.default";

const GET: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read";
const PUT: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write";
const DELETE: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete";

/// Opens `azureblob://account/container/prefix`, with transient failures repeated.
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
    /// With a connection that is made when a store is opened: who opens none needs no credentials. Of the builder
    /// only the credentials are used.
    pub fn new(builder: AzureBuilder, clock: Arc<dyn Clock>) -> Self {
        Self { builder, clock, endpoint: None }
    }

    /// The address of the account's blob service, e.g. an emulator's: `http://127.0.0.1:10000/devstoreaccount1`.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }
}

#[async_trait]
impl StoreOpener for BlobStores {
    async fn open(&self, url: &StoreUrl) -> Result<Arc<dyn StateStore>> {
        let hint = "write azureblob://account/container/prefix";
        let path = url.prefix();
        let (container, prefix) = path.split_once('/').unwrap_or((path, ""));
        if url.host.is_empty() || container.is_empty() {
            return Err(
                Error::invalid(format!("`{url}` does not name an account and a container")).hint(hint)
            );
        }
        let account = match &self.endpoint {
            Some(endpoint) => address(endpoint)?,
            None => address(&format!("https://{}.blob.core.windows.net", url.host))?,
        };
        let prefix = if prefix.is_empty() { Prefix::root() } else { Prefix::new(prefix)? };
        let (transport, credential) = self.builder.authenticate()?;
        let store = BlobStore {
            transport,
            credential,
            address: account,
            account: url.host.clone(),
            container: container.to_owned(),
            prefix,
        };
        Ok(Arc::new(RetryingStore::new(store, self.clock.clone())))
    }
}

/// A container of blobs, or the part of it under a prefix, as a state store; opened by [`BlobStores`].
#[derive(Clone, Debug)]
pub struct BlobStore {
    transport: Transport,
    credential: Arc<dyn TokenCredential>,
    address: Url,
    account: String,
    container: String,
    prefix: Prefix,
}

impl BlobStore {
    /// The address of something in the container.
    fn url(&self, blob: &str) -> Result<Url> {
        let mut url = self.address.clone();
        url.path_segments_mut()
            .map_err(|()| Error::internal("the address has no path"))?
            .pop_if_empty()
            .push(&self.container)
            .extend(blob.split('/').filter(|part| !part.is_empty()));
        Ok(url)
    }

    fn blob(&self, key: &Key) -> Result<Url> {
        self.url(&format!("{}{key}", self.prefix))
    }

    async fn send(&self, call: &'static str, mut request: Request) -> Result<Response> {
        let answer = async {
            let token = self.credential.get_token(&[SCOPE]).await?;
            request.insert_header("authorization", format!("Bearer {}", token.token.secret()));
            request.insert_header("x-ms-version", API_VERSION);
            self.transport.execute_request(&request).await
        };
        answer.await.map_err(|error| self.explain(call, error))
    }

    /// Says what Azure's words mean for a state store.
    fn explain(&self, call: &'static str, error: azure_core::Error) -> Error {
        let error = error::from_sdk(call, Some(self.address.as_str()), error);
        let (account, container) = (&self.account, &self.container);
        match error.kind() {
            ErrorKind::NotFound if error.message().starts_with("ContainerNotFound") => Error::not_found(format!(
                "the container of the state store, {container} in the account {account}, does not exist"
            ))
            .hint(format!(
                "check the name, or make it with `az storage container create --auth-mode login --account-name {account} \
                 --name {container}`; a state store deserves versioning too"
            )),
            ErrorKind::Denied => {
                let message = error.message().to_owned();
                Error::new(ErrorKind::Denied, format!("no access to the container {container} of {account}: {message}"))
                    .hint("a state store needs the role Storage Blob Data Contributor on the account or the container")
            }
            _ => return error,
        }
        .call(call)
        .source(error)
    }

    /// All entries of a listing, by pages.
    async fn entries(&self, prefix: &str, delimiter: Option<&str>) -> Result<Page> {
        let mut all = Page::default();
        let mut marker = String::new();
        loop {
            let mut url = self.url("")?;
            {
                let mut query = url.query_pairs_mut();
                query.append_pair("restype", "container").append_pair("comp", "list");
                query.append_pair("prefix", prefix);
                if let Some(delimiter) = delimiter {
                    query.append_pair("delimiter", delimiter);
                }
                if !marker.is_empty() {
                    query.append_pair("marker", &marker);
                }
            }
            let mut request = Request::new(url, Method::Get);
            request.set_body(azure_core::EMPTY_BODY);
            let answer = self.send(GET, request).await?;
            let bytes = body(GET, answer).await?;
            let page = Page::read(&bytes)?;
            all.blobs.extend(page.blobs);
            all.prefixes.extend(page.prefixes);
            if page.next.is_empty() {
                return Ok(all);
            }
            marker = page.next;
        }
    }

    /// The key of a blob; none for what is only there to show as a directory.
    fn key(&self, blob: &str) -> Result<Option<Key>> {
        let name = blob.strip_prefix(self.prefix.as_str()).unwrap_or(blob);
        if name.is_empty() || name.ends_with('/') {
            return Ok(None);
        }
        Key::new(name).map(Some).map_err(|error| {
            Error::invalid(format!(
                "the container {} has a blob that is not a state store's: {error}",
                self.container
            ))
            .hint("move it out of the way of the state store")
        })
    }
}

async fn body(call: &'static str, answer: Response) -> Result<Vec<u8>> {
    let bytes = answer.into_body().collect().await.map_err(|error| error::from_sdk(call, None, error))?;
    Ok(bytes.to_vec())
}

fn version(answer: &Response) -> Result<Version> {
    let tag = answer.headers().get_optional_str(&azure_core::headers::ETAG);
    tag.map(quoted).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "the store gives its blobs no ETags")
            .hint("use one that does: conditional writes go by them")
    })
}

/// Headers quote ETags, listings do not.
fn quoted(tag: &str) -> Version {
    Version::new(format!("\"{}\"", tag.trim_matches('"')))
}

/// What a page of a listing says.
#[derive(Debug, Default)]
struct Page {
    blobs: Vec<(String, Version)>,
    prefixes: Vec<String>,
    next: String,
}

impl Page {
    fn read(bytes: &[u8]) -> Result<Self> {
        let broken = |error: quick_xml::Error| {
            Error::new(ErrorKind::Unavailable, "the listing of blobs makes no sense").call(GET).source(error)
        };
        let mut reader = quick_xml::Reader::from_reader(bytes);
        let (mut page, mut path) = (Self::default(), Vec::<String>::new());
        let (mut name, mut tag, mut buffer) = (String::new(), String::new(), Vec::new());
        loop {
            match reader.read_event_into(&mut buffer).map_err(broken)? {
                Event::Eof => return Ok(page),
                Event::Start(start) => {
                    path.push(String::from_utf8_lossy(start.name().as_ref()).into_owned());
                }
                Event::End(end) => {
                    match end.name().as_ref() {
                        b"Blob" => {
                            page.blobs.push((std::mem::take(&mut name), quoted(&std::mem::take(&mut tag))));
                        }
                        b"BlobPrefix" => page.prefixes.push(std::mem::take(&mut name)),
                        _ => {}
                    }
                    path.pop();
                }
                Event::Text(text) => {
                    let text = text.decode().map_err(|error| broken(error.into()))?;
                    Self::put(&path, &text, &mut page.next, &mut name, &mut tag);
                }
                // `&amp;` and its like come by themselves.
                Event::GeneralRef(entity) => {
                    let entity = entity.decode().map_err(|error| broken(error.into()))?;
                    let text = match &*entity {
                        "amp" => "&",
                        "lt" => "<",
                        "gt" => ">",
                        "quot" => "\"",
                        "apos" => "'",
                        _ => continue,
                    };
                    Self::put(&path, text, &mut page.next, &mut name, &mut tag);
                }
                _ => {}
            }
            buffer.clear();
        }
    }

    fn put(path: &[String], text: &str, next: &mut String, name: &mut String, tag: &mut String) {
        match path.last().map(String::as_str) {
            Some("NextMarker") => next.push_str(text),
            Some("Name") => name.push_str(text),
            Some("Etag") => tag.push_str(text),
            _ => {}
        }
    }
}

#[async_trait]
impl StateStore for BlobStore {
    fn location(&self) -> String {
        let url = format!("azureblob://{}/{}/{}", self.account, self.container, self.prefix);
        url.trim_end_matches('/').to_owned()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        let mut request = Request::new(self.blob(key)?, Method::Get);
        request.set_body(azure_core::EMPTY_BODY);
        let answer = match self.send(GET, request).await {
            Ok(answer) => answer,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let version = version(&answer)?;
        Ok(Some(Object { bytes: body(GET, answer).await?, version }))
    }

    async fn put(&self, key: &Key, bytes: Vec<u8>, condition: Precondition) -> Result<Version> {
        let mut request = Request::new(self.blob(key)?, Method::Put);
        request.insert_header("x-ms-blob-type", "BlockBlob");
        request.insert_header("content-type", "application/octet-stream");
        request.insert_header("content-length", bytes.len().to_string());
        match &condition {
            Precondition::Absent => request.insert_header("if-none-match", "*"),
            Precondition::Match(version) => request.insert_header("if-match", version.as_str().to_owned()),
            Precondition::Any => {}
        }
        request.set_body(bytes);
        match self.send(PUT, request).await {
            Ok(answer) => version(&answer),
            Err(error) if is_lost(&error) => Err(condition.refusal(self, key)),
            // What was to be replaced is gone.
            Err(error) if is_missing(&error) && matches!(condition, Precondition::Match(_)) => {
                Err(condition.refusal(self, key))
            }
            Err(error) => Err(error),
        }
    }

    async fn delete(&self, key: &Key, expected: Option<&Version>) -> Result<()> {
        let mut request = Request::new(self.blob(key)?, Method::Delete);
        request.set_body(azure_core::EMPTY_BODY);
        if let Some(version) = expected {
            request.insert_header("if-match", version.as_str().to_owned());
        }
        let condition = expected.map_or(Precondition::Any, |version| Precondition::Match(version.clone()));
        match self.send(DELETE, request).await {
            Ok(_) => Ok(()),
            Err(error) if is_missing(&error) && expected.is_none() => Ok(()),
            Err(error) if is_missing(&error) || is_lost(&error) => Err(condition.refusal(self, key)),
            Err(error) => Err(error),
        }
    }

    async fn list(&self, prefix: &Prefix, after: Option<&Key>) -> Result<Vec<Entry>> {
        let page = self.entries(&format!("{}{prefix}", self.prefix), None).await?;
        let mut entries = Vec::new();
        for (blob, version) in page.blobs {
            let Some(key) = self.key(&blob)? else { continue };
            // Azure has no listing that begins behind a name.
            if after.is_none_or(|after| key.as_str() > after.as_str()) {
                entries.push(Entry { key, version });
            }
        }
        entries.sort_by(|a, b| a.key.as_str().cmp(b.key.as_str()));
        Ok(entries)
    }

    async fn directories(&self, prefix: &Prefix) -> Result<Vec<String>> {
        let under = format!("{}{prefix}", self.prefix);
        let page = self.entries(&under, Some("/")).await?;
        let names = page.prefixes.iter().filter_map(|name| name.strip_prefix(&under)?.strip_suffix('/'));
        let mut names: Vec<String> = names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }
}

fn is_missing(error: &Error) -> bool {
    let missing = [ErrorKind::NotFound, ErrorKind::NotYetVisible].contains(&error.kind());
    missing && !error.message().contains("container of the state store")
}

fn is_lost(error: &Error) -> bool {
    error.kind() == ErrorKind::Conflict || error.kind() == ErrorKind::AlreadyExists
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read() {
        let xml =
            b"<?xml version=\"1.0\"?><EnumerationResults><Blobs><Blob><Name>a&amp;b/c</Name><Properties>\
            <Etag>0x1</Etag></Properties></Blob><BlobPrefix><Name>x/</Name></BlobPrefix></Blobs>\
            <NextMarker>n</NextMarker></EnumerationResults>";
        let page = Page::read(xml).unwrap();
        assert_eq!(page.blobs, [("a&b/c".to_owned(), quoted("\"0x1\""))]);
        assert_eq!((page.prefixes, page.next), (vec!["x/".to_owned()], "n".to_owned()));
    }
}
