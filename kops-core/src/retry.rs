//! The retry policy.
//!
//! Only errors that are transient ([`ErrorKind::is_transient`]) are retried. Delays grow exponentially with full
//! jitter, so that clients that failed together do not retry together. If the cloud asked to wait, at least that
//! long.

use std::time::Duration;

use crate::setters;
use crate::{Error, ErrorKind};

/// How often, and for how long, calls are retried.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// The upper limit of the first delay.
    pub base: Duration,
    /// The upper limit of all delays.
    pub cap: Duration,
    /// The time from the first failure until the last attempt.
    pub deadline: Duration,
}

impl Default for RetryPolicy {
    /// From 300 ms to 10 s, for ten minutes: this is how long clouds take to release the network interfaces of a
    /// deleted load balancer, which is the longest of the transient errors.
    fn default() -> Self {
        Self {
            base: Duration::from_millis(300),
            cap: Duration::from_secs(10),
            deadline: Duration::from_mins(10),
        }
    }
}

impl RetryPolicy {
    /// From 300 ms to 10 s, for ten minutes.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use kops_core::RetryPolicy;
    ///
    /// let patient = RetryPolicy::new().deadline(Duration::from_mins(30));
    /// assert_eq!(patient.cap, Duration::from_secs(10));
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// Sets the upper limit of the first delay.
        set base: Duration;
        /// Sets the upper limit of all delays.
        set cap: Duration;
        /// Sets the time from the first failure until the last attempt.
        set deadline: Duration;
    }

    /// No retries.
    pub const NEVER: Self = Self { base: Duration::ZERO, cap: Duration::ZERO, deadline: Duration::ZERO };

    /// A short policy for observing: a listing that fails for half a minute should be reported.
    pub fn for_reading(self) -> Self {
        Self { deadline: self.deadline.min(Duration::from_secs(30)), ..self }
    }
}

/// The attempts at one call.
#[derive(Debug)]
pub(crate) struct Attempts {
    policy: RetryPolicy,
    since: Option<Duration>,
    failures: u32,
}

impl Attempts {
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        Self { policy, since: None, failures: 0 }
    }

    /// The delay before the next attempt; `None` if there is none.
    pub(crate) fn after(&mut self, error: &Error, now: Duration) -> Option<Duration> {
        if !error.kind().is_transient() || self.policy.deadline.is_zero() {
            return None;
        }
        let since = *self.since.get_or_insert(now);
        let most = self.policy.base.saturating_mul(1 << self.failures.min(16)).min(self.policy.cap);
        self.failures += 1;
        let wait = most.mul_f64(fastrand::f64()).max(Duration::from_millis(1));
        let wait = error.retry_after().map_or(wait, |asked| asked + wait.min(Duration::from_secs(1)));
        (now + wait <= since + self.policy.deadline).then_some(wait)
    }

    /// Adds the number of attempts to the error, once there is no further attempt.
    pub(crate) fn exhausted(&self, error: Error) -> Error {
        if self.failures == 0 || !error.kind().is_transient() {
            return error;
        }
        let advice = match error.kind() {
            ErrorKind::Throttled => "the account's rate limit is reached; run again later",
            ErrorKind::DependencyViolation => "another object still uses it; remove that one and run again",
            _ => "run again later; completed steps are kept",
        };
        let tries = self.failures + 1;
        error.with_hint(format!("gave up after {tries} attempts; {advice}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permanent_errors_are_not_repeated() {
        let mut attempts = Attempts::new(RetryPolicy::default());
        for kind in [ErrorKind::Denied, ErrorKind::Invalid, ErrorKind::Quota, ErrorKind::AlreadyExists] {
            assert_eq!(attempts.after(&Error::new(kind, ""), Duration::ZERO), None);
        }
    }

    #[test]
    fn waits_stay_below_the_cap_and_end_at_the_deadline() {
        let mut attempts = Attempts::new(RetryPolicy::default());
        let error = Error::new(ErrorKind::Throttled, "slow down");
        let mut now = Duration::ZERO;
        while let Some(wait) = attempts.after(&error, now) {
            assert!(wait <= Duration::from_secs(10));
            now += wait;
        }
        assert!(now > Duration::from_mins(9) && now <= Duration::from_mins(10), "{now:?}");
    }

    #[test]
    fn the_wait_that_the_cloud_asks_for_is_kept() {
        let error = Error::new(ErrorKind::Throttled, "").with_retry_after(Duration::from_secs(7));
        let wait = Attempts::new(RetryPolicy::default()).after(&error, Duration::ZERO).unwrap();
        assert!(wait >= Duration::from_secs(7));
    }
}
