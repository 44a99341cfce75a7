//! An emulator of Azure Resource Manager for tests: nothing to install or start by hand.
//!
//! [`Emulator::start`] gives a test an Azure subscription of its own. Behind it, once for a target directory, the
//! vendor's operation tables are fetched at pinned versions and digests (`install.rs`); and for a test process, a
//! few servers run on free ports (`server.rs`) and end with the process, however that ends. Subscriptions share
//! nothing, so tests in one process run side by side. The server itself is Python with its standard library only,
//! in `server/`; `README.md` says what it models.
//!
//! State stores are tested on [Azurite](azurite::Azurite), Microsoft's own emulator of blobs.
//!
//! What a test can order: a log of the calls, latency, injected [faults](Fault), permissions taken away,
//! [snapshots](Snapshot) of all that a subscription holds, objects of others that must survive, and how long
//! long-running operations take.
//!
//! ```no_run
//! use kops_azure_emulator::{Emulator, Fault};
//!
//! let azure = Emulator::start();
//! let before = azure.snapshot();
//! azure.inject(Fault::lose("virtualNetworks.createOrUpdate").times(1));
//! // … point the code under test at azure.endpoint(), or give azure.env() to a program …
//! assert_eq!(before.diff(&azure.snapshot()), Vec::<String>::new());
//! assert_eq!(azure.calls().count("virtualNetworks.createOrUpdate"), 2);
//! ```
//!
//! Everything panics on failure: a test can do no better.

#![expect(clippy::disallowed_methods, reason = "tests wait in real time")]
#![expect(clippy::missing_panics_doc, reason = "everything here panics on failure, and says so above")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

pub mod azurite;
mod calls;
mod fault;
mod install;
mod server;
mod snapshot;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub use calls::{Call, Calls};
pub use fault::Fault;
pub use snapshot::Snapshot;

use server::Server;

/// The region that tests use; it has three availability zones.
pub const REGION: &str = "westeurope";

/// The directory that all subscriptions are in.
pub const TENANT: &str = "72f988bf-0000-4000-8000-2d7cd011db47";

/// A bearer token; any will do.
pub const TOKEN: &str = "test";

/// An Azure subscription of an emulator that runs until the test process ends.
#[derive(Debug)]
pub struct Emulator {
    server: &'static Server,
    subscription: String,
}

impl Emulator {
    /// A fresh subscription.
    ///
    /// # Panics
    ///
    /// When the emulator cannot be installed (no `python3`, no npm registry within reach) or does not start.
    pub fn start() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let subscription = format!("50000000-0000-4000-8000-{number:012}");
        Self { server: Server::of(number), subscription }
    }

    /// The address of all services: Resource Manager, the tokens of service principals
    /// (`/{tenant}/oauth2/v2.0/token`) and those of managed identities (`/metadata/identity/oauth2/token`).
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// The subscription's id.
    pub fn subscription(&self) -> &str {
        &self.subscription
    }

    /// The id of a resource of the subscription: `azure.id("rg", "Microsoft.Network/virtualNetworks/net")`.
    pub fn id(&self, group: &str, path: &str) -> String {
        format!("/subscriptions/{}/resourceGroups/{group}/providers/{path}", self.subscription)
    }

    /// What a program has to find in its environment to work on this subscription and no other.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AZURE_SUBSCRIPTION_ID", self.subscription.clone()),
            ("AZURE_LOCATION", REGION.to_owned()),
            ("AZURE_TENANT_ID", TENANT.to_owned()),
            ("AZURE_CLIENT_ID", "00000000-0000-4000-8000-00000000c11e".to_owned()),
            ("AZURE_CLIENT_SECRET", "secret".to_owned()),
            ("AZURE_AUTHORITY_HOST", self.endpoint()),
            ("AZURE_RESOURCE_MANAGER_ENDPOINT", self.endpoint()),
        ]
    }

    /// The calls since the start or since [`Emulator::forget_calls`]; polls of long-running operations are calls
    /// too, as `operations.status` and `operations.result`.
    pub fn calls(&self) -> Calls {
        serde_json::from_value(self.control("calls", &json!({})))
            .unwrap_or_else(|error| panic!("the emulator's log of calls: {error}"))
    }

    /// Starts the log of calls anew.
    pub fn forget_calls(&self) {
        self.control("forget-calls", &json!({}));
    }

    /// Makes every call take this much longer.
    pub fn set_latency(&self, latency: Duration) {
        self.control("latency", &json!({ "milliseconds": latency.as_secs_f64() * 1000.0 }));
    }

    /// Changes settings, e.g. `json!({ "list_lag": 0.5 })`; `server/settings.py` says which there are.
    #[expect(clippy::needless_pass_by_value, reason = "callers write json!({…})")]
    pub fn set(&self, settings: Value) {
        self.control("set", &settings);
    }

    /// How long the long-running operations that match a pattern take: `virtualMachineScaleSets.*`. Later words
    /// replace earlier ones. Without any they take 20 ms.
    pub fn set_operation_time(&self, pattern: &str, time: Duration) {
        self.set(json!({ "lro": { pattern: time.as_secs_f64() } }));
    }

    /// Lets all long-running operations end now.
    pub fn settle(&self) {
        self.control("settle", &json!({}));
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

    /// Takes away the permission for these operations (`subnets.*`) or actions (`Microsoft.Network/*/write`); an
    /// empty list gives all back. Real calls and the list of permissions are answered alike from this list.
    pub fn deny(&self, actions: &[&str]) {
        self.control("deny", &json!({ "actions": actions }));
    }

    /// All that the subscription holds; not in the log of calls.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::from_json(self.control("snapshot", &json!({})))
    }

    /// Puts objects of others beside a cluster: one of every kind that belongs to nobody, and one that belongs to
    /// a sibling cluster whose name begins with `cluster`; each set in a resource group of its own.
    pub fn seed_foreign(&self, cluster: &str) {
        self.control("foreign", &json!({ "cluster": cluster, "location": REGION }));
    }

    /// As [`Emulator::seed_foreign`], all in this resource group, beside the cluster's own objects.
    pub fn seed_foreign_into(&self, cluster: &str, group: &str) {
        self.control("foreign", &json!({ "cluster": cluster, "location": REGION, "group": group }));
    }

    /// Makes a resource group.
    pub fn create_group(&self, name: &str) {
        self.request("PUT", &format!("resourceGroups/{name}"), json!({ "location": REGION }));
    }

    /// Makes a public DNS zone in a resource group, which is made if need be, and gives its id.
    pub fn create_zone(&self, group: &str, name: &str) -> String {
        self.create_group(group);
        let path = format!("resourceGroups/{group}/providers/Microsoft.Network/dnsZones/{name}");
        let zone = self.request("PUT", &path, json!({ "location": "global" }));
        zone["id"].as_str().unwrap_or_else(|| panic!("the emulator: the id of a zone, not {zone}")).to_owned()
    }

    /// A call made by somebody else, e.g. by hand in the portal; not in the log of calls, and complete when it
    /// returns. The path may begin below the subscription and may lack its API version.
    ///
    /// ```no_run
    /// # use serde_json::json;
    /// # let azure = kops_azure_emulator::Emulator::start();
    /// azure.request("PUT", "resourceGroups/other", json!({ "location": "westeurope" }));
    /// ```
    #[expect(clippy::needless_pass_by_value, reason = "callers write json!({…})")]
    pub fn request(&self, method: &str, path: &str, body: Value) -> Value {
        self.control("request", &json!({ "method": method, "path": path, "body": body }))
    }

    fn control(&self, name: &str, arguments: &Value) -> Value {
        self.server.control(&self.subscription, name, arguments)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // A failing test explains itself better with what the emulator saw last.
        if std::thread::panicking()
            && let Some(log) = self.server.try_control(&self.subscription, "calls", &json!({}))
        {
            serde_json::from_value::<Calls>(log).unwrap_or_default().print_last(20);
        }
    }
}
