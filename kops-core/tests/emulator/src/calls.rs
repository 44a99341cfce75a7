//! The log of a tenant's calls.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One call, as the emulator saw it.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Call {
    /// The service or group of operations and what is asked of it, as the vendor names them: `ec2:CreateVpc`,
    /// `compute.networks.insert`, `virtualNetworks.createOrUpdate`.
    pub action: String,
    /// Whether the call may change anything.
    pub mutation: bool,
    /// What it was about: the path of the request.
    pub path: String,
    /// The HTTP status; 0 when the connection was closed without an answer.
    pub status: u16,
    /// The error code of a failure.
    pub code: Option<String>,
    /// Which machine of the tenant made it, if it was made by one.
    #[serde(default)]
    pub by: Option<String>,
    /// When it arrived, in seconds of the server's monotonic clock.
    pub start: f64,
    /// How long the answer took, in seconds.
    pub seconds: f64,
}

impl Call {
    /// The service or group of operations: `ec2`, `compute`, `virtualNetworks`.
    pub fn service(&self) -> &str {
        self.action.split([':', '.']).next().unwrap_or_default()
    }
}

/// The calls of a tenant, in the order in which they were answered.
#[derive(Clone, Debug, Default, Deserialize)]
#[non_exhaustive]
pub struct Calls {
    /// All of them.
    pub calls: Vec<Call>,
    /// The most that were under way at one time.
    pub most_in_flight: u64,
}

impl Calls {
    /// How many there were.
    pub fn total(&self) -> usize {
        self.calls.len()
    }

    /// How many of one action.
    pub fn count(&self, action: &str) -> usize {
        self.calls.iter().filter(|call| call.action == action).count()
    }

    /// How many by action.
    pub fn by_action(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for call in &self.calls {
            *counts.entry(call.action.as_str()).or_default() += 1;
        }
        counts
    }

    /// How many were made in turn: the longest sequence of calls of which each began when the one before was answered.
    /// With a latency well above everything else, that many latencies are what all of them take.
    pub fn in_turn(&self) -> usize {
        let mut spans: Vec<_> =
            self.calls.iter().map(|call| (call.start + call.seconds, call.start)).collect();
        spans.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (mut count, mut free) = (0, f64::NEG_INFINITY);
        for (end, start) in spans {
            if start >= free {
                (count, free) = (count + 1, end);
            }
        }
        count
    }

    /// Those that may change something, leaving out services: `["s3"]` for the state store's own.
    pub fn mutations(&self, but_not: &[&str]) -> Vec<&Call> {
        self.calls.iter().filter(|call| call.mutation && !but_not.contains(&call.service())).collect()
    }

    #[expect(clippy::print_stderr, reason = "a failing test's last words")]
    pub(crate) fn print_last(&self, count: usize) {
        let skipped = self.calls.len().saturating_sub(count);
        eprintln!("the last calls ({skipped} earlier):");
        for call in self.calls.iter().skip(skipped) {
            let code = call.code.as_deref().unwrap_or_default();
            eprintln!("  {} {} {} {code}", call.status, call.action, call.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(spans: &[(f64, f64)]) -> Calls {
        let call = |&(start, seconds): &(f64, f64)| Call {
            action: "ec2:DescribeVpcs".to_owned(),
            mutation: false,
            path: "/".to_owned(),
            status: 200,
            code: None,
            by: None,
            start,
            seconds,
        };
        Calls { calls: spans.iter().map(call).collect(), most_in_flight: 0 }
    }

    #[test]
    fn calls_at_the_same_time_are_one_turn() {
        assert_eq!(calls(&[]).in_turn(), 0);
        assert_eq!(calls(&[(0.0, 1.0), (0.1, 1.0), (0.2, 1.0)]).in_turn(), 1);
        // In the log, calls are in the order of their answers.
        assert_eq!(calls(&[(0.0, 1.0), (0.1, 1.0), (1.0, 1.0), (1.2, 1.0), (2.1, 1.0)]).in_turn(), 3);
        // A long one beside three short ones.
        assert_eq!(calls(&[(0.0, 0.5), (0.5, 0.5), (0.0, 1.4), (1.0, 0.5)]).in_turn(), 3);
    }
}
