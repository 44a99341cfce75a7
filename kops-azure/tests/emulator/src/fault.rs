//! Failures on order.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

/// A rule by which calls fail: which action, how, and which of its calls.
///
/// Without further words a fault hits every call of the action.
///
/// ```
/// use kops_azure_emulator::Fault;
///
/// // The second and third call are throttled.
/// let fault = Fault::throttle("subnets.createOrUpdate").skip(1).times(2);
/// // The first answer to any creation is lost.
/// let fault = Fault::lose("*.createOrUpdate").times(1);
/// // The gateway is accepted and fails to be made.
/// let fault = Fault::fail_operation("natGateways.createOrUpdate", "InternalServerError").times(1);
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Fault {
    action: String,
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    skip: u64,
    every: u64,
    times: Option<u64>,
}

impl Fault {
    fn new(action: &str, what: &'static str) -> Self {
        Self {
            action: action.to_owned(),
            what,
            code: None,
            status: None,
            message: None,
            resource: None,
            headers: BTreeMap::new(),
            seconds: None,
            skip: 0,
            every: 1,
            times: None,
        }
    }

    /// The call fails with this code and HTTP status; nothing is done. Wildcards match as in a shell: `subnets.*`.
    pub fn fail(action: &str, code: &str, status: u16) -> Self {
        Self { code: Some(code.to_owned()), status: Some(status), ..Self::new(action, "fail") }
    }

    /// The call is throttled the way Resource Manager says it: `TooManyRequests`, status 429; see also
    /// [`Fault::retry_after`].
    pub fn throttle(action: &str) -> Self {
        Self::fail(action, "TooManyRequests", 429)
    }

    /// The service is down for the call: `InternalServerError`, status 500. Nothing is done.
    pub fn unavailable(action: &str) -> Self {
        Self::fail(action, "InternalServerError", 500)
    }

    /// The connection closes; nothing was done.
    pub fn drop(action: &str) -> Self {
        Self::new(action, "drop")
    }

    /// The work is done, and then the connection closes without an answer.
    pub fn lose(action: &str) -> Self {
        Self::new(action, "lose")
    }

    /// The work is done, and the answer is a failure nevertheless.
    pub fn lose_with(action: &str, code: &str, status: u16) -> Self {
        Self { code: Some(code.to_owned()), status: Some(status), ..Self::new(action, "lose") }
    }

    /// The work is done, and the answer is kept back until [`Emulator::release`](crate::Emulator::release) (or for
    /// two minutes): the moment to kill the client. Failing calls are answered at once.
    pub fn hold(action: &str) -> Self {
        Self::new(action, "hold")
    }

    /// The call is accepted, and the long-running operation that it starts fails with this code; what was being
    /// made or changed stays, with the state `Failed`.
    pub fn fail_operation(action: &str, code: &str) -> Self {
        Self { code: Some(code.to_owned()), ..Self::new(action, "lro") }
    }

    /// The call is accepted, and the long-running operation that it starts takes this long.
    pub fn stall(action: &str, time: Duration) -> Self {
        Self { seconds: Some(time.as_secs_f64()), ..Self::new(action, "stall") }
    }

    /// What the failure says, where its code alone does not tell.
    pub fn message(self, message: &str) -> Self {
        Self { message: Some(message.to_owned()), ..self }
    }

    /// Asks to be left alone for so many seconds: `Retry-After`.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.headers.insert("Retry-After", seconds.to_string());
        self
    }

    /// Hits only calls about this resource, by its path: `*/subnets/nodes`.
    pub fn resource(self, pattern: &str) -> Self {
        Self { resource: Some(pattern.to_owned()), ..self }
    }

    /// Lets the first calls pass.
    pub fn skip(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// Hits only each `every`th call, the first included.
    pub fn every(self, every: u64) -> Self {
        Self { every: every.max(1), ..self }
    }

    /// Ends after so many hits.
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }
}
