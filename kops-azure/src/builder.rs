//! Configuration of a connection to Azure.

use std::fmt;
use std::sync::Arc;

use azure_core::Url;
use azure_core::auth::{AccessToken, Secret, TokenCredential};
use azure_identity::{
    AzureCliCredential, ClientSecretCredential, TokenCredentialOptions,
    VirtualMachineManagedIdentityCredential,
};
use futures_util::future::BoxFuture;
use kops_core::clock::{Clock, SystemClock};
use kops_core::{Error, Result};

use crate::clients::{Clients, Connection, Group};
use crate::wire::Transport;
use crate::{Azure, error};

/// The authority that issues tokens of service principals.
const AUTHORITY: &str = "https://login.microsoftonline.com";
/// kOps' administrator account.
const ADMIN_USER: &str = "kops";
const SCOPE: &str = "https://management.azure.com/.default";

/// Configures a connection to Azure.
///
/// Either everything is set explicitly, and nothing is read from the environment:
///
/// ```no_run
/// # async fn example() -> kops_core::Result<()> {
/// use kops_azure::Azure;
///
/// let azure = Azure::builder()
///     .subscription("00000000-0000-0000-0000-000000000000")
///     .location("westeurope")
///     .service_principal("tenant", "client", "secret")
///     .build()
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// or settings are looked up in the environment ([`AzureBuilder::from_env`]).
///
/// # Resource group
/// All objects of a scope are in one resource group: one of its own that is named after the scope (as in
/// kOps), one of its own with another name, or a shared one.
///
/// # Retries
/// The SDK's own retries are disabled. The engine knows which calls are safe to repeat and how to find what a
/// call with a lost answer created, it paces all calls together, and it reports what it waits for.
#[derive(Clone)]
pub struct AzureBuilder {
    environment: bool,
    subscription: Option<String>,
    location: Option<String>,
    group: Option<Group>,
    endpoint: Option<String>,
    credential: Option<Credential>,
    authority: Option<String>,
    storage_key: Option<String>,
    admin_user: Option<String>,
    clock: Option<Arc<dyn Clock>>,
}

/// The source of tokens.
#[derive(Clone)]
enum Credential {
    ServicePrincipal { tenant: String, client: String, secret: String },
    ManagedIdentity,
    AzureCli,
    Token(String),
    Given(Arc<dyn TokenCredential>),
}

impl AzureBuilder {
    /// A builder without settings that looks nothing up.
    pub fn new() -> Self {
        Self {
            environment: false,
            subscription: None,
            location: None,
            group: None,
            endpoint: None,
            credential: None,
            authority: None,
            storage_key: None,
            admin_user: None,
            clock: None,
        }
    }

    /// Looks up settings that are not set explicitly in the environment:
    ///
    /// | variable | meaning |
    /// |---|---|
    /// | `AZURE_SUBSCRIPTION_ID` | the subscription |
    /// | `AZURE_LOCATION` | the region |
    /// | `AZURE_RESOURCE_GROUP` | an existing resource group |
    /// | `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_SECRET` | a service principal; its tokens come from `AZURE_AUTHORITY_HOST`, if set |
    /// | `AZURE_ACCESS_TOKEN` | a token, if there is no service principal |
    /// | `AZURE_RESOURCE_MANAGER_ENDPOINT` | the endpoint of Azure Resource Manager, for example an emulator's |
    /// | `AZURE_STORAGE_KEY` | the key of a storage account, for state stores in it; only for the account in `AZURE_STORAGE_ACCOUNT`, if set |
    /// | `AZURE_STORAGE_SERVICE_ENDPOINT` | the endpoint of that account's blob service, for example an emulator's, as for the Azure CLI |
    ///
    /// Without a service principal or token, the managed identity of the machine is used if
    /// `AZURE_USE_MANAGED_IDENTITY` is `true`, and otherwise the login of the Azure CLI (`az login`).
    pub fn from_env() -> Self {
        Self { environment: true, ..Self::new() }
    }

    /// The subscription, by its GUID.
    pub fn subscription(mut self, id: impl Into<String>) -> Self {
        self.subscription = Some(id.into());
        self
    }

    /// The region, e.g. `westeurope`.
    pub fn location(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }

    /// The name of a resource group of the scope's own, which is created and deleted with everything else.
    pub fn resource_group(mut self, name: impl Into<String>) -> Self {
        self.group = Some(Group::Owned(name.into()));
        self
    }

    /// The name of a shared resource group, which is never deleted.
    pub fn shared_resource_group(mut self, name: impl Into<String>) -> Self {
        self.group = Some(Group::Shared(name.into()));
        self
    }

    /// The endpoint of Azure Resource Manager, for example an emulator's; plain HTTP is allowed.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// A service principal, with its secret.
    pub fn service_principal(
        mut self,
        tenant: impl Into<String>,
        client: impl Into<String>,
        secret: impl Into<String>,
    ) -> Self {
        let (tenant, client, secret) = (tenant.into(), client.into(), secret.into());
        self.credential = Some(Credential::ServicePrincipal { tenant, client, secret });
        self
    }

    /// The authority that issues tokens of a service principal; by default
    /// `https://login.microsoftonline.com`.
    pub fn authority(mut self, address: impl Into<String>) -> Self {
        self.authority = Some(address.into());
        self
    }

    /// Uses the managed identity of the machine.
    pub fn managed_identity(mut self) -> Self {
        self.credential = Some(Credential::ManagedIdentity);
        self
    }

    /// Uses the login of the Azure CLI: tokens come from `az account get-access-token`.
    pub fn azure_cli(mut self) -> Self {
        self.credential = Some(Credential::AzureCli);
        self
    }

    /// A token, which is assumed to be valid as long as the connection is used.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.credential = Some(Credential::Token(token.into()));
        self
    }

    /// The source of tokens.
    pub fn credential(mut self, credential: Arc<dyn TokenCredential>) -> Self {
        self.credential = Some(Credential::Given(credential));
        self
    }

    /// The key of the storage account of state stores. Without a key they are accessed with tokens, which is
    /// preferable: a key grants full access to an account, and does not expire.
    pub fn storage_key(mut self, key: impl Into<String>) -> Self {
        self.storage_key = Some(key.into());
        self
    }

    /// The user that may log in to machines; by default `kops`.
    pub fn admin_user(mut self, user: impl Into<String>) -> Self {
        self.admin_user = Some(user.into());
        self
    }

    /// The clock that paces calls; by default the system clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Connects: gets a token. No call is made to Azure Resource Manager.
    ///
    /// # Errors
    /// - [`Invalid`](kops_core::ErrorKind::Invalid): no subscription or region, or one that is malformed.
    /// - [`Unauthenticated`](kops_core::ErrorKind::Unauthenticated): no token could be obtained.
    pub async fn build(self) -> Result<Azure> {
        self.connecting().await
    }

    /// [`build`](Self::build) in a box: whoever awaits a future compiles all of it, down to the SDK.
    fn connecting(self) -> BoxFuture<'static, Result<Azure>> {
        Box::pin(async move {
            let admin_user = self.admin_user.clone().unwrap_or_else(|| ADMIN_USER.to_owned());
            let clients = self.connect().await?;
            Ok(Azure::new(clients, admin_user))
        })
    }

    async fn connect(self) -> Result<Clients> {
        let from_env = |name: &str| if self.environment { variable(name) } else { None };
        let subscription = self.subscription.clone().or_else(|| from_env("AZURE_SUBSCRIPTION_ID"));
        let subscription = check(subscription, "subscription", "AZURE_SUBSCRIPTION_ID")?;
        let location = self.location.clone().or_else(|| from_env("AZURE_LOCATION"));
        let location = check(location, "region", "AZURE_LOCATION")?.to_ascii_lowercase();
        let group = self.group.clone().or_else(|| from_env("AZURE_RESOURCE_GROUP").map(Group::Shared));
        let endpoint = self.endpoint.clone().or_else(|| from_env("AZURE_RESOURCE_MANAGER_ENDPOINT"));
        let endpoint = endpoint.as_deref().map(address).transpose()?;
        let transport = Transport::new()?;
        let credential = self.authenticate(&transport)?;
        // Resolved here, so that missing credentials are one clear error before anything starts.
        credential.get_token(&[SCOPE]).await.map_err(|error| error::from_credentials(&error))?;
        Clients::new(Connection {
            credential,
            transport,
            endpoint,
            subscription,
            location,
            group: group.unwrap_or(Group::OfScope),
            clock: self.clock.clone().unwrap_or_else(|| Arc::new(SystemClock::new())),
        })
    }
}

impl AzureBuilder {
    /// The source of tokens.
    pub(crate) fn authenticate(&self, transport: &Transport) -> Result<Arc<dyn TokenCredential>> {
        let credential = match &self.credential {
            Some(credential) => credential.clone(),
            None if self.environment => found(variable)?,
            None => {
                return Err(Error::new(kops_core::ErrorKind::Unauthenticated, "no credentials are set")
                    .with_hint("set a service principal, a token, or another source of tokens"));
            }
        };
        let from_env = || if self.environment { variable("AZURE_AUTHORITY_HOST") } else { None };
        let authority = self.authority.clone().or_else(from_env);
        credential.open(transport, authority.as_deref().unwrap_or(AUTHORITY))
    }

    /// The key of a storage account, if one is set.
    pub(crate) fn storage_key_of(&self, account: &str) -> Option<String> {
        self.storage_key.clone().or_else(|| self.storage_variable(account, "AZURE_STORAGE_KEY"))
    }

    /// The endpoint of a storage account's blob service, if the environment sets one.
    pub(crate) fn storage_endpoint_of(&self, account: &str) -> Option<String> {
        self.storage_variable(account, "AZURE_STORAGE_SERVICE_ENDPOINT")
    }

    fn storage_variable(&self, account: &str, name: &str) -> Option<String> {
        if self.environment { of_account(account, name, variable) } else { None }
    }
}

impl Default for AzureBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for AzureBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureBuilder")
            .field("environment", &self.environment)
            .field("subscription", &self.subscription)
            .field("location", &self.location)
            .field("group", &self.group)
            .field("endpoint", &self.endpoint)
            .field("credential", &self.credential.as_ref().map(|_| "given"))
            .finish_non_exhaustive()
    }
}

impl Credential {
    fn open(self, transport: &Transport, authority: &str) -> Result<Arc<dyn TokenCredential>> {
        let http: Arc<dyn azure_core::HttpClient> = Arc::new(transport.clone());
        Ok(match self {
            Self::ServicePrincipal { tenant, client, secret } => {
                let authority = address(authority)?;
                Arc::new(ClientSecretCredential::new(http, authority, tenant, client, secret))
            }
            Self::ManagedIdentity => {
                Arc::new(VirtualMachineManagedIdentityCredential::new(TokenCredentialOptions::from(http)))
            }
            Self::AzureCli => Arc::new(AzureCliCredential::new()),
            Self::Token(token) => Arc::new(Token(Secret::new(token))),
            Self::Given(credential) => credential,
        })
    }
}

/// A token that was set explicitly.
#[derive(Debug)]
struct Token(Secret);

#[async_trait::async_trait]
impl TokenCredential for Token {
    async fn get_token(&self, _: &[&str]) -> azure_core::Result<AccessToken> {
        // Its expiry is not known; Azure will reject it.
        let never = time::OffsetDateTime::UNIX_EPOCH + time::Duration::days(100 * 365);
        Ok(AccessToken { token: self.0.clone(), expires_on: never })
    }

    async fn clear_cache(&self) -> azure_core::Result<()> {
        Ok(())
    }
}

fn found(variable: impl Fn(&str) -> Option<String>) -> Result<Credential> {
    let principal = ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"].map(&variable);
    match principal {
        [Some(tenant), Some(client), Some(secret)] => {
            return Ok(Credential::ServicePrincipal { tenant, client, secret });
        }
        [_, _, Some(_)] => {
            return Err(Error::invalid("AZURE_CLIENT_SECRET is set, but not its service principal")
                .with_hint("set AZURE_TENANT_ID and AZURE_CLIENT_ID as well"));
        }
        _ => {}
    }
    Ok(match (variable("AZURE_ACCESS_TOKEN"), variable("AZURE_USE_MANAGED_IDENTITY").as_deref()) {
        (Some(token), _) => Credential::Token(token),
        (None, Some("true")) => Credential::ManagedIdentity,
        (None, _) => Credential::AzureCli,
    })
}

/// A variable about a storage account; ignored if it is about another account.
fn of_account(account: &str, name: &str, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let another = variable("AZURE_STORAGE_ACCOUNT").is_some_and(|named| named != account);
    if another { None } else { variable(name) }
}

/// A non-empty variable of the environment.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment, when asked to")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Checks a value that becomes part of URLs.
fn check(value: Option<String>, what: &str, variable: &str) -> Result<String> {
    let hint = format!("set it in the builder; with from_env also in {variable}");
    let Some(value) = value else {
        return Err(Error::invalid(format!("no Azure {what} is set")).with_hint(hint));
    };
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(Error::invalid(format!("`{value}` is not a valid Azure {what}")).with_hint(hint));
    }
    Ok(value)
}

pub(crate) fn address(text: &str) -> Result<Url> {
    let url = Url::parse(text).ok().filter(|url| url.has_host() && ["http", "https"].contains(&url.scheme()));
    url.ok_or_else(|| {
        Error::invalid(format!("`{text}` is not a valid URL"))
            .with_hint("use http://host:port or https://host")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storage_key_is_its_accounts() {
        let of = |account: Option<&'static str>| {
            of_account("mine", "AZURE_STORAGE_KEY", |name| match name {
                "AZURE_STORAGE_ACCOUNT" => account.map(str::to_owned),
                "AZURE_STORAGE_KEY" => Some("key".to_owned()),
                _ => None,
            })
        };
        assert_eq!((of(None), of(Some("mine"))), (Some("key".to_owned()), Some("key".to_owned())));
        assert_eq!(of(Some("theirs")), None);
        // What is not from the environment is not looked up there.
        assert_eq!(AzureBuilder::new().storage_key_of("mine"), None);
        let given = AzureBuilder::new().storage_key("hunter2");
        assert_eq!(given.storage_key_of("mine").as_deref(), Some("hunter2"));
        assert!(!format!("{given:?}").contains("hunter2"));
    }
}
