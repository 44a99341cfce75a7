//! Configuration of a connection to OpenStack.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use kops_core::clock::{Clock, SystemClock};
use kops_core::{Error, Result};
use osauth::{CloudConfig, Session};
use reqwest::Url;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access_rules::AccessRule;
use crate::clients::{Clients, Endpoint, Identity, Service};
use crate::lower::Site;
use crate::{Openstack, error};

/// Appears in the services' logs.
const USER_AGENT: &str = "kops";

/// Configures a connection to OpenStack.
///
/// ```no_run
/// # async fn example() -> kops_core::Result<()> {
/// use kops_openstack::Openstack;
///
/// let cloud = Openstack::builder()
///     .password("https://keystone.example.com/v3", "ada", "secret", "my-project")
///     .external_network("public")
///     .build()
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// or as OpenStack's own tools do: [`OpenstackBuilder::from_env`] uses `OS_CLOUD` and `clouds.yaml` (in the
/// working directory, `~/.config/openstack` or `/etc/openstack`, with `secure.yaml` beside it;
/// `OS_CLIENT_CONFIG_FILE` names another file), or `OS_AUTH_URL`, `OS_USERNAME`, `OS_PASSWORD`,
/// `OS_APPLICATION_CREDENTIAL_ID` and the other variables of an `openrc`.
#[derive(Clone)]
pub struct OpenstackBuilder {
    source: Source,
    region: Option<String>,
    external_network: Option<String>,
    name_servers: Vec<String>,
    user_agent: String,
    clock: Option<Arc<dyn Clock>>,
}

#[derive(Clone)]
enum Source {
    Nothing,
    Environment,
    Cloud(String),
    Given(Value),
}

impl OpenstackBuilder {
    /// A builder without settings that looks nothing up.
    pub fn new() -> Self {
        Self {
            source: Source::Nothing,
            region: None,
            external_network: None,
            name_servers: Vec::new(),
            user_agent: USER_AGENT.to_owned(),
            clock: None,
        }
    }

    /// Uses `OS_CLOUD` and `clouds.yaml`, or the other `OS_…` variables.
    pub fn from_env() -> Self {
        Self { source: Source::Environment, ..Self::new() }
    }

    /// A cloud of `clouds.yaml`.
    pub fn cloud(mut self, name: impl Into<String>) -> Self {
        self.source = Source::Cloud(name.into());
        self
    }

    /// A user and a project, both in the domain `Default`.
    pub fn password(self, auth_url: &str, user: &str, password: &str, project: &str) -> Self {
        self.auth(json!({ "auth": {
            "auth_url": auth_url, "username": user, "password": password, "project_name": project,
            "user_domain_name": "Default", "project_domain_name": "Default",
        } }))
    }

    /// An application credential, by its identifier; it determines the project.
    pub fn application_credential(self, auth_url: &str, id: &str, secret: &str) -> Self {
        self.auth(json!({ "auth_type": "v3applicationcredential", "auth": {
            "auth_url": auth_url, "application_credential_id": id, "application_credential_secret": secret,
        } }))
    }

    /// An entry as in `clouds.yaml`, with `auth`, `auth_type`, `region_name`, `interface`, `cacert` and
    /// `…_endpoint_override`.
    pub fn auth(mut self, entry: Value) -> Self {
        self.source = Source::Given(entry);
        self
    }

    /// The region, if the catalogue has several. Marks in DNS contain it, so set it always or never.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// The external network, by name or identifier: routers have their gateway in it, and floating IP
    /// addresses are allocated from it. By default the only one there is.
    pub fn external_network(mut self, network: impl Into<String>) -> Self {
        self.external_network = Some(network.into());
        self
    }

    /// The addresses of name servers for machines in new subnets; by default the cloud's own.
    pub fn name_servers(mut self, addresses: impl IntoIterator<Item = String>) -> Self {
        self.name_servers = addresses.into_iter().collect();
        self
    }

    /// The name of the program in the services' logs; by default `kops`.
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = name.into();
        self
    }

    /// The clock that paces calls; by default the system clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Connects: gets a token, and with it the service catalogue.
    ///
    /// # Errors
    ///
    /// - [`Unauthenticated`](kops_core::ErrorKind::Unauthenticated): nothing is configured, or it is
    ///   rejected.
    /// - [`Unavailable`](kops_core::ErrorKind::Unavailable): the identity service does not answer.
    pub async fn build(self) -> Result<Openstack> {
        self.connecting().await
    }

    /// A caller compiles every future that it waits for, except for those in boxes.
    fn connecting(self) -> BoxFuture<'static, Result<Openstack>> {
        Box::pin(async move {
            let clock = self.clock.clone().unwrap_or_else(|| Arc::new(SystemClock::new()));
            if HeaderValue::from_str(&self.user_agent).is_err() {
                return Err(Error::invalid(format!("{:?} is not a valid program name", self.user_agent)));
            }
            let config = self.config()?;
            let mut session = config.create_session().await.map_err(|error| error::from_session(&error))?;
            if let Some(region) = &self.region {
                session = session.with_region(region);
            }
            // The only one, unless it is set.
            let region = session.endpoint_filters().region.clone().unwrap_or_default();
            let identity = identity(&session).await?;
            let endpoints = endpoints(&session).await?;
            let site = Site {
                external_network: self.external_network.unwrap_or_default(),
                name_servers: self.name_servers,
                region: region.clone(),
                services: endpoints.clone(),
            };
            let clients =
                Clients::new(session.client().clone(), endpoints, identity, &self.user_agent, clock);
            Ok(Openstack::new(clients, &region, site))
        })
    }

    fn config(&self) -> Result<CloudConfig> {
        let config = match &self.source {
            Source::Nothing => {
                return Err(Error::new(kops_core::ErrorKind::Unauthenticated, "no credentials are set")
                    .with_hint("use OpenstackBuilder::from_env, cloud, password or application_credential"));
            }
            Source::Environment => match named_file() {
                Some((file, cloud)) => return from_file(&file, &cloud),
                None => CloudConfig::from_env(),
            },
            Source::Cloud(name) => CloudConfig::from_config(name),
            Source::Given(entry) => {
                return CloudConfig::deserialize(entry).map_err(|error| {
                    // Not serde's text, which may quote a secret.
                    Error::invalid(format!("not a valid entry of clouds.yaml ({:?})", error.classify()))
                });
            }
        };
        config.map_err(|error| error::from_session(&error))
    }
}

impl Default for OpenstackBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for OpenstackBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &self.source {
            Source::Nothing => "nothing",
            Source::Environment => "the environment",
            Source::Cloud(name) => name,
            Source::Given(_) => "given",
        };
        f.debug_struct("OpenstackBuilder")
            .field("source", &source)
            .field("region", &self.region)
            .field("external_network", &self.external_network)
            .finish_non_exhaustive()
    }
}

/// The file in `OS_CLIENT_CONFIG_FILE`, which osauth does not support, and the cloud to read from it.
#[expect(clippy::disallowed_methods, reason = "called after from_env alone")]
fn named_file() -> Option<(String, String)> {
    Some((std::env::var("OS_CLIENT_CONFIG_FILE").ok()?, std::env::var("OS_CLOUD").ok()?))
}

fn from_file(file: &str, cloud: &str) -> Result<CloudConfig> {
    let unreadable = |why: String| {
        Error::new(
            kops_core::ErrorKind::Unauthenticated,
            format!("{file}, from OS_CLIENT_CONFIG_FILE: {why}"),
        )
        .with_hint("check the file; its format is that of clouds.yaml")
    };
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))?;
    // Without an excerpt in the error: the file contains passwords.
    let options = serde_saphyr::options! { with_snippet: false };
    let whole: Value = serde_saphyr::from_str_with_options(&text, options)
        .map_err(|error| unreadable(error.without_snippet().to_string()))?;
    let Some(entry) = whole.get("clouds").and_then(|clouds| clouds.get(cloud)) else {
        return Err(unreadable(format!("it has no cloud `{cloud}`")));
    };
    CloudConfig::deserialize(entry).map_err(|_| unreadable(format!("the entry of `{cloud}` is malformed")))
}

/// This header declares that the client supports access rules; otherwise tokens that have some are hidden
/// from it.
const ACCESS_RULES: (&str, &str) = ("openstack-identity-access-rules", "1.0");

/// The identity in the token: the project's own objects are distinguished from those that other projects
/// share with it, and from everyone's if the user is an administrator.
async fn identity(session: &Session) -> Result<Identity> {
    #[derive(Deserialize)]
    struct Answer {
        token: Token,
    }
    #[derive(Deserialize)]
    struct Token {
        project: Option<Project>,
        #[serde(default)]
        user: User,
        #[serde(default)]
        roles: Vec<Role>,
        application_credential: Option<ApplicationCredential>,
    }
    #[derive(Deserialize)]
    struct Project {
        id: String,
    }
    #[derive(Default, Deserialize)]
    struct User {
        id: String,
    }
    #[derive(Deserialize)]
    struct Role {
        name: String,
    }
    #[derive(Deserialize)]
    struct ApplicationCredential {
        access_rules: Option<Vec<AccessRule>>,
        #[serde(default)]
        restricted: bool,
    }
    let call = "GET identity/auth/tokens";
    let explain = |error: osauth::Error| error::from_session(&error).with_call(call);
    let client = session.client();
    let identity = client.get_endpoint("identity", session.endpoint_filters()).await.map_err(explain)?;
    let identity = identity.as_str().trim_end_matches('/');
    let version = if identity.ends_with("/v3") { "" } else { "/v3" };
    let url = format!("{identity}{version}/auth/tokens");
    // A token is described on request by passing it; the session adds it to a header of every request.
    let blank = client.inner().get(&url);
    let signed = session.auth_type().authenticate(client.inner(), blank).await.map_err(explain)?;
    let token = signed.build().ok().and_then(|request| request.headers().get("x-auth-token").cloned());
    let Some(token) = token else {
        return Err(
            Error::invalid("the credentials do not provide a token").with_hint("authenticate with Keystone")
        );
    };
    let url = Url::parse(&url).map_err(|error| Error::invalid(format!("{url}: {error}")))?;
    let request = client.request(reqwest::Method::GET, url).header("x-subject-token", token);
    let (header, version) = ACCESS_RULES;
    let Answer { token } = request.header(header, version).fetch().await.map_err(explain)?;
    let project = token.project.ok_or_else(|| {
        Error::new(kops_core::ErrorKind::Unauthenticated, "the credentials are not scoped to a project")
            .with_hint("set the project: OS_PROJECT_NAME, or project_name in clouds.yaml")
    })?;
    let restricted = token.application_credential.as_ref().is_some_and(|it| it.restricted);
    Ok(Identity {
        project: project.id,
        user: token.user.id,
        roles: token.roles.into_iter().map(|it| it.name).collect(),
        access_rules: token.application_credential.and_then(|it| it.access_rules),
        restricted,
    })
}

/// The services in the catalogue, with their URLs, including the version.
async fn endpoints(session: &Session) -> Result<Vec<Endpoint>> {
    let mut endpoints = Vec::new();
    for service in Service::ALL {
        let mut found = None;
        for kind in service.types() {
            if let Some(url) = session.endpoint_overrides().get(*kind) {
                found = Some((*kind, url.clone()));
                break;
            }
            match session.client().get_endpoint(kind, session.endpoint_filters()).await {
                Ok(url) => {
                    found = Some((*kind, url));
                    break;
                }
                Err(error) if error.kind() == osauth::ErrorKind::EndpointNotFound => {}
                Err(error) => return Err(error::from_session(&error)),
            }
        }
        if let Some((kind, url)) = found {
            endpoints.push(Endpoint { service, kind, url: with_version(service, url) });
        }
    }
    Ok(endpoints)
}

/// The URL with the version in its path, if the catalogue omits it.
fn with_version(service: Service, mut url: Url) -> Url {
    let is_version = |segment: &str| {
        segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let has = url.path_segments().is_some_and(|mut segments| segments.any(is_version));
    if let Some(version) = service.version().filter(|_| !has) {
        let path = format!("{}/{version}", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_get_the_version_that_they_lack() {
        let of = |service, url: &str| with_version(service, Url::parse(url).unwrap()).to_string();
        for (service, url, whole) in [
            (Service::Network, "http://a:9696/", "http://a:9696/v2.0"),
            (Service::Network, "http://a/network/v2.0", "http://a/network/v2.0"),
            (Service::Compute, "http://a/compute/v2.1", "http://a/compute/v2.1"),
            (Service::Volume, "http://a/volume/v3/0123", "http://a/volume/v3/0123"),
            (Service::LoadBalancer, "http://a:9876", "http://a:9876/v2"),
            (Service::ObjectStore, "http://a/v1/AUTH_0", "http://a/v1/AUTH_0"),
        ] {
            assert_eq!(of(service, url), whole);
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let builder = OpenstackBuilder::new().password("http://a", "ada", "hunter2", "p");
        assert!(!format!("{builder:?}").contains("hunter2"));
    }
}
