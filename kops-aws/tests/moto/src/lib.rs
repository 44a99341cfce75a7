//! The AWS emulator [moto](https://github.com/getmoto/moto) for tests: nothing to install or start by hand.
//!
//! [`Moto::start`] gives a test an AWS account of its own. Behind it, once for a target directory, moto is
//! installed at pinned versions into a Python virtual environment (`install.rs`); and for a test process, a few
//! servers run on free ports (`server.rs`) and end with the process, however that ends. Accounts share nothing
//! but the names of S3 buckets, so tests in one process run side by side.
//!
//! What the harness adds to moto, in `server/`: a log of the calls of an account, latency, injected
//! [faults](Fault), permissions taken away, [snapshots](Snapshot) of all that an account holds, objects of
//! others that must survive, and repairs where moto differs from AWS (`server/repairs.py`).
//!
//! ```no_run
//! use kops_moto::{Fault, Moto};
//!
//! let moto = Moto::start();
//! let before = moto.snapshot();
//! moto.inject(Fault::lose("ec2:CreateVpc").times(1));
//! // … point the code under test at moto.endpoint(), or give moto.env() to a program …
//! assert_eq!(before.diff(&moto.snapshot()), Vec::<String>::new());
//! assert_eq!(moto.calls().count("ec2:CreateVpc"), 2);
//! ```
//!
//! Everything panics on failure: a test can do no better.

#![expect(clippy::disallowed_methods, reason = "tests wait in real time")]
#![expect(clippy::missing_panics_doc, reason = "everything here panics on failure, and says so above")]

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

/// The region that tests use; moto gives it a default VPC with six subnets, as AWS does.
pub const REGION: &str = "us-east-1";

/// An image for x86-64 that every account knows, by the name that is kOps' default; see `server/images.json`.
pub const IMAGE: &str = "ami-0a1b2c3d4e5f60718";

/// An AWS account of an emulator that runs until the test process ends.
#[derive(Debug)]
pub struct Moto {
    server: &'static Server,
    account: u64,
}

impl Moto {
    /// A fresh account.
    ///
    /// # Panics
    ///
    /// When the emulator cannot be installed (no `python3` with `venv`, no package index) or does not start.
    pub fn start() -> Self {
        // Twelve digits, as AWS's are.
        static NEXT: AtomicU64 = AtomicU64::new(100_000_000_001);
        let account = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { server: Server::of(account), account }
    }

    /// The address of all services, for `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// The account's number.
    pub fn account(&self) -> String {
        self.account.to_string()
    }

    /// An access key of the account; any secret goes with it.
    pub fn access_key(&self) -> String {
        format!("AKIA0000{}", self.account)
    }

    /// What a program has to find in its environment to work on this account and no other.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", self.access_key()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ]
    }

    /// The calls since the start or since [`Moto::forget_calls`].
    pub fn calls(&self) -> Calls {
        serde_json::from_value(self.control("calls", &json!({})))
            .unwrap_or_else(|error| panic!("moto's log of calls: {error}"))
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

    /// Takes away the permission for these actions (`ec2:CreateVpc`, `iam:*`); an empty list gives all back.
    ///
    /// moto itself knows no permissions: real calls, dry runs and the policy simulator are answered alike by
    /// the harness, from this list alone.
    pub fn deny(&self, actions: &[&str]) {
        self.control("deny", &json!({ "actions": actions }));
    }

    /// All that the account holds, seen by a client of its own; not in the log of calls.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::from_json(self.control("snapshot", &json!({})))
    }

    /// Puts objects of others beside a cluster: one of every kind that belongs to nobody, and one that
    /// belongs to a sibling cluster whose name begins with `cluster`.
    pub fn seed_foreign(&self, cluster: &str) {
        self.control("foreign", &json!({ "cluster": cluster }));
    }

    /// Makes a bucket; its name is completed to be unique, as those of all accounts are one namespace.
    pub fn create_bucket(&self, prefix: &str) -> String {
        let name = format!("{prefix}-{}", self.account);
        self.control("bucket", &json!({ "name": name }));
        name
    }

    /// Makes a public hosted zone and gives its id.
    pub fn create_zone(&self, name: &str) -> String {
        let id = self.control("zone", &json!({ "name": name }));
        id.as_str().unwrap_or_else(|| panic!("moto: the id of a zone, not {id}")).to_owned()
    }

    /// A call made by somebody else, e.g. by hand in the console, in boto3's terms; not in the log of calls.
    ///
    /// ```no_run
    /// # use serde_json::json;
    /// # let moto = kops_moto::Moto::start();
    /// moto.boto("ec2", "create_vpc", json!({ "CidrBlock": "10.9.0.0/16" }));
    /// ```
    #[expect(clippy::needless_pass_by_value, reason = "callers write json!({…})")]
    pub fn boto(&self, service: &str, call: &str, arguments: Value) -> Value {
        self.control("boto", &json!({ "service": service, "call": call, "arguments": arguments }))
    }

    fn control(&self, name: &str, arguments: &Value) -> Value {
        self.server.control(self.account, name, arguments)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // A failing test explains itself better with what the emulator saw last.
        if std::thread::panicking()
            && let Some(log) = self.server.try_control(self.account, "calls", &json!({}))
        {
            serde_json::from_value::<Calls>(log).unwrap_or_default().print_last(20);
        }
    }
}
