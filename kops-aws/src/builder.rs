//! Configuration of a connection to AWS.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::future::ProvideCredentials as CredentialsFuture;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use futures_util::future::BoxFuture;
use kops_core::clock::{Clock, SystemClock};
use kops_core::{Error, Result};

use crate::clients::Clients;
use crate::{Aws, error};

/// AWS endpoints answer a SYN within milliseconds; a few seconds allow for one that was lost.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The slowest calls in use (CreateAutoScalingGroup, a full page of instances) take a few seconds. A call
/// that has not been answered by then will not be; checking its effect is better than waiting.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// Appears in CloudTrail and in the account's access logs.
const APP_NAME: &str = "kops";

/// Configures a connection to AWS.
///
/// Either everything is set explicitly, and nothing is read from the environment:
///
/// ```no_run
/// # async fn example() -> kops_core::Result<()> {
/// use kops_aws::Aws;
///
/// let aws = Aws::builder()
///     .region("eu-central-1")
///     .static_credentials("AKIA…", "secret", None)
///     .build()
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// or settings are looked up where AWS's tools look for them ([`AwsBuilder::from_env`]).
///
/// # Retries
///
/// The SDK's own retries are disabled. They repeat any call that failed with a 5xx or without an answer,
/// whatever the call created: a repeated `AllocateAddress` is a second address, paid for until someone
/// notices. The engine knows which calls are safe to repeat and how to find what a call with a lost answer
/// created, it paces all calls of the account together, and it reports what it waits for. Two retry loops
/// would also multiply.
#[derive(Clone)]
pub struct AwsBuilder {
    environment: bool,
    region: Option<String>,
    endpoint: Option<String>,
    profile: Option<String>,
    credentials: Option<SharedCredentialsProvider>,
    clock: Option<Arc<dyn Clock>>,
}

impl AwsBuilder {
    /// A builder without settings that looks nothing up.
    pub fn new() -> Self {
        Self {
            environment: false,
            region: None,
            endpoint: None,
            profile: None,
            credentials: None,
            clock: None,
        }
    }

    /// Looks up settings that are not set explicitly where all AWS tools do: in the environment
    /// (`AWS_REGION`, `AWS_PROFILE`, `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, …), in the profiles of
    /// `~/.aws`, and at the metadata services of ECS and EC2.
    pub fn from_env() -> Self {
        Self { environment: true, ..Self::new() }
    }

    /// The region, e.g. `eu-central-1`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// One endpoint for all services, for example an emulator's.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// The profile of `~/.aws` for region and credentials; only used after [`AwsBuilder::from_env`].
    pub fn profile(mut self, profile: impl Into<String>) -> Self {
        self.profile = Some(profile.into());
        self
    }

    /// The provider of credentials.
    pub fn credentials(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.credentials = Some(SharedCredentialsProvider::new(provider));
        self
    }

    /// An access key, its secret, and the session token if there is one.
    pub fn static_credentials(
        self,
        access_key: impl Into<String>,
        secret: impl Into<String>,
        session_token: Option<String>,
    ) -> Self {
        self.credentials(Credentials::new(access_key, secret, session_token, None, "AwsBuilder"))
    }

    /// The clock that paces calls; by default the system clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Connects: determines region and credentials. No call is made to AWS unless the credentials need one.
    ///
    /// # Errors
    ///
    /// - [`Invalid`](kops_core::ErrorKind::Invalid): no region, or a malformed region or endpoint.
    /// - [`Unauthenticated`](kops_core::ErrorKind::Unauthenticated): no credentials; the error lists the
    ///   places that were searched.
    pub async fn build(self) -> Result<Aws> {
        self.connecting().await
    }

    /// [`build`](Self::build) in a box: whoever awaits a future compiles all of it, down to the SDK.
    fn connecting(mut self) -> BoxFuture<'static, Result<Aws>> {
        Box::pin(async move {
            let clock = self.clock.take().unwrap_or_else(|| Arc::new(SystemClock::new()));
            let config = self.load().await?;
            let region = check_region(config.region())?;
            if let Some(endpoint) = config.endpoint_url() {
                check_endpoint(endpoint)?;
            }
            // Resolved here, so that missing credentials are one clear error before anything starts, and not an
            // error of every call. The clients continue with what was found.
            let Some(provider) = config.credentials_provider() else {
                return Err(error::from_credentials(&not_given()));
            };
            let first =
                provider.provide_credentials().await.map_err(|error| error::from_credentials(&error))?;
            let provider = Found { first: Mutex::new(Some(first)), provider };
            let config =
                config.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build();
            Ok(Aws::new(Clients::new(&config, clock), region))
        })
    }

    async fn load(self) -> Result<SdkConfig> {
        let app_name = AppName::new(APP_NAME).map_err(|error| Error::internal(error.to_string()))?;
        let retries = RetryConfig::disabled();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        if self.environment {
            let mut loader: ConfigLoader = aws_config::defaults(behavior())
                .app_name(app_name)
                .retry_config(retries)
                .timeout_config(timeouts)
                .http_client(http_client());
            if let Some(region) = self.region {
                loader = loader.region(Region::new(region));
            }
            if let Some(endpoint) = self.endpoint {
                loader = loader.endpoint_url(endpoint);
            }
            if let Some(profile) = self.profile {
                loader = loader.profile_name(profile);
            }
            if let Some(credentials) = self.credentials {
                loader = loader.credentials_provider(credentials);
            }
            // A future of 16 KiB, which would become part of every future that awaits it.
            return Ok(Box::pin(loader.load()).await);
        }
        let mut config = SdkConfig::builder()
            .behavior_version(behavior())
            .app_name(app_name)
            .retry_config(retries)
            .timeout_config(timeouts)
            .http_client(http_client());
        config.set_region(self.region.map(Region::new));
        config.set_endpoint_url(self.endpoint);
        config.set_credentials_provider(self.credentials);
        Ok(config.build())
    }
}

impl Default for AwsBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for AwsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the provider itself, whose `Debug` output may show anything.
        f.debug_struct("AwsBuilder")
            .field("environment", &self.environment)
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .field("profile", &self.profile)
            .field("credentials", &self.credentials.as_ref().map(|_| "given"))
            .field("clock", &self.clock)
            .finish()
    }
}

/// The SDK's defaults as of this date, not the newest, so that an update of the crate does not change them.
fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// One connection pool for all services; ring rather than aws-lc, which needs a C compiler and CMake.
fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

fn check_region(region: Option<&Region>) -> Result<String> {
    let hint = "set it, for example to eu-central-1; with from_env also in AWS_REGION or in the profile";
    let Some(region) = region else {
        return Err(Error::invalid("no AWS region is set").with_hint(hint));
    };
    let name = region.as_ref();
    // It becomes part of host names.
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(Error::invalid(format!("`{name}` is not a valid AWS region")).with_hint(hint));
    }
    Ok(name.to_owned())
}

fn check_endpoint(endpoint: &str) -> Result<()> {
    let host = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
    if host.is_some_and(|host| !host.is_empty() && !host.starts_with('/')) {
        return Ok(());
    }
    Err(Error::invalid(format!("the endpoint `{endpoint}` is not a valid URL"))
        .with_hint("use http://host:port or https://host"))
}

fn not_given() -> aws_credential_types::provider::error::CredentialsError {
    aws_credential_types::provider::error::CredentialsError::not_loaded("none were set")
}

/// Credentials that were found already, and the provider that renews them when they expire.
#[derive(Debug)]
struct Found {
    first: Mutex<Option<Credentials>>,
    provider: SharedCredentialsProvider,
}

impl ProvideCredentials for Found {
    fn provide_credentials<'a>(&'a self) -> CredentialsFuture<'a>
    where
        Self: 'a,
    {
        match self.first.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(credentials) => CredentialsFuture::ready(Ok(credentials)),
            None => self.provider.provide_credentials(),
        }
    }
}
