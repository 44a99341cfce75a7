//! An emulator of Google Cloud for tests: nothing to install or start by hand.
//!
//! [`Emulator::start`] gives a test a project of its own, a [`Tenant`] of the emulator; Google's discovery documents,
//! which drive it, are installed at a pinned version. Projects share nothing but the names of buckets, so tests in one
//! process run side by side.
//!
//! The server is in `server/`, and `README.md` says what it models: Compute Engine, Cloud DNS, IAM, Resource
//! Manager and Cloud Storage, as strictly as the documents describe them; a log of the calls of a project, latency,
//! injected [faults](Fault), permissions taken away, [snapshots](Snapshot) of all that a project holds, and objects
//! of others that must survive.
//!
//! ```no_run
//! use kops_gce_emulator::{Emulator, Fault};
//!
//! let google = Emulator::start();
//! let before = google.snapshot();
//! google.inject(Fault::lose("compute.networks.insert").times(1));
//! // … point the code under test at google.endpoint() and google.project(), or give google.env() to a program …
//! assert_eq!(before.diff(&google.snapshot()), Vec::<String>::new());
//! assert_eq!(google.calls().count("compute.networks.insert"), 2);
//! ```
//!
//! Everything panics on failure: a test can do no better.

#![expect(clippy::missing_panics_doc, reason = "everything here panics on failure, and says so above")]

use std::ops::Deref;
use std::time::Duration;

use kops_emulator::{Needs, Program, Tenant};
use serde_json::{Value, json};

pub use kops_emulator::{Call, Calls, Fault, Snapshot};

/// The region that tests use; its zones are `b`, `c` and `d`.
pub const REGION: &str = "europe-west1";

/// The family of a public image for x86-64.
pub const IMAGE: &str = "ubuntu-os-cloud/ubuntu-2404-lts-amd64";

static PROGRAM: Program = Program::new(
    "the emulator of Google Cloud",
    "gce-emulator",
    concat!(env!("CARGO_MANIFEST_DIR"), "/server/serve.py"),
    // Of the package only the discovery documents are read.
    Needs::Packages { requirements: "requirements.txt", dependencies: false },
);

/// A project of an emulator that runs until the test process ends.
#[derive(Debug)]
pub struct Emulator {
    tenant: Tenant,
    /// The project's own: calls about others (public images, buckets that are not there) are in its log, too.
    port: u64,
}

impl Emulator {
    /// A fresh project.
    ///
    /// # Panics
    ///
    /// When the emulator cannot be installed (no `python3` with `venv`, no package index) or does not start.
    pub fn start() -> Self {
        let number = PROGRAM.next();
        Self::of(Tenant::of(&PROGRAM, number, format!("kops-test-{number}")))
    }

    /// A fresh project that can share networks with this one.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self::of(self.tenant.beside(format!("kops-test-{}", PROGRAM.next())))
    }

    fn of(tenant: Tenant) -> Self {
        let port = tenant.control("listen", &json!({}));
        let port = port.as_u64().unwrap_or_else(|| panic!("the emulator: a port, not {port}"));
        Self { tenant, port }
    }

    /// The address of all services.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The project's identifier.
    pub fn project(&self) -> &str {
        self.name()
    }

    /// What a program has to find in its environment to work on this project and no other.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("GOOGLE_CLOUD_PROJECT", self.project().to_owned()),
            ("CLOUDSDK_COMPUTE_REGION", REGION.to_owned()),
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", self.endpoint()),
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_DNS", self.endpoint()),
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAM", self.endpoint()),
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", self.endpoint()),
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER", self.endpoint()),
            ("CLOUDSDK_AUTH_DISABLE_CREDENTIALS", "true".to_owned()),
        ]
    }

    /// How long operations take, from the call that starts them; 20 ms unless set.
    pub fn set_operation_time(&self, time: Duration) {
        self.control("configure", &json!({ "operation": milliseconds(time) }));
    }

    /// How long machines take to boot, after the operation that makes them; no time unless set.
    pub fn set_boot_time(&self, time: Duration) {
        self.control("configure", &json!({ "boot": milliseconds(time) }));
    }

    /// For how long listings do not show what is new; no time unless set.
    pub fn set_list_delay(&self, delay: Duration) {
        self.control("configure", &json!({ "list_delay": milliseconds(delay) }));
    }

    /// For how long policies and machines do not know a new service account; no time unless set.
    pub fn set_account_delay(&self, delay: Duration) {
        self.control("configure", &json!({ "account_delay": milliseconds(delay) }));
    }

    /// How many objects a page of a listing has at most; 500 unless set, as Google's.
    pub fn set_page_size(&self, size: u32) {
        self.control("configure", &json!({ "page_size": size }));
    }

    /// Lets everything happen now that is under way: operations, boots, replacements.
    pub fn settle(&self) {
        self.control("settle", &json!({}));
    }

    /// All that the project holds, without what differs between two objects that were made alike: identifiers,
    /// fingerprints, times.
    pub fn normal_snapshot(&self) -> Snapshot {
        Snapshot::from_json(self.control("snapshot", &json!({ "normalised": true })))
    }

    /// Makes a bucket; its name is completed to be unique, as those of all projects are one namespace.
    pub fn create_bucket(&self, prefix: &str) -> String {
        let name = format!("{prefix}-{}", self.project());
        self.control("bucket", &json!({ "name": name }));
        name
    }

    /// Makes a public managed zone of a domain and gives the zone's name.
    pub fn create_zone(&self, domain: &str) -> String {
        let name = self.control("zone", &json!({ "name": domain }));
        name.as_str().unwrap_or_else(|| panic!("the emulator: the name of a zone, not {name}")).to_owned()
    }

    /// A call made by somebody else, e.g. by hand in the console: a method of the discovery documents, its
    /// parameters (the project need not be given) and its body. Its operation is done at once; not in the log of
    /// calls.
    ///
    /// ```no_run
    /// # use serde_json::json;
    /// # let google = kops_gce_emulator::Emulator::start();
    /// let network = json!({ "name": "theirs", "autoCreateSubnetworks": false });
    /// google.call("compute.networks.insert", json!({}), network);
    /// google.call("compute.networks.delete", json!({ "network": "theirs" }), json!(null));
    /// ```
    #[expect(clippy::needless_pass_by_value, reason = "callers write json!({…})")]
    pub fn call(&self, method: &str, parameters: Value, body: Value) -> Value {
        self.control("call", &json!({ "method": method, "parameters": parameters, "body": body }))
    }
}

impl Deref for Emulator {
    type Target = Tenant;

    fn deref(&self) -> &Tenant {
        &self.tenant
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
