//! Trying again, by class.
//!
//! Only what [`ErrorKind::is_transient`] is tried again; everything else fails at once. Waits grow
//! exponentially with full jitter, so that clients that failed together do not return together. A wait that
//! the cloud asked for is kept.

use std::time::Duration;

use crate::setters;
use crate::{Error, ErrorKind};

/// For how long, and how often, to try again.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// The longest first wait.
    pub base: Duration,
    /// The longest wait.
    pub cap: Duration,
    /// From the first failure until the last attempt.
    pub deadline: Duration,
}

impl Default for RetryPolicy {
    /// From 300 ms to 10 s, for ten minutes: the time that a cloud takes to let go of the network interfaces
    /// of a deleted load balancer, the longest wait there is among the transient ones.
    fn default() -> Self {
        Self {
            base: Duration::from_millis(300),
            cap: Duration::from_secs(10),
            deadline: Duration::from_secs(10 * 60),
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
        /// Sets the longest first wait.
        set base: Duration;
        /// Sets the longest wait.
        set cap: Duration;
        /// Sets the time from the first failure until the last attempt.
        set deadline: Duration;
    }

    /// No second attempt at anything.
    pub const NEVER: Self = Self { base: Duration::ZERO, cap: Duration::ZERO, deadline: Duration::ZERO };

    /// Short, for observing: a listing that does not come within half a minute is better reported.
    pub fn for_reading(self) -> Self {
        Self { deadline: self.deadline.min(Duration::from_secs(30)), ..self }
    }
}

/// The attempts at one thing.
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

    /// How long to wait before the next attempt; `None` when there shall be none.
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

    /// The error with what was tried, once there shall be no further attempt.
    pub(crate) fn exhausted(&self, error: Error) -> Error {
        if self.failures == 0 || !error.kind().is_transient() {
            return error;
        }
        let advice = match error.kind() {
            ErrorKind::Throttled => "the account's rate limit is used up; run again when others are done",
            ErrorKind::DependencyViolation => "something still uses it; find out what, then run again",
            _ => "run again later: what has been done is kept",
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
