//! The instance metadata service.
//!
//! <https://learn.microsoft.com/en-us/azure/virtual-machines/instance-metadata-service>

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::clock::Clock;
use crate::cloud::Identity;
use crate::cloud::token::Kept;
use crate::error::{Error, Result};
use crate::http::{Http, Request};
use crate::store::escape_query;

/// The timeout of a call; tokens take longer than the host's own responses.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The audiences of tokens.
const STORAGE: &str = "https://storage.azure.com/";
const MANAGEMENT: &str = "https://management.azure.com/";

/// The metadata service.
#[derive(Clone, Debug)]
pub struct Metadata {
    http: Http,
    base: String,
    client_id: Option<String>,
    storage: Kept<String>,
    management: Kept<String>,
}

impl Metadata {
    /// The metadata service at its default or a custom address. `client_id` selects one of several
    /// identities.
    pub fn new(http: Http, base: Option<&str>, client_id: Option<String>, clock: &Arc<dyn Clock>) -> Self {
        let base = base.unwrap_or("http://169.254.169.254").trim_end_matches('/').to_owned();
        Self {
            http,
            base,
            client_id,
            storage: Kept::new(clock.clone()),
            management: Kept::new(clock.clone()),
        }
    }

    fn read(&self, path: &str, doing: &str) -> Result<Value> {
        let url = format!("{}/metadata/{path}", self.base);
        let body = self.http.send(&Request::new("GET", &url).header("metadata", "true").timeout(TIMEOUT))?;
        let body = body.success(doing)?;
        // Without the parser's message, which might show a token.
        serde_json::from_slice(&body).map_err(|_| Error::invalid(doing, "it is not JSON"))
    }

    /// Who this machine is. A node is named by the computer's name.
    ///
    /// # Errors
    /// If the metadata service cannot be read.
    pub fn identity(&self) -> Result<Identity> {
        let doing = "reading this machine's metadata";
        let it = self.read("instance?api-version=2021-02-01", doing)?;
        let text = |value: &Value| value.as_str().map(str::to_owned).filter(|it| !it.is_empty());
        let compute = &it["compute"];
        let missing = || Error::invalid(doing, "it lacks the machine's name, id or address");
        let address = &it["network"]["interface"][0]["ipv4"]["ipAddress"][0]["privateIpAddress"];
        Ok(Identity {
            id: text(&compute["vmId"]).ok_or_else(missing)?,
            node_name: text(&compute["osProfile"]["computerName"]).ok_or_else(missing)?.to_lowercase(),
            provider_id: text(&compute["resourceId"]).map(|it| format!("azure://{it}")),
            address: text(address).ok_or_else(missing)?,
            zone: text(&compute["zone"]),
        })
    }

    /// The identity's token for storage.
    ///
    /// # Errors
    /// If the service has none, as for minutes after an identity was assigned.
    pub fn storage_token(&self) -> Result<String> {
        self.storage.get(|| self.token(STORAGE))
    }

    /// The identity's token for the resource manager.
    ///
    /// # Errors
    /// As for storage.
    pub fn management_token(&self) -> Result<String> {
        self.management.get(|| self.token(MANAGEMENT))
    }

    fn token(&self, resource: &str) -> Result<(String, Duration)> {
        let doing = "reading the managed identity's token";
        let mut path =
            format!("identity/oauth2/token?api-version=2018-02-01&resource={}", escape_query(resource));
        if let Some(id) = &self.client_id {
            path = format!("{path}&client_id={}", escape_query(id));
        }
        let answer = self.read(&path, doing)?;
        let token =
            answer["access_token"].as_str().ok_or_else(|| Error::invalid(doing, "it contains none"))?;
        // A string of seconds.
        let good = answer["expires_in"].as_str().and_then(|it| it.parse().ok()).unwrap_or(0);
        Ok((token.to_owned(), Duration::from_secs(good)))
    }
}
