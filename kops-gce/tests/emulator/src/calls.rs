//! The log of a project's calls.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One call, as the emulator saw it.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Call {
    /// The method, as the discovery documents call it: `compute.networks.insert`.
    pub action: String,
    /// The HTTP status; 0 when the connection was closed without an answer.
    pub status: u16,
    /// The reason that a failure gives: `alreadyExists`.
    pub code: Option<String>,
    /// Whether the call may change anything.
    pub mutation: bool,
    /// What it was about: the path of the request.
    pub path: String,
    /// When it arrived, in seconds of the server's monotonic clock.
    pub start: f64,
    /// How long the answer took.
    pub seconds: f64,
}

/// The calls of a project, in the order in which they were answered.
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

    /// Those that may change something, leaving out a service: `["storage"]` for the state store's own.
    pub fn mutations(&self, but_not: &[&str]) -> Vec<&Call> {
        let counts = |call: &&Call| {
            call.mutation && !but_not.iter().any(|service| call.action.starts_with(&format!("{service}.")))
        };
        self.calls.iter().filter(counts).collect()
    }

    #[expect(clippy::print_stderr, reason = "a failing test's last words")]
    pub(crate) fn print_last(&self, count: usize) {
        let skipped = self.calls.len().saturating_sub(count);
        eprintln!("the project's last calls ({skipped} earlier):");
        for call in self.calls.iter().skip(skipped) {
            let code = call.code.as_deref().unwrap_or_default();
            eprintln!("  {} {} {} {code}", call.status, call.action, call.path);
        }
    }
}
