//! The SDK's clients, and the only way to make calls.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use azure_core::auth::TokenCredential;
use azure_core::{HttpClient, Method, Request, Response, RetryOptions, TransportOptions, Url};
use futures_util::StreamExt as _;
use futures_util::TryFutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use kops_core::clock::Clock;
use kops_core::cloud::{Context, Limiter, Scope};
use kops_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::wire::{self, Transport};
use crate::{error, limits, names};

/// A request in flight.
pub(crate) type Sent = BoxFuture<'static, azure_core::Result<Response>>;
/// The pages of a listing.
pub(crate) type Pages<M> = BoxStream<'static, azure_core::Result<Vec<M>>>;

/// The resource group of a scope's objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// One of its own, named after the scope.
    OfScope,
    /// One of its own with this name.
    Owned(String),
    /// A shared one.
    Shared(String),
}

/// The connection that a builder has configured.
pub(crate) struct Connection {
    pub(crate) credential: Arc<dyn TokenCredential>,
    pub(crate) transport: Transport,
    pub(crate) endpoint: Option<Url>,
    pub(crate) subscription: String,
    pub(crate) location: String,
    pub(crate) group: Group,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A client for every provider in use. They share one HTTP client and one credential. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Clients(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) authorization: azure_mgmt_authorization::Client,
    pub(crate) compute: azure_mgmt_compute::Client,
    pub(crate) dns: azure_mgmt_dns::package_2018_05::Client,
    pub(crate) msi: azure_mgmt_msi::Client,
    pub(crate) network: azure_mgmt_network::Client,
    pub(crate) privatedns: azure_mgmt_privatedns::Client,
    pub(crate) resources: azure_mgmt_resources::Client,
    pub(crate) subscription: String,
    pub(crate) location: String,
    pub(crate) clock: Arc<dyn Clock>,
    group: Group,
    credential: Arc<dyn TokenCredential>,
    transport: Transport,
    endpoint: Option<Url>,
    limiter: Limiter,
    /// The URL of the last long-running operation on each resource, by the resource's identifier.
    operations: Mutex<HashMap<String, Url>>,
}

impl std::ops::Deref for Clients {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients")
            .field("subscription", &self.subscription)
            .field("location", &self.location)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

/// A client of one of the SDK's crates, all of which are generated in the same form.
macro_rules! client {
    ($package:path, $connection:expr) => {{
        let connection: &Connection = $connection;
        let mut builder = <$package>::builder(connection.credential.clone())
            // The engine retries: it knows which calls are safe to repeat, and paces all of them together.
            .retry(RetryOptions::none())
            .transport(TransportOptions::new(Arc::new(connection.transport.clone())));
        if let Some(endpoint) = &connection.endpoint {
            builder = builder.endpoint(endpoint.clone()).scopes(&[SCOPE]);
        }
        builder
            .build()
            .map_err(|error| Error::internal("the SDK's client cannot be created").with_source(error))?
    }};
}

/// The scope of tokens: Azure Resource Manager of the public cloud.
const SCOPE: &str = "https://management.azure.com/.default";
const MANAGEMENT: &str = "https://management.azure.com";

impl Clients {
    pub(crate) fn new(connection: Connection) -> Result<Self> {
        let inner = Inner {
            authorization: client!(azure_mgmt_authorization::Client, &connection),
            compute: client!(azure_mgmt_compute::Client, &connection),
            dns: client!(azure_mgmt_dns::package_2018_05::Client, &connection),
            msi: client!(azure_mgmt_msi::Client, &connection),
            network: client!(azure_mgmt_network::Client, &connection),
            privatedns: client!(azure_mgmt_privatedns::Client, &connection),
            resources: client!(azure_mgmt_resources::Client, &connection),
            limiter: Limiter::new(connection.clock.clone(), limits::buckets(), limits::SLOTS),
            subscription: connection.subscription,
            location: connection.location,
            clock: connection.clock,
            group: connection.group,
            credential: connection.credential,
            transport: connection.transport,
            endpoint: connection.endpoint,
            operations: Mutex::default(),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The resource group of a scope.
    pub(crate) fn group(&self, scope: &Scope) -> String {
        match &self.group {
            Group::OfScope => names::plain(&names::of_scope(scope), 90),
            Group::Owned(name) | Group::Shared(name) => name.clone(),
        }
    }

    /// Whether the resource group is shared.
    pub(crate) fn group_is_shared(&self) -> bool {
        matches!(self.group, Group::Shared(_))
    }

    /// The identifier of a resource group.
    pub(crate) fn group_id(&self, group: &str) -> String {
        format!("/subscriptions/{}/resourceGroups/{group}", self.subscription)
    }

    /// Makes a call, named after its permission, once the rate limits admit it, and converts its error.
    pub(crate) async fn call(&self, cx: &Context, name: &'static str, request: Sent) -> Result<Response> {
        self.admitted(cx, name, request).await
    }

    /// Makes a call and parses its response.
    pub(crate) async fn fetch<M: DeserializeOwned>(
        &self,
        cx: &Context,
        name: &'static str,
        request: Sent,
    ) -> Result<M> {
        let read = async move {
            let bytes = request.await?.into_body().collect().await?;
            Ok(serde_json::from_slice::<M>(&bytes)?)
        };
        self.admitted(cx, name, read).await
    }

    /// All items of a listing; none if the containing object does not exist.
    pub(crate) async fn list<M>(
        &self,
        cx: &Context,
        name: &'static str,
        mut pages: Pages<M>,
    ) -> Result<Vec<M>> {
        let mut all = Vec::new();
        loop {
            let page = async { pages.next().await.transpose() };
            match self.admitted(cx, name, page).await {
                Ok(Some(items)) => all.extend(items),
                Ok(None) => return Ok(all),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error),
            }
        }
    }

    async fn admitted<T>(
        &self,
        cx: &Context,
        name: &'static str,
        request: impl Future<Output = azure_core::Result<T>>,
    ) -> Result<T> {
        let endpoint = self.endpoint.as_ref().map(Url::as_str);
        let explained = async { request.await.map_err(|error| error::from_sdk(name, endpoint, error)) };
        let (bucket, only_looks) = (limits::bucket_of(name), limits::only_looks(name));
        self.limiter.run(bucket, only_looks, cx, explained).await.map_err(|error| match error.kind() {
            ErrorKind::Cancelled => error.with_call(name),
            _ => error,
        })
    }

    /// A request for which the SDK has no faithful builder.
    pub(crate) fn raw(
        &self,
        method: Method,
        path: &str,
        api_version: &str,
        headers: &[(&'static str, &str)],
        body: Option<&Value>,
    ) -> Result<Sent> {
        let mut url = match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => Url::parse(MANAGEMENT)
                .map_err(|error| Error::internal("the base URL is invalid").with_source(error))?,
        };
        url.set_path(path);
        url.query_pairs_mut().append_pair("api-version", api_version);
        let mut request = Request::new(url, method);
        for (name, value) in headers {
            request.insert_header(*name, (*value).to_owned());
        }
        match body {
            Some(body) => {
                request.insert_header("content-type", "application/json");
                request.set_body(body.to_string());
            }
            None => request.set_body(azure_core::EMPTY_BODY),
        }
        Ok(self.signed(request))
    }

    /// A request for the next page of a listing.
    pub(crate) fn follow(&self, link: &str) -> Sent {
        match Url::parse(link) {
            Ok(url) => {
                let mut request = Request::new(url, Method::Get);
                request.set_body(azure_core::EMPTY_BODY);
                self.signed(request)
            }
            Err(error) => Box::pin(async move {
                Err(azure_core::Error::new(azure_core::error::ErrorKind::DataConversion, error))
            }),
        }
    }

    fn signed(&self, mut request: Request) -> Sent {
        let (credential, transport) = (self.credential.clone(), self.transport.clone());
        Box::pin(async move {
            let token = credential.get_token(&[SCOPE]).await?;
            request.insert_header("authorization", format!("Bearer {}", token.token.secret()));
            transport.execute_request(&request).await
        })
    }

    /// Remembers the URL of the operation that a response refers to.
    pub(crate) fn remember(&self, id: &str, answer: &Response) {
        let url = answer.headers().get_optional_str(&wire::OPERATION).and_then(|url| Url::parse(url).ok());
        if let Some(url) = url {
            self.operations
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(id.to_ascii_lowercase(), url);
        }
    }

    /// Why a resource is in the state `Failed`: the error of its last operation, if that was started here.
    pub(crate) async fn failure(&self, cx: &Context, id: &str) -> String {
        let key = id.to_ascii_lowercase();
        let url = self.operations.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let unknown = "Azure reports that its last operation failed; the activity log says why";
        let Some(url) = url else { return unknown.to_owned() };
        let request = Request::new(url, Method::Get);
        match self.fetch::<Value>(cx, OPERATION_READ, self.signed(request)).await {
            Ok(operation) => match wire::told(&operation) {
                (code, message) if code.is_empty() && message.is_empty() => unknown.to_owned(),
                (code, message) => format!("{code}: {message}"),
            },
            Err(_) => unknown.to_owned(),
        }
    }
}

/// Operations are read with the permission for the resource that they change.
const OPERATION_READ: &str = "Microsoft.Resources/subscriptions/operationresults/read";

/// One of the SDK's requests.
pub(crate) fn sent<R>(request: BoxFuture<'static, azure_core::Result<R>>) -> Sent
where
    R: Into<Response> + 'static,
{
    Box::pin(request.map_ok(Into::into))
}

/// One of the SDK's listings.
pub(crate) fn pages<P, M>(
    stream: azure_core::Pageable<P, azure_core::Error>,
    items: impl Fn(P) -> Vec<M> + Send + 'static,
) -> Pages<M>
where
    P: 'static,
{
    Box::pin(stream.map(move |page| page.map(&items)))
}
