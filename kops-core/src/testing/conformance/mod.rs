//! The contract of [`Cloud`] and [`Handler`](crate::cloud::Handler) as code that any provider runs.
//!
//! A provider says in a [`Fixture`] what to make of it, and calls [`run`] from one test:
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
//! // What this fixture cannot do is said, and never counts as held.
//! report.assert_held(&["deleted", "foreign", "taken_name", "elsewhere", "pages", "budget", "unsupported", "secrets"]);
//! # });
//! ```
//!
//! Each rule is a function of its own too, so that a test can run one. Rules work in scopes of their own and
//! clean up after themselves; faults come in by a [`Saboteur`](super::Saboteur), so a provider needs nothing
//! for them. What a fixture cannot do, the report says: a rule is *skipped* with the reason, never passed.

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

/// A provider to be tested, and what to test it with.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The cloud: the same one each time, in whatever state it is by then.
    fn cloud(&self) -> Arc<dyn Cloud>;

    /// What is made: every kind that the provider has, and of each no more than needed, since some rules make
    /// and delete it twice for each of its objects. Graphs of two scopes must be able to exist side by side.
    fn graph(&self, scope: &Scope) -> Result<TaskGraph>;

    /// Changes of that graph, with what the plan for each must say: in place and by replacement, a task more and
    /// a task fewer.
    fn edits(&self, scope: &Scope) -> Result<Vec<Edit>>;

    /// The scope that a rule works in.
    fn scope(&self, rule: &str) -> Scope {
        Scope::new(format!("{rule}.conformance"))
    }

    /// For how long the engine tries again: short, but longer than the cloud's own hiccups.
    fn retry(&self) -> RetryPolicy {
        RetryPolicy {
            base: Duration::from_millis(10),
            cap: Duration::from_millis(500),
            deadline: Duration::from_secs(60),
        }
    }

    /// The rules that try every step try only each so-manieth: for clouds too slow to try them all.
    fn stride(&self) -> usize {
        1
    }

    /// Returns when the cloud has done with all requests, those of a client that is dead among them; for clouds that
    /// may take longer than a moment.
    async fn quiet(&self) {}

    /// How many requests the cloud has answered so far, if that can be counted.
    fn requests(&self) -> Option<Requests> {
        None
    }

    /// Everything that there is, whoever's it is, if that can be found out.
    async fn inventory(&self) -> Result<Option<Vec<Item>>> {
        Ok(None)
    }

    /// Makes objects of the graph's kinds that belong to nobody's scope; `false` if that cannot be done.
    async fn plant(&self) -> Result<bool> {
        Ok(false)
    }

    /// Makes an object that belongs to nobody's scope and has the name that a task of the graph wants, and says
    /// which task; `None` if there are no such names.
    async fn take_name(&self, _scope: &Scope) -> Result<Option<Key>> {
        Ok(None)
    }

    /// The same account in another region, if the cloud has several that can be tested.
    fn elsewhere(&self) -> Option<Arc<dyn Cloud>> {
        None
    }

    /// The graph in that region, where it is another one: zones have other names, say.
    fn graph_elsewhere(&self, scope: &Scope) -> Result<TaskGraph> {
        self.graph(scope)
    }

    /// Deletes what [`plant`](Self::plant) and [`take_name`](Self::take_name) made.
    async fn uproot(&self) -> Result<()> {
        Ok(())
    }

    /// A graph with something that the cloud cannot do, and the task in question; `None` if it can do all.
    fn unsupported(&self, _scope: &Scope) -> Result<Option<(TaskGraph, Key)>> {
        Ok(None)
    }

    /// A graph with more objects than a page of the cloud's listings holds; `None` if that would take too long.
    fn many(&self, _scope: &Scope) -> Result<Option<Many>> {
        Ok(None)
    }

    /// A secret text that occurs in the graph; `None` if no kind takes secrets.
    fn secret(&self) -> Option<&str> {
        None
    }

    /// Whether objects of a native kind can be retained by themselves: those inside others may not be.
    fn can_retain(&self, _kind: &str) -> bool {
        true
    }

    /// Hears what came of a rule as soon as it is known: for suites that take long.
    fn heard(&self, _rule: &str, _verdict: &Verdict) {}

    /// Whether objects of a native kind can be used as somebody else's.
    fn can_share(&self, _kind: &str) -> bool {
        true
    }
}

/// A change of a fixture's graph.
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
    /// A change, in words, and the graph after it.
    pub fn new(name: impl Into<String>, graph: TaskGraph) -> Self {
        Self { name: name.into(), graph, expected: Vec::new() }
    }

    /// The plan for it must say this about a native task, written `Kind/name`: what is done, and for updates and
    /// replacements exactly which fields change.
    pub fn expect(mut self, task: &str, action: Action, fields: &[&str]) -> Self {
        let fields = fields.iter().map(|&field| field.to_owned()).collect();
        self.expected.push(Expected { task: task.to_owned(), action, fields });
        self
    }
}

/// How many requests a cloud has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requests {
    /// All.
    pub total: u64,
    /// Those that change something.
    pub mutating: u64,
}

/// Something that exists in a cloud.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The kind, as the provider names it.
    pub kind: String,
    /// The identifier.
    pub id: String,
    /// What it is like, as far as it should stay so when nobody touches it.
    pub content: Document,
}

/// A large graph.
#[derive(Clone, Debug)]
pub struct Many {
    /// The graph.
    pub graph: TaskGraph,
    /// How many more requests it takes to list its objects than those of the fixture's own graph: its further
    /// pages.
    pub further_requests: u64,
}

/// What came of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The rule holds.
    Held,
    /// The fixture lacks what it takes to find out; says what.
    Skipped(String),
    /// The rule is broken; says how.
    Broken(String),
}

/// What came of all rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConformanceReport {
    /// The rules by name, in the order they ran.
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

    /// That all rules hold, but for these that the fixture cannot find out about.
    ///
    /// # Panics
    /// With a line for each rule, when one is broken or others were skipped.
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

/// The names of the rules, in the order they run; what they promise is in the
/// [guide](crate::guide::write_a_provider).
pub fn rules() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(name, _)| *name)
}

/// Whether a rule makes the graph again and again, with something else going wrong each time. These take as long as all
/// others together: a test for each half, on accounts of their own, lets the two run side by side.
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

/// Runs every rule, one after the other.
pub async fn run(fixture: &dyn Fixture) -> ConformanceReport {
    run_only(fixture, |_| true).await
}

/// Runs the rules whose names `wanted` chooses.
pub async fn run_only(fixture: &dyn Fixture, wanted: impl Fn(&str) -> bool) -> ConformanceReport {
    let mut report = ConformanceReport::default();
    for (name, rule) in RULES.iter().filter(|(name, _)| wanted(name)) {
        let verdict = rule(fixture).await;
        fixture.heard(name, &verdict);
        report.rules.push((*name, verdict));
    }
    report
}

/// A rule is broken.
fn broken(how: impl Into<String>) -> Error {
    Error::new(ErrorKind::Failed, how)
}

fn ensure(holds: bool, how: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(broken(how())) }
}
