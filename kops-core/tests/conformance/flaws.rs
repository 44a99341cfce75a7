//! Clouds with a flaw each, and the rule that finds it: a suite that passes everything would be of no use.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use kops_core::clock::Clock;
use kops_core::cloud::{
    Adopt, Capabilities, Class, Cloud, Context, Create, Delete, Deletion, DynHandler, Filter, IdentityClass,
    Mutability, Observed, Owner, Query, Replacement, Scope, Timing, Update,
};
use kops_core::graph::{Document, TaskGraph};
use kops_core::lower::Native;
use kops_core::resource::{Network, Output, Resource as _, SshKey};
use kops_core::testing::MemoryCloud;
use kops_core::testing::conformance::{self, Verdict};
use kops_core::{Error, Result};
use serde_json::Value;

use crate::fixture::{Memory, SECRET};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    /// Lowers the same graph to another each time.
    LowersAtRandom,
    /// Does not say what a kind is for.
    LeavesUnclassified,
    /// Lowers what it cannot do.
    PromisesTooMuch,
    /// Shows what the creating call was asked for, not what it did.
    Boasts,
    /// Says that it has changed what it has not.
    IgnoresUpdates,
    /// Says that it has deleted what it has not.
    IgnoresDeletions,
    /// Shows what it saw first, for ever.
    Remembers,
    /// Makes another object for the same token.
    IgnoresTokens,
    /// Marks and sees everything as one scope's.
    IgnoresScopes,
    /// Marks and sees everything of a name as one scope's, whatever place it is within.
    IgnoresPlaces,
    /// Marks and sees everything of a name as one scope's, whatever region it is of.
    IgnoresRegions,
    /// Does not tell which region it is connected to.
    HidesLocation,
    /// Shows nobody who holds a name.
    HidesHolders,
    /// Finds nothing by a selector.
    IgnoresSelectors,
    /// Says that it has taken over what it has not.
    AdoptsInWordsOnly,
    /// Does not say that an object belongs to another scope.
    HidesOwners,
    /// Forgets that an object is to be retained.
    ForgetsRetention,
    /// Fails to delete what is gone.
    MissesTheGone,
    /// Reads one page.
    ReadsOnePage,
    /// Asks for every object by itself.
    AsksOneByOne,
    /// Puts a secret into an output.
    Babbles,
    /// Shows another size each time.
    Fidgets,
    /// Shows another output each time.
    Wavers,
    /// Sees nothing.
    IsBlind,
    /// Deletes only what it is asked to delete twice.
    NeedsAsking,
}

/// An in-memory cloud with a flaw.
struct Flawed {
    inner: MemoryCloud,
    flaw: Flaw,
    lowered: AtomicUsize,
    handlers: Vec<Arc<dyn DynHandler>>,
}

impl fmt::Debug for Flawed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flawed({:?})", self.flaw)
    }
}

impl Flawed {
    fn new(inner: MemoryCloud, flaw: Flaw) -> Self {
        // Handlers of the region without a name neither write a region into marks nor read one from them.
        let account = if flaw == Flaw::IgnoresRegions { inner.in_region("") } else { inner.clone() };
        let handlers = account.handlers().iter().map(|inner| {
            let (inner, seen, asked) = (inner.clone(), Mutex::default(), Mutex::default());
            let lists = AtomicUsize::default();
            Arc::new(FlawedHandler { inner, flaw, seen, lists, asked }) as Arc<dyn DynHandler>
        });
        Self { handlers: handlers.collect(), inner, flaw, lowered: AtomicUsize::new(0) }
    }
}

impl Cloud for Flawed {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn location(&self) -> String {
        if self.flaw == Flaw::HidesLocation { String::new() } else { self.inner.location() }
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn handlers(&self) -> &[Arc<dyn DynHandler>] {
        &self.handlers
    }

    fn class(&self, kind: &str) -> Option<Class> {
        let unknown = self.flaw == Flaw::LeavesUnclassified && kind == SshKey::KIND;
        self.inner.class(kind).filter(|_| !unknown)
    }

    fn lower(&self, graph: &TaskGraph, scope: &Scope, own: &[&str]) -> Result<Native> {
        match self.flaw {
            Flaw::PromisesTooMuch => Ok(Native::from(graph.clone())),
            Flaw::LowersAtRandom => {
                let mut more = TaskGraph::builder();
                graph.tasks().for_each(|task| more.insert(task.clone()));
                let name = format!("surprise-{}", self.lowered.fetch_add(1, Ordering::Relaxed));
                more.add(&name, Network::new(["10.1.0.0/16".parse().unwrap()]));
                more.build().map(Native::from)
            }
            _ => self.inner.lower(graph, scope, own),
        }
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.inner.clock()
    }
}

struct FlawedHandler {
    inner: Arc<dyn DynHandler>,
    flaw: Flaw,
    seen: Mutex<BTreeMap<String, Vec<Observed>>>,
    lists: AtomicUsize,
    asked: Mutex<BTreeSet<String>>,
}

impl FlawedHandler {
    fn scope(&self, scope: &Scope) -> Scope {
        match self.flaw {
            Flaw::IgnoresScopes => Scope::new("everybody"),
            Flaw::IgnoresPlaces => scope.clone().within(""),
            _ => scope.clone(),
        }
    }

    fn told(&self, mut observed: Observed) -> Observed {
        if self.flaw == Flaw::Babbles {
            observed.object.outputs.set(Output::<Network, String>::new("user_data"), SECRET.to_owned());
        }
        if self.flaw == Flaw::HidesOwners {
            observed.object.unadoptable = None;
        }
        observed
    }
}

#[async_trait]
impl DynHandler for FlawedHandler {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn outputs(&self) -> &'static [&'static str] {
        self.inner.outputs()
    }

    fn identity(&self) -> IdentityClass {
        self.inner.identity()
    }

    fn mutability(&self, field: &str) -> Mutability {
        self.inner.mutability(field)
    }

    fn mutability_of(&self, field: &str, before: &Value, after: &Value) -> Mutability {
        self.inner.mutability_of(field, before, after)
    }

    fn replacement(&self) -> Replacement {
        self.inner.replacement()
    }

    fn delete_after(&self) -> &'static [&'static str] {
        self.inner.delete_after()
    }

    fn volatile_outputs(&self, changed: &BTreeSet<String>) -> &'static [&'static str] {
        self.inner.volatile_outputs(changed)
    }

    fn timing(&self) -> Timing {
        self.inner.timing()
    }

    fn canonical(&self, document: &Document) -> Result<Document> {
        self.inner.canonical(document)
    }

    async fn prefetch(&self, scope: &Scope, cx: &Context) -> Result<()> {
        self.inner.prefetch(scope, cx).await
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Observed>> {
        let scope = self.scope(query.scope);
        let filter = match query.filter {
            Filter::Scope { wanted, .. } if self.flaw == Flaw::IgnoresSelectors => Filter::scope(wanted, &[]),
            filter => filter,
        };
        let mut found = self.inner.list(&Query::new(&scope, filter, query.cx)).await?;
        match self.flaw {
            Flaw::HidesHolders => found.retain(|observed| observed.object.owner == Owner::Scope),
            Flaw::ReadsOnePage => found.truncate(10),
            Flaw::AsksOneByOne => {
                for observed in &found {
                    let filter = Filter::Ids(std::slice::from_ref(&observed.object.id));
                    self.inner.list(&Query::new(&scope, filter, query.cx)).await?;
                }
            }
            Flaw::IsBlind => found.clear(),
            Flaw::Fidgets => {
                let lists = self.lists.fetch_add(1, Ordering::Relaxed);
                for observed in &mut found {
                    let mut shown: Value = observed.object.spec.decode()?;
                    if let Some(size) = shown.get_mut("size_gib") {
                        *size = lists.into();
                    }
                    observed.object.spec = shown.into();
                }
            }
            Flaw::Wavers => {
                let lists = self.lists.fetch_add(1, Ordering::Relaxed);
                for observed in &mut found {
                    observed.object.outputs.set(Output::<Network, usize>::new("seen"), lists);
                }
            }
            Flaw::Remembers if !found.is_empty() => {
                let mut seen = self.seen.lock().unwrap();
                found.clone_from(seen.entry(scope.name().to_owned()).or_insert(found.clone()));
            }
            _ => {}
        }
        Ok(found.into_iter().map(|observed| self.told(observed)).collect())
    }

    async fn create(&self, request: Create<'_, Document>) -> Result<Observed> {
        let scope = self.scope(request.scope);
        let now = self.inner.timing().call;
        let random = format!("{:?} {:p} {}", now, &raw const request, fastrand::u64(..));
        let token = if self.flaw == Flaw::IgnoresTokens { &random } else { request.token };
        let retained = request.retained && self.flaw != Flaw::ForgetsRetention;
        let wanted = request.spec;
        let mut request = request.retained(retained);
        (request.scope, request.token) = (&scope, token);
        let mut made = self.inner.create(request).await?;
        if self.flaw == Flaw::Boasts {
            made.object.spec = wanted.clone();
        }
        Ok(self.told(made))
    }

    async fn update(&self, request: Update<'_, Document>) -> Result<Observed> {
        if self.flaw == Flaw::IgnoresUpdates {
            let object = request.object.clone().spec(request.spec.clone());
            return Ok(Observed::new(object, Vec::new()));
        }
        let scope = self.scope(request.scope);
        let mut request = request;
        request.scope = &scope;
        self.inner.update(request).await.map(|observed| self.told(observed))
    }

    fn can_adopt(&self) -> bool {
        self.inner.can_adopt()
    }

    async fn adopt(&self, request: Adopt<'_, Document>) -> Result<Observed> {
        let scope = self.scope(request.scope);
        if self.flaw == Flaw::AdoptsInWordsOnly {
            return Ok(Observed::new(request.adopted(), Vec::new()));
        }
        let mut request = request;
        request.scope = &scope;
        self.inner.adopt(request).await.map(|observed| self.told(observed))
    }

    async fn delete(&self, request: Delete<'_, Document>) -> Result<Deletion> {
        let scope = self.scope(request.scope);
        if self.flaw == Flaw::IgnoresDeletions {
            return Ok(Deletion::Done);
        }
        if self.flaw == Flaw::NeedsAsking && self.asked.lock().unwrap().insert(request.object.id.clone()) {
            return Ok(Deletion::Done);
        }
        if self.flaw == Flaw::MissesTheGone {
            let filter = Filter::Ids(std::slice::from_ref(&request.object.id));
            if self.inner.list(&Query::new(&scope, filter, request.cx)).await?.is_empty() {
                return Err(Error::invalid("there is no such object"));
            }
        }
        let mut request = request;
        request.scope = &scope;
        self.inner.delete(request).await
    }
}

/// Each flaw with a rule that finds it.
const FLAWS: &[(Flaw, &str)] = &[
    (Flaw::LowersAtRandom, "lowered"),
    (Flaw::LeavesUnclassified, "classified"),
    (Flaw::PromisesTooMuch, "unsupported"),
    (Flaw::Boasts, "repeated"),
    (Flaw::IgnoresUpdates, "changed"),
    (Flaw::IgnoresDeletions, "deleted"),
    (Flaw::Remembers, "drifted"),
    (Flaw::IgnoresTokens, "lost_answers"),
    (Flaw::IgnoresScopes, "foreign"),
    (Flaw::IgnoresPlaces, "elsewhere"),
    (Flaw::IgnoresRegions, "elsewhere"),
    (Flaw::HidesLocation, "elsewhere"),
    (Flaw::HidesHolders, "taken_name"),
    (Flaw::IgnoresSelectors, "shared"),
    (Flaw::AdoptsInWordsOnly, "adopted"),
    (Flaw::HidesOwners, "foreign"),
    (Flaw::ForgetsRetention, "lifecycles"),
    (Flaw::MissesTheGone, "lost_answers"),
    (Flaw::ReadsOnePage, "pages"),
    (Flaw::AsksOneByOne, "budget"),
    (Flaw::Babbles, "secrets"),
    (Flaw::Fidgets, "stable"),
    (Flaw::Wavers, "stable"),
    (Flaw::IsBlind, "stale"),
    (Flaw::NeedsAsking, "throttled"),
    (Flaw::NeedsAsking, "failed_anywhere"),
    (Flaw::NeedsAsking, "cancelled"),
    (Flaw::NeedsAsking, "crashed_anywhere"),
];

#[tokio::test(start_paused = true)]
async fn every_flaw_is_found() {
    for &(flaw, rule) in FLAWS {
        let capabilities = MemoryCloud::new().capabilities().ipv6(false);
        let cloud = match rule {
            "unsupported" => MemoryCloud::builder().capabilities(capabilities),
            _ => MemoryCloud::builder().page(10),
        };
        let cloud = cloud.build();
        let front = Arc::new(Flawed::new(cloud.clone(), flaw));
        // The same program runs in both regions.
        let elsewhere = Arc::new(Flawed::new(cloud.in_region("elsewhere"), flaw));
        let memory = Memory { front: Some(front), elsewhere, ..Memory::new(cloud, 1) };
        let report = conformance::run_only(&memory, |it| it == rule).await;
        let (_, verdict) = &report.rules[0];
        assert!(matches!(verdict, Verdict::Broken(_)), "{flaw:?} was not found: {report}");
    }
}

#[test]
fn every_rule_finds_a_flaw() {
    let idle: Vec<_> = conformance::rules().filter(|rule| !FLAWS.iter().any(|(_, it)| it == rule)).collect();
    assert!(idle.is_empty(), "no flaw is planted for {idle:?}");
}
