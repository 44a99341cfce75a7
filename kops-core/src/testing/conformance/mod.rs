//! The contract of [`Cloud`] and [`Handler`](crate::cloud::Handler) as tests for any provider.
//!
//! A provider describes in a [`Fixture`] what to test, and calls [`run`] from one test:
//!
//! ```
//! use std::sync::Arc;
//! use kops_core::cloud::{Cloud, Scope};
//! use kops_core::graph::TaskGraph;
//! use kops_core::plan::Action;
//! use kops_core::resource::SshKey;
//! use kops_core::testing::MemoryCloud;
//! use kops_core::testing::conformance::{self, Edit, Fixture};
//!
//! struct Memory(Arc<MemoryCloud>);
//!
//! fn key(public: &str) -> kops_core::Result<TaskGraph> {
//!     let mut graph = TaskGraph::builder();
//!     graph.add("admin", SshKey::new(public));
//!     graph.build()
//! }
//!
//! #[async_trait::async_trait]
//! impl Fixture for Memory {
//!     fn cloud(&self) -> Arc<dyn Cloud> {
//!         self.0.clone()
//!     }
//!     fn graph(&self, _: &Scope) -> kops_core::Result<TaskGraph> {
//!         key("ssh-ed25519 AAAA")
//!     }
//!     fn edits(&self, _: &Scope) -> kops_core::Result<Vec<Edit>> {
//!         Ok(vec![Edit::new("another key", key("ssh-ed25519 BBBB")?)
//!             .expect("SshKey/admin", Action::Replace, &["public_key"])])
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
//! let report = conformance::run(&Memory(Arc::new(MemoryCloud::new()))).await;
//! println!("{report}");
//! // Rules that this fixture cannot check are skipped, and do not count as held.
//! report.assert_held(&["deleted", "foreign", "taken_name", "elsewhere", "pages", "budget", "unsupported", "secrets"]);
//! # });
//! ```
//!
//! Each rule is also a separate function, so that a test can run a single one. Rules use separate scopes and clean up
//! afterwards; faults are injected by a [`Saboteur`](super::Saboteur), so a provider need not support that. If the
//! fixture lacks something, the report says so: the rule is *skipped* with the reason, and does not count as held.

mod faults;
mod ownership;
mod places;
mod planning;
mod reading;
mod stage;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;

use crate::cloud::{Cloud, Scope};
use crate::graph::{Document, Key, TaskGraph};
use crate::plan::Action;
use crate::{Error, ErrorKind, Result, RetryPolicy};

pub use faults::{cancelled, crashed_anywhere, failed_anywhere, lost_answers, throttled};
pub use ownership::{adopted, deleted, foreign, lifecycles, shared, taken_name};
pub use places::elsewhere;
pub use planning::{changed, classified, drifted, lowered, repeated, stable, stale};
pub use reading::{budget, pages, secrets, unsupported};

/// A provider to be tested, and the data for testing it.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The cloud: always the same one, in its current state.
    fn cloud(&self) -> Arc<dyn Cloud>;

    /// The graph to apply: every kind of the provider, but no more objects than necessary, because some rules apply
    /// and delete it twice for each object. Graphs of two scopes must be able to coexist.
    fn graph(&self, scope: &Scope) -> Result<TaskGraph>;

    /// Edits of that graph, with the expected plan of each: updates and replacements, an additional task and a
    /// removed one.
    fn edits(&self, scope: &Scope) -> Result<Vec<Edit>>;

    /// The scope that a rule uses.
    fn scope(&self, rule: &str) -> Scope {
        Scope::new(format!("{rule}.conformance"))
    }

    /// The engine's retry policy: short, but longer than the cloud's own disruptions.
    fn retry(&self) -> RetryPolicy {
        RetryPolicy {
            base: Duration::from_millis(10),
            cap: Duration::from_millis(500),
            deadline: Duration::from_mins(1),
        }
    }

    /// Rules that test every step test only every n-th: for clouds that are too slow to test all.
    fn stride(&self) -> usize {
        1
    }

    /// Returns when the cloud has finished all requests, including those of a dead client; for clouds that may take
    /// longer than a moment.
    async fn quiet(&self) {}

    /// The number of requests that the cloud has received so far, if they can be counted.
    fn requests(&self) -> Option<Requests> {
        None
    }

    /// All existing objects, regardless of their owner, if they can be listed.
    async fn inventory(&self) -> Result<Option<Vec<Item>>> {
        Ok(None)
    }

    /// Creates objects of the graph's kinds that no scope owns; `false` if that is not possible.
    async fn plant(&self) -> Result<bool> {
        Ok(false)
    }

    /// Creates an object that no scope owns, with the name of a task of the graph, and returns the task; `None` if
    /// there are no such names.
    async fn take_name(&self, _scope: &Scope) -> Result<Option<Key>> {
        Ok(None)
    }

    /// The same account in another region, if the cloud has several that can be tested.
    fn elsewhere(&self) -> Option<Arc<dyn Cloud>> {
        None
    }

    /// The graph in that region, if it differs: zones have other names, for example.
    fn graph_elsewhere(&self, scope: &Scope) -> Result<TaskGraph> {
        self.graph(scope)
    }

    /// Deletes what [`plant`](Self::plant) and [`take_name`](Self::take_name) created.
    async fn uproot(&self) -> Result<()> {
        Ok(())
    }

    /// A graph with something that the cloud does not support, and the task concerned; `None` if it supports
    /// everything.
    fn unsupported(&self, _scope: &Scope) -> Result<Option<(TaskGraph, Key)>> {
        Ok(None)
    }

    /// A graph with more objects than a page of the cloud's listings; `None` if that would take too long.
    fn many(&self, _scope: &Scope) -> Result<Option<Many>> {
        Ok(None)
    }

    /// A secret text that occurs in the graph; `None` if no kind has secrets.
    fn secret(&self) -> Option<&str> {
        None
    }

    /// Whether objects of a native kind can be retained by themselves, which those inside others may not be.
    fn can_retain(&self, _kind: &str) -> bool {
        true
    }

    /// Receives the verdict on a rule as soon as it is known: for suites that take long.
    fn heard(&self, _rule: &str, _verdict: &Verdict) {}

    /// Whether objects of a native kind can be shared.
    fn can_share(&self, _kind: &str) -> bool {
        true
    }
}

/// An edit of a fixture's graph.
#[derive(Clone, Debug)]
pub struct Edit {
    name: String,
    graph: TaskGraph,
    expected: Vec<Expected>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Expected {
    task: String,
    action: Action,
    /// Not compared for creations and deletions.
    fields: Vec<String>,
}

impl Edit {
    /// An edit with its name, and the graph after it.
    pub fn new(name: impl Into<String>, graph: TaskGraph) -> Self {
        Self { name: name.into(), graph, expected: Vec::new() }
    }

    /// Sets what the plan must contain for a native task, written `Kind/name`: the action, and for updates and
    /// replacements exactly the fields that change.
    pub fn expect(mut self, task: &str, action: Action, fields: &[&str]) -> Self {
        let fields = fields.iter().map(|&field| field.to_owned()).collect();
        self.expected.push(Expected { task: task.to_owned(), action, fields });
        self
    }
}

/// The number of requests that a cloud has received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Requests {
    /// All requests.
    pub total: u64,
    /// Those that change something.
    pub mutating: u64,
}

impl Requests {
    /// The number of all requests, and of those that change something.
    pub fn new(total: u64, mutating: u64) -> Self {
        Self { total, mutating }
    }
}

/// An object that exists in a cloud.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Item {
    /// The kind, as named by the provider.
    pub kind: String,
    /// The identifier.
    pub id: String,
    /// Its content, as far as it is constant while the object is not changed.
    pub content: Document,
}

impl Item {
    /// An object with its content.
    pub fn new(kind: impl Into<String>, id: impl Into<String>, content: impl Into<Document>) -> Self {
        Self { kind: kind.into(), id: id.into(), content: content.into() }
    }
}

/// A large graph.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Many {
    /// The graph.
    pub graph: TaskGraph,
    /// How many more requests listing its objects takes than listing those of the fixture's own graph: its additional
    /// pages.
    pub further_requests: u64,
}

impl Many {
    /// A graph, and how many more requests its listings take.
    pub fn new(graph: TaskGraph, further_requests: u64) -> Self {
        Self { graph, further_requests }
    }
}

/// The verdict on a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The rule holds.
    Held,
    /// The fixture cannot check it; contains the reason.
    Skipped(String),
    /// The rule is broken; contains what was observed.
    Broken(String),
}

/// The verdicts on all rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConformanceReport {
    /// The verdicts by rule, in the order they ran.
    pub rules: Vec<(&'static str, Verdict)>,
}

impl ConformanceReport {
    /// Whether no rule is broken.
    pub fn is_clean(&self) -> bool {
        !self.rules.iter().any(|(_, verdict)| matches!(verdict, Verdict::Broken(_)))
    }

    /// The names of the rules that were skipped.
    pub fn skipped(&self) -> Vec<&'static str> {
        let skipped = self.rules.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Skipped(_)));
        skipped.map(|(name, _)| *name).collect()
    }

    /// Asserts that all rules hold, except the listed ones, which the fixture cannot check.
    ///
    /// # Panics
    /// With a line for each rule, if one is broken or other rules were skipped.
    #[track_caller]
    pub fn assert_held(&self, skipped: &[&str]) {
        assert!(self.is_clean(), "{self}");
        assert_eq!(self.skipped(), skipped, "{self}");
    }
}

impl fmt::Display for ConformanceReport {
    /// A line for each rule.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, verdict) in &self.rules {
            match verdict {
                Verdict::Held => writeln!(f, "held     {name}")?,
                Verdict::Skipped(why) => writeln!(f, "skipped  {name}: {why}")?,
                Verdict::Broken(how) => writeln!(f, "BROKEN   {name}: {how}")?,
            }
        }
        Ok(())
    }
}

type Rule = for<'a> fn(&'a dyn Fixture) -> BoxFuture<'a, Verdict>;

/// The rules, by name.
const RULES: [(&str, Rule); 23] = [
    ("lowered", |fixture| Box::pin(lowered(fixture))),
    ("classified", |fixture| Box::pin(classified(fixture))),
    ("repeated", |fixture| Box::pin(repeated(fixture))),
    ("stable", |fixture| Box::pin(stable(fixture))),
    ("stale", |fixture| Box::pin(stale(fixture))),
    ("changed", |fixture| Box::pin(changed(fixture))),
    ("drifted", |fixture| Box::pin(drifted(fixture))),
    ("throttled", |fixture| Box::pin(throttled(fixture))),
    ("lost_answers", |fixture| Box::pin(lost_answers(fixture))),
    ("failed_anywhere", |fixture| Box::pin(failed_anywhere(fixture))),
    ("crashed_anywhere", |fixture| Box::pin(crashed_anywhere(fixture))),
    ("cancelled", |fixture| Box::pin(cancelled(fixture))),
    ("deleted", |fixture| Box::pin(deleted(fixture))),
    ("foreign", |fixture| Box::pin(foreign(fixture))),
    ("taken_name", |fixture| Box::pin(taken_name(fixture))),
    ("elsewhere", |fixture| Box::pin(elsewhere(fixture))),
    ("shared", |fixture| Box::pin(shared(fixture))),
    ("adopted", |fixture| Box::pin(adopted(fixture))),
    ("lifecycles", |fixture| Box::pin(lifecycles(fixture))),
    ("pages", |fixture| Box::pin(pages(fixture))),
    ("budget", |fixture| Box::pin(budget(fixture))),
    ("unsupported", |fixture| Box::pin(unsupported(fixture))),
    ("secrets", |fixture| Box::pin(secrets(fixture))),
];

/// The names of the rules, in the order they run; the [guide](crate::guide::write_a_provider) documents them.
pub fn rules() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(name, _)| *name)
}

/// Whether a rule applies the graph repeatedly with different faults. These rules take as long as all others
/// together: two tests, with separate accounts, can run both halves concurrently.
///
/// ```
/// use kops_core::testing::conformance;
///
/// let (faults, others): (Vec<_>, Vec<_>) = conformance::rules().partition(|rule| conformance::goes_wrong(rule));
/// assert!(faults.contains(&"lost_answers") && others.contains(&"foreign"));
/// ```
pub fn goes_wrong(rule: &str) -> bool {
    ["throttled", "lost_answers", "failed_anywhere", "crashed_anywhere", "cancelled"].contains(&rule)
}

/// Runs all rules, one after the other.
pub async fn run(fixture: &dyn Fixture) -> ConformanceReport {
    run_only(fixture, |_| true).await
}

/// Runs the rules that `wanted` selects.
pub async fn run_only(fixture: &dyn Fixture, wanted: impl Fn(&str) -> bool) -> ConformanceReport {
    let mut report = ConformanceReport::default();
    for (name, rule) in RULES.iter().filter(|(name, _)| wanted(name)) {
        let verdict = rule(fixture).await;
        fixture.heard(name, &verdict);
        report.rules.push((*name, verdict));
    }
    report
}

/// The error of a broken rule.
fn broken(how: impl Into<String>) -> Error {
    Error::new(ErrorKind::Failed, how)
}

fn ensure(holds: bool, how: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(broken(how())) }
}
