//! Failures on order.

use std::time::Duration;

use serde::Serialize;

/// A rule by which calls fail: which method, how, and which of its calls.
///
/// Without further words a fault hits every call of the method.
///
/// ```
/// use kops_gce_emulator::Fault;
///
/// // The second and third call are throttled.
/// let fault = Fault::throttle("compute.subnetworks.insert").skip(1).times(2);
/// // The first answer to a creation is lost.
/// let fault = Fault::lose("compute.*.insert").times(1);
/// // The call is accepted, and nothing comes of it.
/// let fault = Fault::operation("compute.instances.insert", "ZONE_RESOURCE_POOL_EXHAUSTED");
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Fault {
    action: String,
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    milliseconds: Option<f64>,
    skip: u64,
    every: u64,
    times: Option<u64>,
}

impl Fault {
    fn new(action: &str, what: &'static str) -> Self {
        Self {
            action: action.to_owned(),
            what,
            path: None,
            code: None,
            status: None,
            message: None,
            milliseconds: None,
            skip: 0,
            every: 1,
            times: None,
        }
    }

    /// The call fails with this reason and HTTP status; nothing is done. Wildcards match as in a shell:
    /// `compute.*.insert`.
    pub fn fail(action: &str, reason: &str, status: u16) -> Self {
        Self { code: Some(reason.to_owned()), status: Some(status), ..Self::new(action, "fail") }
    }

    /// The call is throttled the way its service says it: 429 of Storage, 403 `rateLimitExceeded` of all others.
    pub fn throttle(action: &str) -> Self {
        Self::fail(action, "rateLimitExceeded", if action.starts_with("storage.") { 429 } else { 403 })
    }

    /// The service is down for the call: `backendError`, status 503. Nothing is done.
    pub fn unavailable(action: &str) -> Self {
        Self::fail(action, "backendError", 503)
    }

    /// The call is accepted, and its operation ends with an error of this code; nothing is done. The members that
    /// instance groups make fail by the name `compute.instances.insert.managed`.
    pub fn operation(action: &str, code: &str) -> Self {
        Self { code: Some(code.to_owned()), ..Self::new(action, "operation") }
    }

    /// The call's operation takes this long, or its answer, if it has none.
    pub fn slow(action: &str, time: Duration) -> Self {
        Self { milliseconds: Some(time.as_secs_f64() * 1000.0), ..Self::new(action, "slow") }
    }

    /// The connection closes; nothing was done.
    pub fn drop(action: &str) -> Self {
        Self::new(action, "drop")
    }

    /// The work is done, and then the connection closes without an answer.
    pub fn lose(action: &str) -> Self {
        Self::new(action, "lose")
    }

    /// The work is done, and the answer is kept back until [`Emulator::release`](crate::Emulator::release) (or for
    /// two minutes): the moment to kill the client. Failing calls are answered at once.
    pub fn hold(action: &str) -> Self {
        Self::new(action, "hold")
    }

    /// The HTTP status of the failure; a lost answer that has one is answered with it.
    pub fn status(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }

    /// What the failure says, where its code alone does not tell.
    pub fn message(self, message: &str) -> Self {
        Self { message: Some(message.to_owned()), ..self }
    }

    /// Hits only calls whose path a regular expression finds something in: `/routers/nat$`.
    pub fn path(self, path: &str) -> Self {
        Self { path: Some(path.to_owned()), ..self }
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
