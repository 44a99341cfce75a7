//! A real OpenStack for tests: nothing to install or start by hand.
//!
//! [`Lab::start`] gives a test a project of its own in an OpenStack control plane on the loopback: the real services,
//! at pinned versions (see the README beside this crate). The first test of a process brings it up; it ends with the
//! last process that uses it. Projects share flavors, images, the external network and the names of DNS zones, and
//! nothing else, so tests run side by side; one that breaks services waits until it is [alone](Lab::alone).
//!
//! Where it cannot be had (no suitable Python, no package index), tests say so loudly and do nothing; with `KOPS_CI`
//! set they fail.
//!
//! Everything panics on failure: a test can do no better.

#![expect(clippy::missing_panics_doc, reason = "everything here panics on failure, and says so above")]
#![expect(
    clippy::print_stderr,
    reason = "a test that is skipped says so, and one that waits says for how long"
)]
#![expect(clippy::disallowed_methods, reason = "machines live in real time")]

mod calls;
mod fault;
mod foreign;
mod inventory;
mod machines;
mod project;
mod rest;
mod up;

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

pub use calls::Call;
pub use fault::Fault;
pub use kops_emulator::Snapshot;
pub use machines::{Machine, Machines};
pub use rest::Rest;

use project::Project;

/// The image that every project sees.
pub const IMAGE: &str = "cirros";
/// The flavors that every project sees, from the smallest.
pub const FLAVORS: [&str; 4] = ["m1.tiny", "m1.small", "m1.medium", "m1.large"];
/// The network that leads to the internet.
pub const EXTERNAL_NETWORK: &str = "public";
/// The one zone of servers and volumes.
pub const ZONE: &str = "nova";

/// How the names of credentials begin that tests work with.
const GIVEN: &str = "restricted-";
/// Numbers of names that no other test of the process has.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A project of the OpenStack that runs until the test process ends.
#[derive(Debug)]
pub struct Lab {
    name: String,
    project: String,
    user: String,
    auth_url: String,
    files: Project,
    /// Held as long as this is.
    _presence: File,
}

impl Lab {
    /// A fresh project with a user; `None`, and a loud message, when OpenStack cannot be had here.
    pub fn start() -> Option<Self> {
        Self::with(File::lock_shared)
    }

    /// The same, once no other test is in the lab, and no other comes until this one ends.
    pub fn alone() -> Option<Self> {
        Self::with(File::lock)
    }

    fn with(lock: fn(&File) -> io::Result<()>) -> Option<Self> {
        let home = match up::home() {
            Ok(home) => home,
            Err(why) if std::env::var_os("KOPS_CI").is_some() => panic!("{why}"),
            Err(why) => {
                // not eprintln!, which is not shown of a test that passes
                let mut out = io::stderr();
                drop(writeln!(out, "\n*** SKIPPED, because OpenStack cannot be had here: {why}\n"));
                return None;
            }
        };
        let presence = home.folder.join("present.lock");
        let presence = File::create(&presence).and_then(|file| lock(&file).map(|()| file));
        let presence = presence.unwrap_or_else(|error| panic!("present.lock: {error}"));
        let name = format!("kops-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        // Before there is any token of it.
        let files = Project::new(home.folder.join("projects").join(&name));
        let admin = Rest::admin(home);
        let project = admin.identity("POST", "projects", &json!({ "project": { "name": name } }));
        let project = text(&project["project"]["id"]);
        let user = create_user(&admin, &name, &project);
        Some(Self { name, project, user, auth_url: up::Home::auth_url(), files, _presence: presence })
    }

    /// The project's identifier.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// An entry as in `clouds.yaml`.
    pub fn entry(&self) -> Value {
        json!({ "auth": {
            "auth_url": self.auth_url, "username": self.name, "password": self.name,
            "project_name": self.name, "user_domain_name": "Default", "project_domain_name": "Default",
        } })
    }

    /// The same, with an application credential that is good for nothing but the calls of some access rules.
    pub fn restricted_entry(&self, access_rules: &Value) -> Value {
        self.credential(access_rules, true)
    }

    /// The same, with one that may not make others, either.
    pub fn humble_entry(&self, access_rules: &Value) -> Value {
        self.credential(access_rules, false)
    }

    fn credential(&self, access_rules: &Value, unrestricted: bool) -> Value {
        let body = json!({ "application_credential": {
            "name": format!("{GIVEN}{}", NEXT.fetch_add(1, Ordering::Relaxed)), "access_rules": access_rules,
            "unrestricted": unrestricted,
        } });
        let path = format!("users/{}/application_credentials", self.user);
        let made = self.rest().identity("POST", &path, &body)["application_credential"].take();
        json!({ "auth_type": "v3applicationcredential", "auth": {
            "auth_url": self.auth_url, "application_credential_id": made["id"],
            "application_credential_secret": made["secret"],
        } })
    }

    /// An entry of another user of the project.
    pub fn colleagues_entry(&self) -> Value {
        let name = format!("{}-colleague-{}", self.name, NEXT.fetch_add(1, Ordering::Relaxed));
        let admin = Rest::admin(up::home().unwrap_or_else(|why| panic!("{why}")));
        create_user(&admin, &name, &self.project);
        let mut entry = self.entry();
        entry["auth"]["username"] = name.clone().into();
        entry["auth"]["password"] = name.into();
        entry
    }

    /// The application credentials of the project's user, less those that tests work with.
    pub fn application_credentials(&self) -> Vec<Value> {
        let path = format!("v3/users/{}/application_credentials", self.user);
        let mut found = self.rest().list("keystone", &path, "application_credentials");
        found.retain(|it| !it["name"].as_str().is_some_and(|name| name.starts_with(GIVEN)));
        found
    }

    /// The access rules of the project's user, which outlive their credentials, as lines of text.
    pub fn access_rules(&self) -> Vec<String> {
        let path = format!("v3/users/{}/access_rules", self.user);
        let rules = self.rest().list("keystone", &path, "access_rules");
        rules.iter().map(|it| format!("{} {}", text(&it["method"]), text(&it["path"]))).collect()
    }

    /// Deletes an application credential behind everybody's back.
    pub fn delete_application_credential(&self, id: &str) {
        self.rest().identity(
            "DELETE",
            &format!("users/{}/application_credentials/{id}", self.user),
            &Value::Null,
        );
    }

    /// The key by which URLs of a container are signed; empty if it has none.
    pub fn container_key(&self, container: &str) -> String {
        self.rest().header(
            "swift",
            &format!("v1/AUTH_{{project}}/{container}"),
            "x-container-meta-temp-url-key",
        )
    }

    /// The user data of a server, in base64, which administrators alone see.
    pub fn user_data(&self, server: &str) -> String {
        let admin = Rest::admin(up::home().unwrap_or_else(|why| panic!("{why}")));
        let server =
            admin.version("compute 2.3").call("nova", "GET", &format!("v2.1/servers/{server}"), &Value::Null);
        text(&server["server"]["OS-EXT-SRV-ATTR:user_data"])
    }

    /// What a program has to find in its environment to work in this project.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        let own = || self.name.clone();
        vec![
            ("OS_AUTH_URL", self.auth_url.clone()),
            ("OS_USERNAME", own()),
            ("OS_PASSWORD", own()),
            ("OS_PROJECT_NAME", own()),
            ("OS_USER_DOMAIN_NAME", "Default".to_owned()),
            ("OS_PROJECT_DOMAIN_NAME", "Default".to_owned()),
            ("OS_REGION_NAME", "RegionOne".to_owned()),
        ]
    }

    /// The project's name, which no other has.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The calls so far that programs have made in the project whose `User-Agent` begins with `kops`.
    pub fn calls(&self) -> Vec<Call> {
        calls::of(&self.files)
    }

    /// Waits until none of these calls is being worked on, those of a client that is dead among them; held ones are
    /// done already.
    pub fn wait_until_quiet(&self) {
        fault::wait_until_quiet(&self.files);
    }

    /// Injects faults into these calls, in place of those before; faults count the calls from here on, of all services
    /// together. Held answers go out.
    pub fn inject(&self, faults: &[Fault]) {
        fault::inject(&self.files, faults);
    }

    /// How many answers a [`Fault::hold`], or requests a [`Fault::stall`], keeps back right now.
    pub fn held(&self) -> u64 {
        fault::held(&self.files)
    }

    /// Waits until a [`Fault::hold`] keeps an answer back.
    ///
    /// # Panics
    ///
    /// When none does within a minute.
    pub fn wait_until_held(&self) {
        fault::wait_until_held(&self.files);
    }

    /// Lets go what is held.
    pub fn release(&self) {
        fault::release(&self.files);
    }

    /// The services, as the project's user.
    pub fn rest(&self) -> Rest {
        Rest::user(up::home().unwrap_or_else(|why| panic!("{why}")), &self.name)
    }

    /// All that the project holds.
    pub fn inventory(&self) -> Snapshot {
        inventory::of(&self.rest(), &self.project, self.application_credentials())
    }

    /// Makes objects of others, one of every kind that a cluster would make.
    pub fn seed_foreign(&self) {
        foreign::seed(&self.rest());
    }

    /// Makes a zone of DNS, which the whole cloud knows.
    pub fn create_zone(&self, name: &str) -> String {
        let body = json!({ "name": format!("{name}."), "email": "hostmaster@example.com" });
        let zone = self.rest().call("designate", "POST", "v2/zones", &body);
        text(&zone["id"])
    }

    /// Kills a service as a crash does, and starts it again: whoever does so must be [alone](Self::alone).
    pub fn crash(service: &str) {
        up::crash(service);
    }
}

/// A user who works in a project.
fn create_user(admin: &Rest, name: &str, project: &str) -> String {
    let user = json!({ "user": { "name": name, "password": name, "default_project_id": project } });
    let user = text(&admin.identity("POST", "users", &user)["user"]["id"]);
    for role in admin.roles(&["member", "load-balancer_member"]) {
        admin.identity("PUT", &format!("projects/{project}/users/{user}/roles/{role}"), &Value::Null);
    }
    user
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
