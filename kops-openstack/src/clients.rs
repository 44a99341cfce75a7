//! The only way to make calls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kops_core::clock::Clock;
use kops_core::cloud::{Context, Limiter};
use kops_core::{Error, ErrorKind, Result};
use osauth::client::AuthenticatedClient;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, USER_AGENT};
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::access_rules::AccessRule;
use crate::{actions, error, limits};

/// The slowest calls in use (a server, a load balancer with all its parts) are answered within seconds. A
/// call that has not been answered by then will not be; checking its effect is better than waiting.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Objects per page; a service may have a lower limit, and links to the next page.
const PAGE: usize = 500;

/// A service of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Service {
    Compute,
    Network,
    Volume,
    Image,
    LoadBalancer,
    Dns,
    ObjectStore,
    Identity,
}

impl Service {
    pub(crate) const ALL: [Self; 8] = [
        Self::Compute,
        Self::Network,
        Self::Volume,
        Self::Image,
        Self::LoadBalancer,
        Self::Dns,
        Self::ObjectStore,
        Self::Identity,
    ];

    /// Its types in the catalogue, the current one first.
    pub(crate) fn types(self) -> &'static [&'static str] {
        match self {
            Self::Compute => &["compute"],
            Self::Network => &["network"],
            Self::Volume => &["block-storage", "volumev3", "volume"],
            Self::Image => &["image"],
            Self::LoadBalancer => &["load-balancer"],
            Self::Dns => &["dns"],
            Self::ObjectStore => &["object-store"],
            Self::Identity => &["identity"],
        }
    }

    /// The version in the path, if the catalogue omits it.
    pub(crate) fn version(self) -> Option<&'static str> {
        match self {
            Self::Compute => Some("v2.1"),
            Self::Network => Some("v2.0"),
            Self::Volume | Self::Identity => Some("v3"),
            Self::Image | Self::LoadBalancer | Self::Dns => Some("v2"),
            Self::ObjectStore => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        self.types()[0]
    }
}

/// A request, without what all requests have in common.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) service: Service,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Option<Value>,
    /// The microversion of Compute's or Block Storage's API, if the first one is not enough.
    pub(crate) microversion: Option<&'static str>,
}

impl Call {
    pub(crate) fn new(method: Method, service: Service, path: impl Into<String>) -> Self {
        Self { method, service, path: path.into(), query: Vec::new(), body: None, microversion: None }
    }

    pub(crate) fn get(service: Service, path: impl Into<String>) -> Self {
        Self::new(Method::GET, service, path)
    }

    pub(crate) fn post(service: Service, path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::POST, service, path).body(body)
    }

    pub(crate) fn put(service: Service, path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::PUT, service, path).body(body)
    }

    pub(crate) fn patch(service: Service, path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::PATCH, service, path).body(body)
    }

    pub(crate) fn delete(service: Service, path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, service, path)
    }

    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) fn query(mut self, query: &[(&str, String)]) -> Self {
        self.query.extend(query.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        self
    }

    pub(crate) fn microversion(mut self, version: &'static str) -> Self {
        self.microversion = Some(version);
        self
    }

    fn read_only(&self) -> bool {
        [Method::GET, Method::HEAD].contains(&self.method)
    }

    /// Its name in errors: identifiers in the path are not secret; bodies and queries are omitted.
    pub(crate) fn name(&self) -> String {
        format!("{} {}/{}", self.method, self.service.name(), self.path)
    }
}

/// A successful response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

/// A service in the catalogue.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) service: Service,
    /// Its type in the catalogue.
    pub(crate) kind: &'static str,
    /// The URL, including the version.
    pub(crate) url: Url,
}

/// The identity in the token.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The identifier of the project.
    pub(crate) project: String,
    /// The identifier of the user.
    pub(crate) user: String,
    /// The names of the user's roles in the project.
    pub(crate) roles: Vec<String>,
    /// The only calls that the credentials allow; `None` if they are not restricted.
    pub(crate) access_rules: Option<Vec<AccessRule>>,
    /// Whether they are an application credential that may not create or delete others.
    pub(crate) restricted: bool,
}

/// The authenticated connection. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Clients {
    pub(crate) clock: Arc<dyn Clock>,
    http: AuthenticatedClient,
    endpoints: Arc<Vec<Endpoint>>,
    user_agent: Arc<str>,
    limiter: Limiter,
    identity: Arc<Identity>,
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the session, which contains the password.
        f.debug_struct("Clients").field("project", &self.project()).finish_non_exhaustive()
    }
}

impl Clients {
    pub(crate) fn new(
        http: AuthenticatedClient,
        endpoints: Vec<Endpoint>,
        identity: Identity,
        user_agent: &str,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            limiter: Limiter::new(clock.clone(), limits::buckets(), limits::SLOTS),
            clock,
            http,
            endpoints: Arc::new(endpoints),
            user_agent: user_agent.into(),
            identity: Arc::new(identity),
        }
    }

    /// The project of the credentials.
    pub(crate) fn project(&self) -> &str {
        &self.identity.project
    }

    /// The identity in the token.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The only calls that the credentials allow; `None` if they are not restricted.
    pub(crate) fn access_rules(&self) -> Option<&[AccessRule]> {
        self.identity.access_rules.as_deref()
    }

    /// The services that the cloud has.
    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The endpoint of a service; `None` if the cloud does not have it.
    pub(crate) fn endpoint(&self, service: Service) -> Option<&Endpoint> {
        self.endpoints.iter().find(|it| it.service == service)
    }

    /// Whether the cloud has a service.
    pub(crate) fn has(&self, service: Service) -> bool {
        self.endpoint(service).is_some()
    }

    fn url(&self, service: Service, path: &str) -> Result<Url> {
        let Some(Endpoint { url: base, .. }) = self.endpoint(service) else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("this cloud has no service of the type {}", service.name()),
            )
            .with_hint("see `openstack catalog list`; check the region and the interface"));
        };
        let mut url = base.clone();
        // Segment by segment, so that each is escaped as necessary.
        match url.path_segments_mut() {
            Ok(mut segments) => drop(segments.pop_if_empty().extend(path.split('/'))),
            Err(()) => return Err(Error::invalid(format!("`{base}` is not a valid service URL"))),
        }
        Ok(url)
    }

    /// The request of a call, for callers that need more of the response than its body.
    pub(crate) fn request(&self, call: &Call) -> Result<osauth::client::RequestBuilder> {
        debug_assert!(actions::is_listed(&call.name()), "{}: see actions.rs", call.name());
        let mut url = self.url(call.service, &call.path)?;
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        let mut request = self.http.request(call.method.clone(), url).timeout(TIMEOUT);
        request = request.header(USER_AGENT, &*self.user_agent);
        if let Some(version) = call.microversion {
            let kind = if call.service == Service::Volume { "volume" } else { "compute" };
            request = request.header("openstack-api-version", format!("{kind} {version}"));
        }
        Ok(match &call.body {
            Some(body) => request.json(body),
            None => request,
        })
    }

    /// Makes a call once the rate limits admit it, and converts its error. [`Limiter::run`] documents when it
    /// is cancelled.
    pub(crate) async fn send(&self, cx: &Context, call: Call) -> Result<Value> {
        let name = call.name();
        let Answer { bytes, .. } = self.exchange(cx, call, HeaderMap::new(), Vec::new()).await?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|error| {
            Error::new(ErrorKind::Unavailable, format!("malformed response: {error}"))
                .with_call(&name)
                .with_hint("check that the endpoint is OpenStack; a proxy may be in between")
        })
    }

    /// [`send`](Self::send) with more headers and, unless the call has a document, a body of bytes.
    pub(crate) async fn exchange(
        &self,
        cx: &Context,
        call: Call,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answer> {
        let name = call.name();
        let (service, read_only) = (call.service, call.read_only());
        let mut request = self.request(&call).map_err(|error| error.with_call(&name))?;
        for (header, value) in &headers {
            request = request.header(header, value);
        }
        if call.body.is_none() && [Method::PUT, Method::POST].contains(&call.method) {
            // The length of an empty body is only sent if set explicitly.
            request = request.header(CONTENT_LENGTH, body.len()).body(body);
        }
        let answer = async {
            let answer = request.send_unchecked().await.map_err(|error| error::unanswered(&name, &error))?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let bytes = answer.bytes().await.map_err(|_| {
                Error::new(ErrorKind::Unavailable, "the connection was closed during the response")
                    .with_call(&name)
            })?;
            if !status.is_success() {
                let text = String::from_utf8_lossy(&bytes);
                return Err(error::answered(&name, status.as_u16(), &headers, &text));
            }
            Ok(Answer { headers, bytes: bytes.to_vec() })
        };
        let answered = self.limiter.run(limits::bucket_of(service), read_only, cx, answer).await;
        answered.map_err(|error| match error.kind() {
            ErrorKind::Cancelled => error.with_call(&name),
            _ => error,
        })
    }

    /// The status of a request without a token, such as one whose URL carries a signature. Neither is in the error.
    pub(crate) async fn status_of(&self, method: Method, url: &str) -> Result<u16> {
        self.status(self.http.inner().request(method, url)).await
    }

    async fn status(&self, request: reqwest::RequestBuilder) -> Result<u16> {
        let answer = request.header(USER_AGENT, &*self.user_agent).timeout(TIMEOUT).send().await;
        let unanswered = |error: reqwest::Error| {
            Error::new(ErrorKind::Unavailable, format!("no answer: {}", error.without_url()))
        };
        Ok(answer.map_err(unanswered)?.status().as_u16())
    }

    /// The status of a login with an application credential: 401 if it no longer exists.
    pub(crate) async fn log_in(&self, id: &str, secret: &str) -> Result<u16> {
        let url = self.url(Service::Identity, "auth/tokens")?;
        let login = serde_json::json!({ "auth": { "identity": {
            "methods": ["application_credential"],
            "application_credential": { "id": id, "secret": secret },
        } } });
        self.status(self.http.inner().post(url).json(&login)).await
    }

    /// Makes a call whose response has one object under `item`.
    pub(crate) async fn fetch<T: DeserializeOwned>(&self, cx: &Context, call: Call, item: &str) -> Result<T> {
        let name = call.name();
        let mut answer = self.send(cx, call).await?;
        parse(&name, answer.get_mut(item).map(Value::take).unwrap_or(answer))
    }

    /// Reads all pages of a listing, whose objects are under `items`.
    pub(crate) async fn all<T: DeserializeOwned>(
        &self,
        cx: &Context,
        call: Call,
        items: &str,
    ) -> Result<Vec<T>> {
        let name = call.name();
        let mut all = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let mut call = call.clone().query(&[("limit", PAGE.to_string())]);
            if let Some(marker) = &marker {
                call = call.query(&[("marker", marker.clone())]);
            }
            let mut page = self.send(cx, call).await?;
            let Some(Value::Array(objects)) = page.get_mut(items).map(Value::take) else {
                return Err(senseless(&name, &format!("it has no {items}")));
            };
            let last = objects.last().and_then(|last| last.get("id")).and_then(Value::as_str);
            let next = last.map(str::to_owned).filter(|_| has_next(&page, items));
            for object in objects {
                all.push(parse(&name, object)?);
            }
            match next {
                Some(next) => marker = Some(next),
                None => return Ok(all),
            }
        }
    }
}

/// Whether a page has a successor. Each service tells this in its own way.
fn has_next(page: &Value, items: &str) -> bool {
    let links = page.get(format!("{items}_links")).or_else(|| page.get("links"));
    match links {
        Some(Value::Array(links)) => links.iter().any(|link| link["rel"] == "next"),
        Some(Value::Object(links)) => links.get("next").is_some_and(Value::is_string),
        _ => page.get("next").is_some_and(Value::is_string),
    }
}

pub(crate) fn parse<T: DeserializeOwned>(call: &str, value: Value) -> Result<T> {
    T::deserialize(value).map_err(|error| senseless(call, &error.to_string()))
}

fn senseless(call: &str, why: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("malformed response: {why}")).with_call(call)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_service_says_in_its_own_way_that_there_is_more() {
        for page in [
            json!({"networks": [], "networks_links": [{"rel": "next", "href": "x"}]}),
            json!({"networks": [], "links": {"next": "x"}}),
            json!({"networks": [], "next": "/v2/images?marker=1"}),
        ] {
            assert!(has_next(&page, "networks"), "{page}");
        }
        for page in [
            json!({"networks": []}),
            json!({"networks": [], "networks_links": [{"rel": "previous", "href": "x"}]}),
            json!({"networks": [], "links": {"self": "x"}}),
        ] {
            assert!(!has_next(&page, "networks"), "{page}");
        }
    }
}
