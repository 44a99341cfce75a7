//! Failures on order.

use serde::Serialize;

/// A rule by which calls fail: which action, how, and which of its calls.
///
/// Without further words a fault hits every call of the action.
///
/// ```
/// use kops_moto::Fault;
///
/// // The second and third call are throttled.
/// let fault = Fault::throttle("ec2:CreateSubnet").skip(1).times(2);
/// // The first answer of each service is lost.
/// let fault = Fault::lose("*:Create*").times(1);
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
            skip: 0,
            every: 1,
            times: None,
        }
    }

    /// The call fails with this code and HTTP status; nothing is done. Wildcards match as in a shell: `ec2:*`.
    pub fn fail(action: &str, code: &str, status: u16) -> Self {
        Self { code: Some(code.to_owned()), status: Some(status), ..Self::new(action, "fail") }
    }

    /// The call is throttled the way its service says it: EC2 `RequestLimitExceeded` (503), S3 `SlowDown`
    /// (503), all others `Throttling` (400).
    pub fn throttle(action: &str) -> Self {
        match action.split(':').next() {
            Some("ec2") => Self::fail(action, "RequestLimitExceeded", 503),
            Some("s3") => Self::fail(action, "SlowDown", 503),
            _ => Self::fail(action, "Throttling", 400),
        }
    }

    /// The service is down for the call: `InternalError`, status 500. Nothing is done.
    pub fn unavailable(action: &str) -> Self {
        Self::fail(action, "InternalError", 500)
    }

    /// The connection closes; nothing was done.
    pub fn drop(action: &str) -> Self {
        Self::new(action, "drop")
    }

    /// The work is done, and then the connection closes without an answer.
    pub fn lose(action: &str) -> Self {
        Self::new(action, "lose")
    }

    /// The work is done, and the answer is kept back until [`Moto::release`](crate::Moto::release) (or for two
    /// minutes): the moment to kill the client. Failing calls are answered at once.
    pub fn hold(action: &str) -> Self {
        Self::new(action, "hold")
    }

    /// What the failure says, where its code alone does not tell.
    pub fn message(self, message: &str) -> Self {
        Self { message: Some(message.to_owned()), ..self }
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
