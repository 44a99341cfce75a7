//! The instance metadata service, version 2.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::cloud::Identity;
use crate::error::{Error, Result};
use crate::http::{Http, Request};

/// The timeout of a call, which the host itself answers.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a session's token is valid, in seconds.
const SESSION: u64 = 300;
/// Credentials are renewed this long before they expire, as in the SDKs.
const BEFORE: Duration = Duration::from_mins(5);

/// Temporary credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The access key's id.
    pub id: String,
    /// The secret key.
    pub secret: String,
    /// The session's token.
    pub token: Option<String>,
    /// When they expire.
    pub expires: Option<Timestamp>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The metadata service.
#[derive(Clone, Debug)]
pub struct Imds {
    http: Http,
    base: String,
    clock: Arc<dyn Clock>,
    credentials: Arc<Mutex<Option<Credentials>>>,
}

impl Imds {
    /// The metadata service at its default or a custom address.
    pub fn new(http: Http, base: Option<&str>, clock: Arc<dyn Clock>) -> Self {
        let base = base.unwrap_or("http://169.254.169.254").trim_end_matches('/').to_owned();
        Self { http, base, clock, credentials: Arc::default() }
    }

    fn read(&self, path: &str) -> Result<String> {
        let url = format!("{}/latest/api/token", self.base);
        let request = Request::new("PUT", &url)
            .header("x-aws-ec2-metadata-token-ttl-seconds", SESSION.to_string())
            .timeout(TIMEOUT);
        let session = self.http.send(&request)?.success("opening a session of the metadata service")?;
        let session = String::from_utf8_lossy(&session).trim().to_owned();
        let url = format!("{}/latest/{path}", self.base);
        let request = Request::new("GET", &url).header("x-aws-ec2-metadata-token", session).timeout(TIMEOUT);
        let body = self.http.send(&request)?.success(&format!("reading {path} of the metadata service"))?;
        Ok(String::from_utf8_lossy(&body).trim().to_owned())
    }

    /// Who this machine is. A node is named by its instance id, as kOps does.
    ///
    /// # Errors
    /// If the metadata service cannot be read.
    pub fn identity(&self) -> Result<Identity> {
        let id = self.read("meta-data/instance-id")?;
        let address = self.read("meta-data/local-ipv4")?;
        let zone = self.read("meta-data/placement/availability-zone")?;
        let provider_id = Some(format!("aws:///{zone}/{id}"));
        Ok(Identity { node_name: id.clone(), id, provider_id, address, zone: Some(zone) })
    }

    /// The instance profile's credentials, renewed before they expire.
    ///
    /// # Errors
    /// If the service does not have them, as for some seconds after the start of a machine.
    pub fn credentials(&self) -> Result<Credentials> {
        let mut kept = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(it) = kept.as_ref()
            && it.expires.is_none_or(|end| end - BEFORE > self.clock.now())
        {
            return Ok(it.clone());
        }
        let doing = "reading the instance profile's credentials";
        let roles = self.read("meta-data/iam/security-credentials/")?;
        let role = roles.lines().next().filter(|it| !it.is_empty());
        let role = role.ok_or_else(|| Error::waiting(doing, "the machine has no instance profile yet"))?;
        let document = self.read(&format!("meta-data/iam/security-credentials/{role}"))?;
        let document: serde_json::Value =
            serde_json::from_str(&document).map_err(|e| Error::invalid(doing, e.to_string()))?;
        let field = |name: &str| document[name].as_str().map(str::to_owned);
        let missing = || Error::waiting(doing, "they are not complete yet");
        let credentials = Credentials {
            id: field("AccessKeyId").ok_or_else(missing)?,
            secret: field("SecretAccessKey").ok_or_else(missing)?,
            token: field("Token"),
            expires: field("Expiration").and_then(|it| it.parse().ok()),
        };
        Ok(kept.insert(credentials).clone())
    }
}
