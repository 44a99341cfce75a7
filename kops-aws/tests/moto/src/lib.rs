//! The AWS emulator [moto](https://github.com/getmoto/moto) for tests: nothing to install or start by hand.
//!
//! [`Moto::start`] gives a test an AWS account of its own, a [`Tenant`] of moto, which is installed at pinned versions.
//! Accounts share nothing but the names of S3 buckets, so tests in one process run side by side.
//!
//! What the harness adds to moto, in `server/`: a log of the calls of an account, latency, injected
//! [faults](Fault), permissions taken away, [snapshots](Snapshot) of all that an account holds, objects of
//! others that must survive, repairs where moto differs from AWS (`server/repairs.py`), and instances that are real
//! [machines](Machines) (`server/machines/`).
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

#![expect(clippy::missing_panics_doc, reason = "everything here panics on failure, and says so above")]

mod machines;

use std::ops::Deref;

use kops_emulator::{Needs, Program, Tenant};
use serde_json::{Value, json};

pub use kops_emulator::{Call, Calls, Fault, Snapshot};
pub use machines::{Machine, Machines, Output};

/// The region that tests use; moto gives it a default VPC with six subnets, as AWS does.
pub const REGION: &str = "us-east-1";

/// An image for x86-64 that every account knows, by the name that is kOps' default; see `server/images.json`.
pub const IMAGE: &str = "ami-0a1b2c3d4e5f60718";

static PROGRAM: Program = Program::new(
    "the AWS emulator moto",
    "moto",
    concat!(env!("CARGO_MANIFEST_DIR"), "/server/serve.py"),
    Needs::Packages { requirements: "requirements.txt", dependencies: true },
);

/// An AWS account of an emulator that runs until the test process ends.
#[derive(Debug)]
pub struct Moto {
    tenant: Tenant,
}

impl Moto {
    /// A fresh account.
    ///
    /// # Panics
    ///
    /// When the emulator cannot be installed (no `python3` with `venv`, no package index) or does not start.
    pub fn start() -> Self {
        let number = PROGRAM.next();
        // Twelve digits, as AWS's are.
        Self { tenant: Tenant::of(&PROGRAM, number, format!("1{number:011}")) }
    }

    /// The address of all services, for `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        self.address()
    }

    /// The account's number.
    pub fn account(&self) -> &str {
        self.name()
    }

    /// An access key of the account; any secret goes with it.
    pub fn access_key(&self) -> String {
        format!("AKIA0000{}", self.account())
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

    /// Makes a bucket; its name is completed to be unique, as those of all accounts are one namespace.
    pub fn create_bucket(&self, prefix: &str) -> String {
        let name = format!("{prefix}-{}", self.account());
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

    /// The code and the message with which such a call is refused.
    ///
    /// # Panics
    ///
    /// When it is not.
    #[expect(clippy::needless_pass_by_value, reason = "callers write json!({…})")]
    pub fn boto_refused(&self, service: &str, call: &str, arguments: Value) -> (String, String) {
        let request = json!({ "service": service, "call": call, "arguments": arguments });
        let refusal = self.control("boto-refused", &request);
        let part = |name: &str| match refusal[name].as_str() {
            Some(text) => text.to_owned(),
            None => panic!("moto: {service}.{call} was to be refused, but was answered"),
        };
        (part("code"), part("message"))
    }
}

impl Deref for Moto {
    type Target = Tenant;

    fn deref(&self) -> &Tenant {
        &self.tenant
    }
}
