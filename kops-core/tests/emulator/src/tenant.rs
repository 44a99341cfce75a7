//! What a test has to itself.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::Server;
use crate::{Calls, Fault, Program, Snapshot};

/// An account of an emulator, a project, a subscription: whatever a cloud calls it. It lasts until the test process
/// ends.
#[derive(Debug)]
pub struct Tenant {
    server: &'static Server,
    name: String,
}

impl Tenant {
    /// The tenant of a [number](Program::next) and name.
    ///
    /// # Panics
    ///
    /// When the emulator cannot be installed (no `python3` with `venv`, no package index) or does not start.
    pub fn of(program: &'static Program, number: u64, name: String) -> Self {
        Self { server: program.server(number), name }
    }

    /// Another one on the same server, where the two can share what the cloud lets them share.
    #[must_use]
    pub fn beside(&self, name: String) -> Self {
        Self { server: self.server, name }
    }

    /// Its name, as the cloud writes it: the account's number, the project's or subscription's identifier.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address of the server, `http://127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.server.endpoint()
    }

    /// The calls since the start or since [`Tenant::forget_calls`].
    pub fn calls(&self) -> Calls {
        serde_json::from_value(self.control("calls", &json!({})))
            .unwrap_or_else(|error| panic!("the log of calls: {error}"))
    }

    /// Starts the log of calls anew.
    pub fn forget_calls(&self) {
        self.control("forget-calls", &json!({}));
    }

    /// Makes every call take this much longer.
    pub fn set_latency(&self, latency: Duration) {
        self.control("latency", &json!({ "milliseconds": latency.as_secs_f64() * 1000.0 }));
    }

    /// Adds a fault; faults count the calls from here on.
    pub fn inject(&self, fault: Fault) {
        self.control(
            "fault",
            &serde_json::to_value(fault).unwrap_or_else(|error| panic!("a fault: {error}")),
        );
    }

    /// Removes all faults and denials and releases held answers.
    pub fn clear_faults(&self) {
        self.control("clear-faults", &json!({}));
    }

    /// How many answers a [`Fault::hold`] keeps back right now.
    pub fn held(&self) -> u64 {
        self.control("held", &json!({})).as_u64().unwrap_or_default()
    }

    /// Waits until a [`Fault::hold`] keeps an answer back.
    ///
    /// # Panics
    ///
    /// When none does within a minute.
    pub fn wait_until_held(&self) {
        let started = Instant::now();
        while self.held() == 0 {
            assert!(started.elapsed() < Duration::from_mins(1), "no call came that was to be held");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Lets held answers go.
    pub fn release(&self) {
        self.control("release", &json!({}));
    }

    /// Takes permissions away, by the vendor's names for them and with wildcards: `iam:*`,
    /// `compute.networks.create`, `Microsoft.Network/*/write`. An empty list gives all back.
    ///
    /// Real calls and the vendor's way to ask for permissions are answered alike, from this list alone.
    pub fn deny(&self, actions: &[&str]) {
        self.control("deny", &json!({ "actions": actions }));
    }

    /// All that the tenant holds, not in the log of calls.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::from_json(self.control("snapshot", &json!({})))
    }

    /// Puts objects of others beside a cluster: one of every kind that belongs to nobody, and one that
    /// belongs to a sibling cluster whose name begins with `cluster`.
    pub fn seed_foreign(&self, cluster: &str) {
        self.control("foreign", &json!({ "cluster": cluster }));
    }

    /// A control request that only this emulator knows.
    pub fn control(&self, name: &str, arguments: &Value) -> Value {
        self.server.control(&self.name, name, arguments)
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        // A failing test explains itself better with what the emulator saw last.
        if std::thread::panicking()
            && let Ok(log) = self.server.try_control(&self.name, "calls", &json!({}))
        {
            serde_json::from_value::<Calls>(log).unwrap_or_default().print_last(20);
        }
    }
}
