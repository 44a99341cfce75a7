//! Keystone: a token for an application credential, and the catalogue of services.
//!
//! <https://docs.openstack.org/api-ref/identity/v3/>

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::cloud::token::Kept;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Http, Request};

/// An application credential.
#[derive(Clone, Deserialize)]
pub struct Credential {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Keystone, with an application credential.
#[derive(Clone, Debug)]
pub struct Keystone {
    http: Http,
    auth_url: String,
    region: String,
    credential: Credential,
    clock: Arc<dyn Clock>,
    session: Kept<Arc<Session>>,
}

/// A token, and the endpoints of services.
#[derive(Debug)]
struct Session {
    token: String,
    catalog: Value,
}

impl Keystone {
    /// Keystone at its address (`https://<host>/v3`), and a region; empty for the only one.
    pub fn new(
        http: Http,
        auth_url: &str,
        region: &str,
        credential: Credential,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let auth_url = auth_url.trim_end_matches('/').to_owned();
        Self {
            http,
            auth_url,
            region: region.to_owned(),
            credential,
            session: Kept::new(clock.clone()),
            clock,
        }
    }

    fn session(&self) -> Result<Arc<Session>> {
        self.session.get(|| {
            let doing = "authenticating with Keystone";
            let body = json!({"auth": {"identity": {
                "methods": ["application_credential"],
                "application_credential": {"id": self.credential.id, "secret": self.credential.secret},
            }}});
            let (url, body) = (format!("{}/auth/tokens", self.auth_url), body.to_string());
            let request =
                Request::new("POST", &url).header("content-type", "application/json").body(body.as_bytes());
            let response = self.http.send(&request)?;
            // Keystone's answer for an application credential that was deleted. A wrong path or a proxy
            // answers 404 as well, and a new machine would not help.
            let gone = b"Could not find Application Credential";
            if response.status == 404
                && response.body.windows(gone.len()).any(|it| it.eq_ignore_ascii_case(gone))
            {
                let id = &self.credential.id;
                return Err(Error::new(
                    ErrorKind::Denied,
                    doing,
                    format!("application credential {id} no longer exists: replace the machine"),
                ));
            }
            let token = response.header("x-subject-token").map(str::to_owned);
            let mut answer = response.json(doing)?;
            let token = token.ok_or_else(|| Error::invalid(doing, "the response contains no token"))?;
            let end: Option<jiff::Timestamp> =
                answer["token"]["expires_at"].as_str().and_then(|it| it.parse().ok());
            let good = end.and_then(|it| Duration::try_from(it.duration_since(self.clock.now())).ok());
            let catalog = answer["token"]["catalog"].take();
            Ok((Arc::new(Session { token, catalog }), good.unwrap_or_default()))
        })
    }

    /// The public endpoint of a type of service in the region, without a trailing slash.
    ///
    /// # Errors
    /// If the catalogue has none.
    pub fn endpoint(&self, kind: &str) -> Result<String> {
        let session = self.session()?;
        let services = session.catalog.as_array().into_iter().flatten().filter(|it| it["type"] == kind);
        let endpoint = services
            .flat_map(|it| it["endpoints"].as_array().into_iter().flatten())
            .filter(|it| {
                let here = |it: &Value| self.region.is_empty() || *it == self.region;
                it["interface"] == "public" && (here(&it["region_id"]) || here(&it["region"]))
            })
            .find_map(|it| it["url"].as_str());
        endpoint.map(|it| it.trim_end_matches('/').to_owned()).ok_or_else(|| {
            Error::invalid(
                "reading OpenStack's catalogue",
                format!("it has no {kind} in region {}", self.region),
            )
        })
    }

    /// A request with a token.
    ///
    /// # Errors
    /// If Keystone returns none.
    pub fn request<'a>(&self, method: &'a str, url: &'a str) -> Result<Request<'a>> {
        Ok(Request::new(method, url).header("x-auth-token", self.session()?.token.clone()))
    }
}
