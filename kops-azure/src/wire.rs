//! HTTP requests: access to what the SDK's own transport hides.
//!
//! The SDK's builders send with this HTTP client. It turns unsuccessful responses into [`Refusal`]s, which
//! contain what the SDK's own error type omits: most importantly `Retry-After`, the request id, and the
//! innermost of Azure's nested error codes.
//!
//! # Pitfalls of azure_mgmt 0.21
//! - `.await` on a builder of compute, resources or private DNS repeats the PUT until its body says
//!   `Succeeded`, and treats any 200 as done. So every request here uses `.send()`, and readiness is found by
//!   listing.
//! - The error type shows the whole body and all headers in its `Display`. It is never created here.
//! - Its models omit empty lists. On PUT Azure treats an omitted list as an empty one.
//! - `UserAssignedIdentities` of a scale set is a struct without fields: identities cannot be written or read
//!   with the model. See `kinds/scale_set_document.rs`.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::{Error, ErrorKind};
use azure_core::headers::{HeaderName, Headers};
use azure_core::{HttpClient, Request, Response, StatusCode};
use serde_json::Value;

/// Azure's endpoints accept a connection within milliseconds; a few seconds allow for lost packets.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// ARM itself aborts a request after a minute; a call that has not been answered by then will not be.
/// <https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/request-limits-and-throttling>
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(1);

/// The header with the URL of a running operation's status.
pub(crate) const OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");
const RETRY_AFTER: HeaderName = HeaderName::from_static("retry-after");
const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");

/// The HTTP client of all requests; one pool of connections.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    client: reqwest::Client,
}

impl Transport {
    pub(crate) fn new() -> kops_core::Result<Self> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ATTEMPT_TIMEOUT)
            .build()
            .map_err(|error| {
                kops_core::Error::internal("the HTTP client cannot be created").with_source(error)
            })?;
        Ok(Self { client })
    }
}

#[async_trait]
impl HttpClient for Transport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<Response> {
        let response = self.client.execute_request(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, headers, body) = response.deconstruct();
        let body = body.collect().await.unwrap_or_default();
        let refusal = Refusal::read(status, &headers, &body);
        let kind = ErrorKind::http_response(status, Some(refusal.code.clone()));
        Err(Error::new(kind, refusal))
    }
}

/// An unsuccessful response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) request_id: Option<String>,
}

impl Refusal {
    fn read(status: StatusCode, headers: &Headers, body: &[u8]) -> Self {
        let text = |name: &HeaderName| headers.get_optional_str(name).map(str::to_owned);
        let document: Value = serde_json::from_slice(body).unwrap_or_default();
        let (code, message) = told(&document);
        // The blob service responds with XML, and puts the code into a header.
        let code = if code.is_empty() { text(&ERROR_CODE).unwrap_or_default() } else { code };
        Self {
            status: u16::from(status),
            code,
            message,
            retry_after: text(&RETRY_AFTER).and_then(|it| it.parse().ok()).map(Duration::from_secs),
            request_id: text(&REQUEST_ID),
        }
    }
}

/// The code and message of an error in ARM's format; those of its last detail if that is more specific.
///
/// Format: <https://github.com/microsoft/api-guidelines/blob/vNext/azure/Guidelines.md#handling-errors>; the token
/// service writes `error` and `error_description`.
pub(crate) fn told(document: &Value) -> (String, String) {
    let error = match &document["error"] {
        Value::Object(_) => &document["error"],
        _ => document,
    };
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    let (mut code, mut message) = (text("code"), text("message"));
    if code.is_empty() {
        (code, message) = (text("error"), text("error_description"));
    }
    let detail = error["details"].as_array().and_then(|details| details.last()).cloned().unwrap_or_default();
    if let (Some(inner), Some(more)) = (detail["code"].as_str(), detail["message"].as_str()) {
        if ["", "Conflict", "BadRequest", "OperationFailed", "ResourceOperationFailure"]
            .contains(&code.as_str())
        {
            inner.clone_into(&mut code);
            more.clone_into(&mut message);
        } else if !message.contains(more) {
            message = format!("{message} {inner}: {more}");
        }
    }
    (code, message)
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP status {}: {}: {}", self.status, self.code, self.message)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_code_that_says_more_is_told() {
        let plain = json!({"error": {"code": "NotFound", "message": "gone"}});
        assert_eq!(told(&plain), ("NotFound".into(), "gone".into()));
        let nested = json!({"error": {"code": "Conflict", "message": "", "details": [{"code": "InUse", "message": "by x"}]}});
        assert_eq!(told(&nested), ("InUse".into(), "by x".into()));
        let token = json!({"error": "invalid_client", "error_description": "AADSTS7000215: wrong secret"});
        assert_eq!(told(&token), ("invalid_client".into(), "AADSTS7000215: wrong secret".into()));
        assert_eq!(told(&json!("?")), (String::new(), String::new()));
    }
}
