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
