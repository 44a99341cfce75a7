//! Configuration of a connection to Google Cloud.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use google_cloud_auth::credentials::{Builder as ApplicationDefault, Credentials, anonymous};
use kops_core::clock::{Clock, SystemClock};
use kops_core::{Error, Result};
use rustls::crypto::{CryptoProvider, ring};

use crate::clients::Clients;
use crate::{Gce, error};

/// The slowest calls in use (a full page of instances) take a few seconds. A call that has not been answered
/// by then will not be; checking its effect is better than waiting.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// All of Google Cloud; the permissions of the identity are the limit.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Configures a connection to Google Cloud.
///
/// Either everything is set explicitly, and nothing is read from the environment:
///
/// ```no_run
/// # async fn example() -> kops_core::Result<()> {
/// use kops_gce::Gce;
///
/// let gce = Gce::builder()
///     .project("my-project")
///     .region("europe-west3")
///     .endpoint("http://127.0.0.1:8080")
///     .anonymous()
///     .install_ring()
///     .build()
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// or settings are looked up where Google's tools look for them ([`GceBuilder::from_env`]).
///
/// # Retries
///
/// The SDK's own retries are disabled. The engine knows which calls are safe to repeat and how to find what a
/// call with a lost answer created, it paces all calls together, and it reports what it waits for. Two retry
/// loops would multiply.
///
/// # TLS
///
/// Google's SDK uses the cryptography provider of the process, rustls' [default
/// provider][rustls::crypto::CryptoProvider]. It cannot have its own: `google-cloud-gax-internal` creates its HTTP
/// client internally, and `google-cloud-auth` signs with the default provider's keys; both include only aws-lc, which
/// requires a C compiler and CMake. The provider affects the whole process, so the program has to choose it. Either
/// the program installs one, as most programs with rustls do, or it lets the builder install ring
/// ([`GceBuilder::install_ring`]); otherwise [`build`](GceBuilder::build) returns an error.
#[derive(Clone)]
pub struct GceBuilder {
    environment: bool,
    project: Option<String>,
    region: Option<String>,
    endpoints: Endpoints,
    credentials: Option<Credentials>,
    clock: Option<Arc<dyn Clock>>,
    install_ring: bool,
}

/// Endpoints other than Google's own, without a path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoints {
    pub(crate) compute: Option<String>,
    pub(crate) dns: Option<String>,
    pub(crate) iam: Option<String>,
    pub(crate) storage: Option<String>,
    pub(crate) resource_manager: Option<String>,
}

impl GceBuilder {
    /// A builder without settings that looks nothing up.
    pub fn new() -> Self {
        Self {
            environment: false,
            project: None,
            region: None,
            endpoints: Endpoints::default(),
            credentials: None,
            clock: None,
            install_ring: false,
        }
    }

    /// Looks up settings that are not set explicitly as Google's tools do:
    ///
    /// | what | variables |
    /// |---|---|
    /// | project | `GOOGLE_CLOUD_PROJECT`, `CLOUDSDK_CORE_PROJECT` |
    /// | region | `CLOUDSDK_COMPUTE_REGION`, `GOOGLE_CLOUD_REGION`, or that of `CLOUDSDK_COMPUTE_ZONE` |
    /// | endpoints | `CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE`, `…_DNS`, `…_IAM`, `…_STORAGE`, `…_CLOUDRESOURCEMANAGER` |
    /// | no credentials at all, for emulators | `CLOUDSDK_AUTH_DISABLE_CREDENTIALS=true` |
    ///
    /// Credentials are the application default ones: `GOOGLE_APPLICATION_CREDENTIALS`, gcloud's, or the
    /// metadata server's.
    pub fn from_env() -> Self {
        Self { environment: true, ..Self::new() }
    }

    /// The project's identifier, e.g. `my-project`.
    pub fn project(mut self, project: impl Into<String>) -> Self {
        self.project = Some(project.into());
        self
    }

    /// The region, e.g. `europe-west3`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// One endpoint for all services, for example an emulator's.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        let endpoint = Some(endpoint.into());
        self.endpoints = Endpoints {
            compute: endpoint.clone(),
            dns: endpoint.clone(),
            iam: endpoint.clone(),
            storage: endpoint.clone(),
            resource_manager: endpoint,
        };
        self
    }

    /// The credentials.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Sends calls without credentials, for emulators.
    pub fn anonymous(self) -> Self {
        self.credentials(anonymous::Builder::new().build())
    }

    /// Installs ring as the process' cryptography provider while building, unless the program has installed one;
    /// [see above](GceBuilder#tls). For programs, not for libraries, because it affects the whole process.
    pub fn install_ring(mut self) -> Self {
        self.install_ring = true;
        self
    }

    /// The clock that paces calls; by default the system clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Connects: determines project, region and credentials. No call is made to Google unless the credentials
    /// need one.
    ///
    /// # Errors
    ///
    /// - [`Invalid`](kops_core::ErrorKind::Invalid): no project or region, or a malformed one, or a malformed
    ///   endpoint.
    /// - [`Unauthenticated`](kops_core::ErrorKind::Unauthenticated): no credentials; the error lists the
    ///   places that were searched.
    pub async fn build(self) -> Result<Gce> {
        self.connecting().await
    }

    /// [`build`](Self::build) in a box: whoever awaits a future compiles all of it, down to the SDK.
    fn connecting(mut self) -> BoxFuture<'static, Result<Gce>> {
        Box::pin(async move {
            let clock = self.clock.take().unwrap_or_else(|| Arc::new(SystemClock::new()));
            self.look_up();
            let hint = "set it; with from_env also in GOOGLE_CLOUD_PROJECT";
            let project = checked("project", self.project.take(), hint)?;
            let hint = "set it, for example to europe-west3; with from_env also in CLOUDSDK_COMPUTE_REGION";
            let region = checked("region", self.region.take(), hint)?;
            let connection = self.connect()?;
            let clients =
                Clients::new(project, region, &connection.credentials, &connection.endpoints, clock).await?;
            Ok(Gce::new(clients))
        })
    }

    /// The part of the connection that a state store needs.
    pub(crate) fn connection(mut self) -> Result<Connection> {
        self.look_up();
        self.connect()
    }

    fn connect(self) -> Result<Connection> {
        check_tls(self.install_ring)?;
        let mut endpoints = self.endpoints;
        for endpoint in [
            &mut endpoints.compute,
            &mut endpoints.dns,
            &mut endpoints.iam,
            &mut endpoints.storage,
            &mut endpoints.resource_manager,
        ] {
            if let Some(address) = endpoint {
                *endpoint = Some(checked_endpoint(address)?);
            }
        }
        let credentials = match self.credentials {
            Some(credentials) => credentials,
            None if self.environment => {
                ApplicationDefault::default().with_scopes([SCOPE]).build().map_err(error::from_credentials)?
            }
            None => {
                return Err(Error::new(kops_core::ErrorKind::Unauthenticated, "no credentials are set")
                    .with_hint("set credentials, or use GceBuilder::from_env"));
            }
        };
        Ok(Connection { credentials, endpoints })
    }

    fn look_up(&mut self) {
        if !self.environment {
            return;
        }
        let first = |names: &[&str]| names.iter().find_map(|name| variable(name));
        self.project =
            self.project.take().or_else(|| first(&["GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"]));
        self.region = self.region.take().or_else(|| {
            first(&["CLOUDSDK_COMPUTE_REGION", "GOOGLE_CLOUD_REGION"]).or_else(|| {
                let zone = variable("CLOUDSDK_COMPUTE_ZONE")?;
                zone.rsplit_once('-').map(|(region, _)| region.to_owned())
            })
        });
        for (endpoint, service) in [
            (&mut self.endpoints.compute, "COMPUTE"),
            (&mut self.endpoints.dns, "DNS"),
            (&mut self.endpoints.iam, "IAM"),
            (&mut self.endpoints.storage, "STORAGE"),
            (&mut self.endpoints.resource_manager, "CLOUDRESOURCEMANAGER"),
        ] {
            if endpoint.is_none() {
                *endpoint = variable(&format!("CLOUDSDK_API_ENDPOINT_OVERRIDES_{service}"));
            }
        }
        let disabled = variable("CLOUDSDK_AUTH_DISABLE_CREDENTIALS").map(|text| text.to_ascii_lowercase());
        if self.credentials.is_none() && matches!(disabled.as_deref(), Some("true" | "1" | "yes")) {
            self.credentials = Some(anonymous::Builder::new().build());
        }
    }
}

impl Default for GceBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for GceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the credentials themselves, whose `Debug` output may show anything.
        f.debug_struct("GceBuilder")
            .field("environment", &self.environment)
            .field("project", &self.project)
            .field("region", &self.region)
            .field("endpoints", &self.endpoints)
            .field("credentials", &self.credentials.as_ref().map(|_| "given"))
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

/// Credentials and endpoints.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) credentials: Credentials,
    pub(crate) endpoints: Endpoints,
}

#[expect(clippy::disallowed_methods, reason = "called from from_env's look_up alone")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Checks that there is a cryptography provider; without one the SDK would panic.
fn check_tls(install_ring: bool) -> Result<()> {
    if CryptoProvider::get_default().is_none() && install_ring {
        // Fails if the program has installed one in the meantime, which is then used.
        let _ = ring::default_provider().install_default();
    }
    if CryptoProvider::get_default().is_some() {
        return Ok(());
    }
    Err(Error::invalid("rustls has no cryptography provider in this process, which Google's SDK requires")
        .with_hint(
            "install one when the program starts, for example with \
             rustls::crypto::ring::default_provider().install_default(), or call GceBuilder::install_ring",
        ))
}

fn checked(what: &str, value: Option<String>, hint: &str) -> Result<String> {
    let Some(value) = value else {
        return Err(Error::invalid(format!("no Google Cloud {what} is set")).with_hint(hint));
    };
    // They become part of URLs. Old projects are in domains: `example.com:project`.
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':');
    if value.is_empty() || !value.bytes().all(fits) {
        return Err(Error::invalid(format!("`{value}` is not a valid Google Cloud {what}")).with_hint(hint));
    }
    Ok(value)
}

/// An endpoint without the path of an API, which gcloud's overrides include and the SDK adds itself.
fn checked_endpoint(endpoint: &str) -> Result<String> {
    let bare = ["/compute/v1", "/dns/v1", "/storage/v1", "/v1", "/v3", ""]
        .iter()
        .find_map(|path| endpoint.trim_end_matches('/').strip_suffix(path))
        .unwrap_or(endpoint);
    let host = bare.strip_prefix("http://").or_else(|| bare.strip_prefix("https://"));
    if host.is_some_and(|host| !host.is_empty() && !host.starts_with('/')) {
        return Ok(bare.to_owned());
    }
    Err(Error::invalid(format!("the endpoint `{endpoint}` is not a valid URL"))
        .with_hint("use http://host:port or https://host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_taken_as_gcloud_writes_them() {
        for (given, bare) in [
            ("http://127.0.0.1:80", "http://127.0.0.1:80"),
            ("https://compute.googleapis.com/compute/v1/", "https://compute.googleapis.com"),
            ("https://h/dns/v1/", "https://h"),
            ("https://h/base/storage/v1", "https://h/base"),
        ] {
            assert_eq!(checked_endpoint(given).unwrap(), bare);
        }
        for wrong in ["", "host", "http://", "ftp://host", "http:///path"] {
            assert!(checked_endpoint(wrong).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn what_is_missing_is_told() {
        let error = GceBuilder::new().install_ring().build().await.unwrap_err();
        assert!(error.to_string().contains("no Google Cloud project is set"), "{error}");
        let error = GceBuilder::new().install_ring().project("p").region("a/b").build().await.unwrap_err();
        assert!(error.to_string().contains("`a/b`"), "{error}");
        let error = GceBuilder::new().install_ring().project("p").region("r").build().await.unwrap_err();
        assert_eq!(error.kind(), kops_core::ErrorKind::Unauthenticated);
        GceBuilder::new().install_ring().project("p").region("r").anonymous().build().await.unwrap();
    }
}
