//! Failures on order.

use std::time::Duration;

use serde::Serialize;

/// A rule by which calls fail: which action, how, and which of its calls.
///
/// Actions are those of [`Call`](crate::Call), with wildcards as in a shell: `ec2:Create*`. Without further words a
/// fault hits every call of the action.
///
/// ```
/// use kops_emulator::Fault;
///
/// // The second and third call are throttled.
/// let fault = Fault::throttle("ec2:CreateSubnet").skip(1).times(2);
/// // The first answer to a creation is lost.
/// let fault = Fault::lose("compute.*.insert").times(1);
/// // The gateway is accepted and fails to be made.
/// let fault = Fault::fail_operation("natGateways.createOrUpdate", "InternalServerError").times(1);
/// // The answer to the fortieth call that changes anything is kept back.
/// let fault = Fault::hold("*").mutations().skip(39).times(1);
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Fault {
    action: String,
    what: &'static str,
    mutations: bool,
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
            mutations: false,
            code: None,
            status: None,
            message: None,
            milliseconds: None,
            skip: 0,
            every: 1,
            times: None,
        }
    }

    /// The call fails with this code and HTTP status; nothing is done.
    pub fn fail(action: &str, code: &str, status: u16) -> Self {
        Self { code: Some(code.to_owned()), status: Some(status), ..Self::new(action, "fail") }
    }

    /// The call is throttled, in the words of its service. Nothing is done.
    pub fn throttle(action: &str) -> Self {
        Self::new(action, "throttle")
    }

    /// The service is down for the call, in its own words. Nothing is done.
    pub fn unavailable(action: &str) -> Self {
        Self::new(action, "unavailable")
    }

    /// The connection closes; nothing was done.
    pub fn drop(action: &str) -> Self {
        Self::new(action, "drop")
    }

    /// The work is done, and then the connection closes without an answer.
    pub fn lose(action: &str) -> Self {
        Self::new(action, "lose")
    }

    /// The work is done, and the answer is kept back until [`Tenant::release`](crate::Tenant::release) (or for two
    /// minutes): the moment to kill the client. A failing call is answered at once, and the next one held in its
    /// stead.
    pub fn hold(action: &str) -> Self {
        Self::new(action, "hold")
    }

    /// The call is accepted, and the long-running operation that it starts ends with this error. On a cloud that
    /// has such operations.
    pub fn fail_operation(action: &str, code: &str) -> Self {
        Self { code: Some(code.to_owned()), ..Self::new(action, "operation") }
    }

    /// The long-running operation that the call starts takes this long. On a cloud that has such operations.
    pub fn slow_operation(action: &str, time: Duration) -> Self {
        Self { milliseconds: Some(time.as_secs_f64() * 1000.0), ..Self::new(action, "slow") }
    }

    /// What the failure says, where its code alone does not tell.
    pub fn message(self, message: &str) -> Self {
        Self { message: Some(message.to_owned()), ..self }
    }

    /// Counts and hits only calls that may change something.
    pub fn mutations(self) -> Self {
        Self { mutations: true, ..self }
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
