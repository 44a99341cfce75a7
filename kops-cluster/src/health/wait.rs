//! Waiting until a cluster is healthy: when to validate again.

use std::time::Duration;

/// kOps' pause between two validations.
const INTERVAL: Duration = Duration::from_secs(10);

/// How long to wait; by default not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitOptions {
    /// The timeout; zero validates once.
    pub timeout: Duration,
    /// The pause between two validations.
    pub interval: Duration,
    /// How many times in a row the cluster must be healthy.
    pub count: u32,
}

impl Default for WaitOptions {
    fn default() -> Self {
        Self { timeout: Duration::ZERO, interval: INTERVAL, count: 1 }
    }
}

impl WaitOptions {
    /// Waits with a timeout.
    pub fn at_most(timeout: Duration) -> Self {
        Self { timeout, ..Self::default() }
    }

    /// Sets the pause between two validations.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets how often in a row the cluster has to be healthy.
    pub fn count(mut self, count: u32) -> Self {
        self.count = count;
        self
    }

    pub(super) fn begin(self, now: Duration) -> Progress {
        Progress { wait: self, ends: now.saturating_add(self.timeout), healthy: 0 }
    }
}

/// The progress of waiting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    wait: WaitOptions,
    ends: Duration,
    /// How many times in a row the cluster has been healthy.
    healthy: u32,
}

impl Progress {
    /// Returns the pause until the next validation, or `None` if this result is the last one.
    ///
    /// A healthy cluster that has not been healthy often enough in a row is validated beyond the timeout:
    /// missing validations do not make it unhealthy. Without a timeout, validations are separated by the
    /// pause as well.
    pub(super) fn next(&mut self, healthy: bool, now: Duration) -> Option<Duration> {
        self.healthy = if healthy { self.healthy + 1 } else { 0 };
        let goes_on = if healthy { self.healthy < self.wait.count } else { now < self.ends };
        goes_on.then(|| {
            let left = self.ends.saturating_sub(now);
            // The last validation is at the end of the timeout.
            if healthy { self.wait.interval } else { self.wait.interval.min(left) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(wait: WaitOptions, results: &[bool]) -> (usize, Duration) {
        let mut now = Duration::from_secs(1000);
        let mut progress = wait.begin(now);
        for (at, healthy) in results.iter().enumerate() {
            match progress.next(*healthy, now) {
                Some(pause) => now += pause,
                None => return (at + 1, now.checked_sub(Duration::from_secs(1000)).unwrap()),
            }
        }
        panic!("it goes on after {} looks", results.len());
    }

    #[test]
    fn without_waiting_there_is_one_look() {
        assert_eq!(looks(WaitOptions::default(), &[false]), (1, Duration::ZERO));
        assert_eq!(looks(WaitOptions::default(), &[true]), (1, Duration::ZERO));
    }

    #[test]
    fn looks_go_on_until_the_cluster_is_healthy_often_enough_in_a_row() {
        let wait = WaitOptions::at_most(Duration::from_mins(15));
        assert_eq!(looks(wait, &[false, false, true]), (3, Duration::from_secs(20)));
        let wait = wait.count(2).interval(Duration::from_secs(30));
        assert_eq!(looks(wait, &[true, false, true, true]), (4, Duration::from_secs(90)));
    }

    #[test]
    fn the_last_look_is_when_the_time_is_up() {
        let wait = WaitOptions::at_most(Duration::from_secs(25));
        assert_eq!(looks(wait, &[false; 9]), (4, Duration::from_secs(25)));
        // Healthy at the end, but not often enough yet.
        assert_eq!(
            looks(wait.count(3), &[false, false, false, true, true, true]),
            (6, Duration::from_secs(45))
        );
    }
}
