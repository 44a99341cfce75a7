//! Nova's metadata service.

use std::time::Duration;

use serde_json::Value;

use crate::cloud::Identity;
use crate::error::{Error, Result};
use crate::http::{Http, Request};

/// The timeout of a call.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The metadata service.
#[derive(Clone, Debug)]
pub struct Metadata {
    http: Http,
    base: String,
}

impl Metadata {
    /// The metadata service at its default or a custom address.
    pub fn new(http: Http, base: Option<&str>) -> Self {
        Self { http, base: base.unwrap_or("http://169.254.169.254").trim_end_matches('/').to_owned() }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        let url = format!("{}/{path}", self.base);
        let response = self.http.send(&Request::new("GET", &url).timeout(TIMEOUT))?;
        response.success(&format!("reading {path} of the metadata service"))
    }

    /// Who this machine is. A node is named by its server's name.
    ///
    /// # Errors
    /// If the metadata service cannot be read.
    pub fn identity(&self) -> Result<Identity> {
        let doing = "reading this machine's metadata";
        let document: Value = serde_json::from_slice(&self.read("openstack/latest/meta_data.json")?)
            .map_err(|e| Error::invalid(doing, e.to_string()))?;
        let text = |name: &str| document[name].as_str().filter(|it| !it.is_empty()).map(str::to_owned);
        let missing = || Error::invalid(doing, "it lacks the server's id or name");
        let address = String::from_utf8_lossy(&self.read("latest/meta-data/local-ipv4")?).trim().to_owned();
        Ok(Identity {
            id: text("uuid").ok_or_else(missing)?,
            node_name: text("name").ok_or_else(missing)?.to_lowercase(),
            provider_id: None,
            address,
            zone: text("availability_zone"),
        })
    }
}
