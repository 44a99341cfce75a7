//! The metadata server.
//!
//! <https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys>

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::cloud::Identity;
use crate::cloud::token::Kept;
use crate::error::{Error, Result};
use crate::http::{Http, Request};

/// The timeout of a call, which the host itself answers.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The metadata server.
#[derive(Clone, Debug)]
pub struct Metadata {
    http: Http,
    base: String,
    token: Kept<String>,
}

impl Metadata {
    /// The metadata server at its default or a custom address.
    pub fn new(http: Http, base: Option<&str>, clock: Arc<dyn Clock>) -> Self {
        let base = base.unwrap_or("http://169.254.169.254").trim_end_matches('/').to_owned();
        Self { http, base, token: Kept::new(clock) }
    }

    fn read(&self, path: &str) -> Result<String> {
        let url = format!("{}/computeMetadata/v1/instance/{path}", self.base);
        let request = Request::new("GET", &url).header("metadata-flavor", "Google").timeout(TIMEOUT);
        let body = self.http.send(&request)?.success(&format!("reading {path} of the metadata server"))?;
        Ok(String::from_utf8_lossy(&body).trim().to_owned())
    }

    /// Who this machine is. A node is named by the first label of its host's name, as the cloud's controller expects.
    ///
    /// # Errors
    /// If the server does not respond.
    pub fn identity(&self) -> Result<Identity> {
        let hostname = self.read("hostname")?;
        let zone = self.read("zone")?.rsplit('/').next().map(str::to_owned);
        Ok(Identity {
            id: self.read("name")?,
            node_name: hostname.split('.').next().unwrap_or_default().to_owned(),
            provider_id: None,
            address: self.read("network-interfaces/0/ip")?,
            zone,
        })
    }

    /// The service account's access token.
    ///
    /// # Errors
    /// If the server has none.
    pub fn token(&self) -> Result<String> {
        self.token.get(|| {
            let doing = "reading the service account's token";
            let answer = self.read("service-accounts/default/token")?;
            // Without the parser's message, which would show the token.
            let answer: serde_json::Value =
                serde_json::from_str(&answer).map_err(|_| Error::invalid(doing, "it is not JSON"))?;
            let token =
                answer["access_token"].as_str().ok_or_else(|| Error::invalid(doing, "it contains none"))?;
            Ok((token.to_owned(), Duration::from_secs(answer["expires_in"].as_u64().unwrap_or(0))))
        })
    }
}
