//! A real API server, by HTTPS.
//!
//! hyper and rustls on ring, on a connection of its own: nothing is installed process-wide, so a program may
//! have another TLS provider. A [`Kubeconfig`] specifies how clients authenticate: with a client certificate,
//! a token, or a token that a program prints (`exec`).

mod connect;
mod error;
mod token;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Eviction, Kube, ObjectQuery, ObjectRef};
use crate::kubeconfig::Kubeconfig;
use connect::Http;
use error::Failure;
use kops_core::{Error, ErrorKind, Result};
use token::Tokens;

/// The number of objects in a page; kubectl's.
const PAGE: usize = 500;
/// The timeout of a response; the API server itself gives up after a minute.
const ANSWER: Duration = Duration::from_secs(65);

/// The API of a cluster, by HTTPS.
pub struct KubeClient {
    http: Http,
    tokens: Option<Tokens>,
    server: String,
    /// The resources by version and kind that have been used so far.
    resources: Mutex<HashMap<(String, String), Resource>>,
}

impl fmt::Debug for KubeClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KubeClient({})", self.server)
    }
}

/// A request to the API.
struct Call<'a> {
    /// Its purpose, for errors.
    name: &'a str,
    method: Method,
    path: String,
    /// The document to send, and its media type.
    body: Option<(&'static str, &'a Value)>,
}

impl<'a> Call<'a> {
    fn get(name: &'a str, path: impl Into<String>) -> Self {
        Self { name, method: Method::GET, path: path.into(), body: None }
    }

    fn send(name: &'a str, method: Method, path: String, kind: &'static str, body: &'a Value) -> Self {
        Self { name, method, path, body: Some((kind, body)) }
    }
}

/// The API server's discovery document for a version.
#[derive(Debug, Deserialize)]
struct ResourceList {
    resources: Vec<Resource>,
}

/// The path of the objects of a kind.
#[derive(Clone, Debug, Deserialize)]
struct Resource {
    name: String,
    kind: String,
    namespaced: bool,
}

impl KubeClient {
    /// A client for the current context of a kubeconfig. Nothing is sent yet.
    ///
    /// # Errors
    /// `Invalid` if the kubeconfig has no usable context; `Unsupported` if its method of authentication is
    /// not supported; `Io` if a file that it names cannot be read.
    pub fn new(kubeconfig: &Kubeconfig) -> Result<Self> {
        let current = kubeconfig.current()?;
        let http = connect::connect(&current)?;
        let tokens = current.token.map(Tokens::new);
        Ok(Self { http, tokens, server: current.server, resources: Mutex::default() })
    }

    /// The URL of the server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Sends a request and returns the text of a successful response.
    async fn text(&self, call: Call<'_>) -> Result<String, Failure> {
        let answer = self.once(&call).await;
        match (&answer, &self.tokens) {
            // A printed token expires after minutes: a new one is requested, once.
            (Err(failure), Some(tokens))
                if failure.error.kind() == ErrorKind::Unauthenticated && tokens.forget() =>
            {
                self.once(&call).await
            }
            _ => answer,
        }
    }

    async fn once(&self, call: &Call<'_>) -> Result<String, Failure> {
        let request = self.request(call).await?;
        let silent =
            |error: &(dyn std::error::Error + 'static)| Failure::of_silence(error, &self.server, call.name);
        let exchange = async {
            let answer = self.http.request(request).await.map_err(|error| silent(&error))?;
            let code = answer.status();
            let bytes = answer.into_body().collect().await.map_err(|error| silent(&error))?.to_bytes();
            Ok::<_, Failure>((code, String::from_utf8_lossy(&bytes).into_owned()))
        };
        let (code, text) = tokio::time::timeout(ANSWER, exchange).await.map_err(|error| silent(&error))??;
        if code.is_success() { Ok(text) } else { Err(Failure::of_answer(code, text, call.name)) }
    }

    async fn request(&self, call: &Call<'_>) -> Result<Request<Full<hyper::body::Bytes>>> {
        let bytes = call.body.map(|(_, document)| document.to_string().into_bytes()).unwrap_or_default();
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{}", self.server, call.path))
            .header(ACCEPT, "application/json");
        if let Some((kind, _)) = call.body {
            request = request.header(CONTENT_TYPE, kind);
        }
        if let Some(tokens) = &self.tokens {
            let token = format!("Bearer {}", *tokens.current().await?);
            let mut token = HeaderValue::try_from(token).map_err(|_| {
                Error::new(ErrorKind::Unauthenticated, "the kubeconfig's token is not one line of text")
            })?;
            token.set_sensitive(true);
            request = request.header(AUTHORIZATION, token);
        }
        request.body(Full::from(bytes)).map_err(|error| {
            Error::invalid(format!("{} is not the URL of an API server: {error}", self.server))
                .with_call(call.name)
        })
    }

    async fn json(&self, call: Call<'_>) -> Result<Value, Failure> {
        let name = call.name;
        let text = self.text(call).await?;
        serde_json::from_str(&text).map_err(|error| {
            let message = format!("{} returned a response that is not JSON", self.server);
            Error::new(ErrorKind::Unavailable, message).with_call(name).with_source(error).into()
        })
    }

    /// The resource of a kind; requested once.
    async fn resource(&self, api_version: &str, kind: &str) -> Result<Resource> {
        let key = (api_version.to_owned(), kind.to_owned());
        let known = self.resources.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let unknown = || {
            Error::new(ErrorKind::NotFound, format!("the API server has no kind {kind} in {api_version}"))
                .with_hint("apply its CustomResourceDefinition first, or correct apiVersion and kind")
        };
        let call = format!("discover {api_version}");
        let list = match self.json(Call::get(&call, root(api_version))).await {
            Ok(list) => serde_json::from_value::<ResourceList>(list),
            Err(failure) if failure.error.kind() == ErrorKind::NotFound => return Err(unknown()),
            Err(failure) => return Err(failure.into()),
        };
        let list = list.map_err(|error| {
            Error::internal("the API server's resources cannot be read").with_source(error)
        })?;
        // Subresources such as `pods/eviction` have the same kind or another one.
        let found = list.resources.into_iter().find(|it| it.kind == kind && !it.name.contains('/'));
        let found = found.ok_or_else(unknown)?;
        self.resources.lock().unwrap_or_else(PoisonError::into_inner).insert(key, found.clone());
        Ok(found)
    }

    /// The path of an object, or of all of a kind.
    async fn path(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        name: Option<&str>,
    ) -> Result<String> {
        let resource = self.resource(api_version, kind).await?;
        let mut path = root(api_version);
        match (namespace, name) {
            (Some(namespace), _) if resource.namespaced => {
                path = format!("{path}/namespaces/{}", encoded(namespace));
            }
            (None, Some(name)) if resource.namespaced => {
                return Err(Error::invalid(format!("{kind}/{name} has no namespace"))
                    .with_hint("set metadata.namespace"));
            }
            _ => {}
        }
        path = format!("{path}/{}", resource.name);
        Ok(name.map_or(path.clone(), |name| format!("{path}/{}", encoded(name))))
    }

    async fn object_path(&self, object: &ObjectRef) -> Result<String> {
        self.path(&object.api_version, &object.kind, object.namespace.as_deref(), Some(&object.name)).await
    }
}

#[async_trait]
impl Kube for KubeClient {
    async fn version(&self) -> Result<String> {
        let info = self.json(Call::get("get the version", "/version")).await?;
        Ok(info["gitVersion"].as_str().unwrap_or_default().to_owned())
    }

    async fn failing_checks(&self) -> Result<Vec<String>> {
        match self.text(Call::get("check readiness", "/readyz?verbose")).await {
            Ok(_) => Ok(Vec::new()),
            // Not ready is 500 with one line for each check: `[-]etcd failed: reason withheld`.
            Err(Failure { error, text: Some(text), .. }) => {
                let failed = text.lines().filter_map(|line| line.strip_prefix("[-]")?.split(' ').next());
                let failed: Vec<_> = failed.map(str::to_owned).collect();
                if failed.is_empty() { Err(error) } else { Ok(failed) }
            }
            Err(failure) => Err(failure.into()),
        }
    }

    async fn get(&self, object: &ObjectRef) -> Result<Option<Value>> {
        let path = self.object_path(object).await?;
        match self.json(Call::get(&format!("get {object}"), path)).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.error.kind() == ErrorKind::NotFound => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn list(&self, query: &ObjectQuery) -> Result<Vec<Value>> {
        let path = self.path(&query.api_version, &query.kind, query.namespace.as_deref(), None).await?;
        let mut parameters = format!("limit={PAGE}");
        for (name, pairs) in [("labelSelector", &query.labels), ("fieldSelector", &query.fields)] {
            let pairs: Vec<_> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
            if !pairs.is_empty() {
                parameters = format!("{parameters}&{name}={}", encoded(&pairs.join(",")));
            }
        }
        let call = format!("list {}", query.kind);
        let (mut all, mut next) = (Vec::new(), String::new());
        loop {
            let mut page = self.json(Call::get(&call, format!("{path}?{parameters}{next}"))).await?;
            if let Value::Array(items) = page["items"].take() {
                all.extend(items);
            }
            match page["metadata"]["continue"].as_str().filter(|it| !it.is_empty()) {
                Some(token) => next = format!("&continue={}", encoded(token)),
                None => return Ok(all),
            }
        }
    }

    async fn apply(&self, document: &Value, manager: &str, force: bool) -> Result<Value> {
        let object = ObjectRef::of(document)?;
        let path = self.object_path(&object).await?;
        let path = format!("{path}?fieldManager={}&force={force}", encoded(manager));
        let name = format!("apply {object}");
        let kind = "application/apply-patch+yaml"; // JSON is YAML
        Ok(self.json(Call::send(&name, Method::PATCH, path, kind, document)).await?)
    }

    async fn patch(&self, object: &ObjectRef, patch: &Value) -> Result<Value> {
        let (at, name) = (self.object_path(object).await?, format!("patch {object}"));
        Ok(self.json(Call::send(&name, Method::PATCH, at, "application/merge-patch+json", patch)).await?)
    }

    async fn delete(&self, object: &ObjectRef, uid: Option<&str>) -> Result<()> {
        let path = self.object_path(object).await?;
        let mut options =
            json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"});
        if let Some(uid) = uid {
            options["preconditions"] = json!({"uid": uid});
        }
        let name = format!("delete {object}");
        match self.json(Call::send(&name, Method::DELETE, path, "application/json", &options)).await {
            Err(failure) if failure.error.kind() == ErrorKind::NotFound => Ok(()),
            outcome => Ok(outcome.map(drop)?),
        }
    }

    async fn evict(&self, namespace: &str, pod: &str, grace: Option<Duration>) -> Result<Eviction> {
        let mut eviction = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": namespace},
        });
        if let Some(grace) = grace {
            eviction["deleteOptions"] = json!({"gracePeriodSeconds": grace.as_secs()});
        }
        let path = format!("/api/v1/namespaces/{}/pods/{}/eviction", encoded(namespace), encoded(pod));
        let name = format!("evict {namespace}/Pod/{pod}");
        match self.json(Call::send(&name, Method::POST, path, "application/json", &eviction)).await {
            Err(failure) if failure.error.kind() == ErrorKind::NotFound => Ok(Eviction::Accepted),
            Err(Failure { budget: Some(reason), .. }) => Ok(Eviction::Blocked { reason }),
            outcome => Ok(outcome.map(|_| Eviction::Accepted)?),
        }
    }
}

/// The path of a version's API.
fn root(api_version: &str) -> String {
    let prefix = if api_version.contains('/') { "apis" } else { "api" };
    format!("/{prefix}/{api_version}")
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
