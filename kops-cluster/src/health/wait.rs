//! Waiting until a cluster is healthy: when to look again.

use std::time::Duration;

/// kOps' pause between two validations.
const INTERVAL: Duration = Duration::from_secs(10);

/// How to wait; by default not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wait {
    /// For how long at most; zero validates once.
    pub timeout: Duration,
    /// The pause between two validations.
    pub interval: Duration,
    /// How often in a row the cluster has to be healthy.
    pub count: u32,
}

impl Default for Wait {
    fn default() -> Self {
        Self { timeout: Duration::ZERO, interval: INTERVAL, count: 1 }
    }
}

impl Wait {
    /// Waits for a time at most.
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

/// How far the waiting is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    wait: Wait,
    ends: Duration,
    /// How often in a row the cluster has been healthy.
    healthy: u32,
}

impl Progress {
    /// After a result: the pause until the next look, or none if this was the last one.
    ///
    /// A healthy cluster that still has to prove it is looked at beyond the time: it is not unhealthy that it lacks
    /// looks. Without waiting the looks follow each other after the pause as well.
    pub(super) fn next(&mut self, healthy: bool, now: Duration) -> Option<Duration> {
        self.healthy = if healthy { self.healthy + 1 } else { 0 };
        let goes_on = if healthy { self.healthy < self.wait.count } else { now < self.ends };
        goes_on.then(|| {
            let left = self.ends.saturating_sub(now);
            // The last look is at the very end.
            if healthy { self.wait.interval } else { self.wait.interval.min(left) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(wait: Wait, results: &[bool]) -> (usize, Duration) {
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
        assert_eq!(looks(Wait::default(), &[false]), (1, Duration::ZERO));
        assert_eq!(looks(Wait::default(), &[true]), (1, Duration::ZERO));
    }

    #[test]
    fn looks_go_on_until_the_cluster_is_healthy_often_enough_in_a_row() {
        let wait = Wait::at_most(Duration::from_mins(15));
        assert_eq!(looks(wait, &[false, false, true]), (3, Duration::from_secs(20)));
        let wait = wait.count(2).interval(Duration::from_secs(30));
        assert_eq!(looks(wait, &[true, false, true, true]), (4, Duration::from_secs(90)));
    }

    #[test]
    fn the_last_look_is_when_the_time_is_up() {
        let wait = Wait::at_most(Duration::from_secs(25));
        assert_eq!(looks(wait, &[false; 9]), (4, Duration::from_secs(25)));
        // Healthy at the end, but not often enough yet.
        assert_eq!(
            looks(wait.count(3), &[false, false, false, true, true, true]),
            (6, Duration::from_secs(45))
        );
    }
}
