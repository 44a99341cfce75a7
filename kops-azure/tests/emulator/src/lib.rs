//! An emulator of Azure Resource Manager for tests: nothing to install or start by hand.
//!
//! [`Emulator::start`] gives a test an Azure subscription of its own, a [`Tenant`] of the emulator; the vendor's operation
//! tables, which drive it, are fetched at pinned versions and digests. Subscriptions share nothing, so tests in one
//! process run side by side. The server is Python with its standard library only, in `server/`; `README.md` says what
//! it models.
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

#![expect(clippy::missing_panics_doc, reason = "everything here panics on failure, and says so above")]

pub mod azurite;

use std::ops::Deref;
use std::time::Duration;

use kops_emulator::{Needs, Program, Tenant};
use serde_json::{Value, json};

pub use kops_emulator::{Call, Calls, Fault, Snapshot};

/// The region that tests use; it has three availability zones.
pub const REGION: &str = "westeurope";

/// The directory that all subscriptions are in.
pub const TENANT: &str = "72f988bf-0000-4000-8000-2d7cd011db47";

/// A bearer token; any will do.
pub const TOKEN: &str = "test";

static PROGRAM: Program = Program::new(
    "the Azure emulator",
    "azure-emulator",
    concat!(env!("CARGO_MANIFEST_DIR"), "/server/serve.py"),
    Needs::Prepared { sources: &["packages.json", "packages.py", "schema.py", "literals.py"] },
);

/// An Azure subscription of an emulator that runs until the test process ends.
#[derive(Debug)]
pub struct Emulator {
    tenant: Tenant,
}

impl Emulator {
    /// A fresh subscription.
    ///
    /// # Panics
    ///
    /// When the emulator cannot be installed (no `python3`, no npm registry within reach) or does not start.
    pub fn start() -> Self {
        let number = PROGRAM.next();
        Self { tenant: Tenant::of(&PROGRAM, number, format!("50000000-0000-4000-8000-{number:012}")) }
    }

    /// The address of all services: Resource Manager, the tokens of service principals
    /// (`/{tenant}/oauth2/v2.0/token`) and those of managed identities (`/metadata/identity/oauth2/token`). Polls of
    /// long-running operations are in the log of calls as `operations.status` and `operations.result`.
    pub fn endpoint(&self) -> String {
        self.address()
    }

    /// The subscription's id.
    pub fn subscription(&self) -> &str {
        self.name()
    }

    /// The id of a resource of the subscription: `azure.id("rg", "Microsoft.Network/virtualNetworks/net")`.
    pub fn id(&self, group: &str, path: &str) -> String {
        format!("/subscriptions/{}/resourceGroups/{group}/providers/{path}", self.subscription())
    }

    /// What a program has to find in its environment to work on this subscription and no other.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AZURE_SUBSCRIPTION_ID", self.subscription().to_owned()),
            ("AZURE_LOCATION", REGION.to_owned()),
            ("AZURE_TENANT_ID", TENANT.to_owned()),
            ("AZURE_CLIENT_ID", "00000000-0000-4000-8000-00000000c11e".to_owned()),
            ("AZURE_CLIENT_SECRET", "secret".to_owned()),
            ("AZURE_AUTHORITY_HOST", self.endpoint()),
            ("AZURE_RESOURCE_MANAGER_ENDPOINT", self.endpoint()),
        ]
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

    /// Puts objects of others beside a cluster as [`Tenant::seed_foreign`] does, all in one resource group: the
    /// cluster's own, say.
    pub fn seed_foreign_into(&self, cluster: &str, group: &str) {
        self.control("foreign", &json!({ "cluster": cluster, "group": group }));
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
}

impl Deref for Emulator {
    type Target = Tenant;

    fn deref(&self) -> &Tenant {
        &self.tenant
    }
}
