//! One seed: a story of edits and mishaps, and what must be true at its end.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use kops_core::cloud::{Cloud, Context, IdentityClass, Scope};
use kops_core::graph::{Lifecycle, TaskGraph};
use kops_core::resource::{
    Address, DnsZone, Firewall, FirewallRules, Identity, InstanceGroup, Network, Resource, Volume,
};
use kops_core::store::Journal;
use kops_core::testing::{Chaos, Fault, Latencies, MemoryCloud, MemoryObject};
use kops_core::{Engine, ErrorKind, Result};

use crate::model::Model;

/// Runs that must be enough once nothing goes wrong any more: one to see the duplicates that a crash has left
/// unseen, one to replace what broke, one for each round that these depend on each other, and one to see that all
/// is well.
const ENOUGH: usize = 4;

/// Longer than anything stays hidden.
const LAG: Duration = Duration::from_secs(30);

/// What has happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) runs: u64,
    pub(crate) crashes: u64,
    pub(crate) failures: u64,
    objects: u64,
    calls: u64,
}

impl Summary {
    pub(crate) fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.crashes += other.crashes;
        self.failures += other.failures;
        self.objects += other.objects;
        self.calls += other.calls;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, crashes, failures, objects, calls } = self;
        write!(
            f,
            "{runs} runs, {crashes} crashed and {failures} failed; {objects} objects wanted, {calls} calls"
        )
    }
}

/// Plays the story of a seed.
pub(crate) fn seed(seed: u64) -> Result<Summary, String> {
    // The engine's jitter, too, shall be the seed's.
    fastrand::seed(seed);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(Story::new(seed).play())
}

struct Story {
    dice: Rng,
    cloud: MemoryCloud,
    scope: Scope,
    journal: Arc<Journal>,
    summary: Summary,
}

impl Story {
    fn new(seed: u64) -> Self {
        let mut dice = Rng::with_seed(seed);
        let mut cloud = MemoryCloud::builder().page(dice.usize(1..20));
        if dice.bool() {
            cloud = cloud.identity(Address::KIND, IdentityClass::Journal);
        }
        if dice.u8(0..3) == 0 {
            cloud = cloud.latencies(Latencies::realistic());
        }
        Self {
            dice,
            cloud: cloud.build(),
            scope: Scope::new("story"),
            journal: Arc::new(Journal::in_memory()),
            summary: Summary::default(),
        }
    }

    async fn play(mut self) -> Result<Summary, String> {
        self.plant();
        self.cloud.clock().sleep(LAG).await;
        let others = self.cloud.objects().unwrap();
        let mut model = Model::random(&mut self.dice);
        for _ in 0..self.dice.usize(1..4) {
            self.disturb();
            for _ in 0..self.dice.usize(1..4) {
                self.run_disturbed(&model.graph(&self.scope)).await;
            }
            if self.dice.bool() {
                self.converge(&model.graph(&self.scope), &others).await?;
            }
            for _ in 0..self.dice.usize(1..6) {
                model.edit(&mut self.dice);
            }
        }
        self.converge(&model.graph(&self.scope), &others).await?;
        self.disturb();
        self.run_disturbed(&TaskGraph::default()).await;
        self.converge(&TaskGraph::default(), &others).await?;
        Ok(self.summary)
    }

    /// Others' objects, of kinds that the story's own are of.
    fn plant(&self) {
        let cloud = &self.cloud;
        let network = Network::new(["10.0.0.0/16".parse().unwrap()]);
        let network = cloud.plant::<Network>("theirs", &network).unwrap();
        let firewall = Firewall::new(network, "theirs");
        let firewall = cloud.plant::<Firewall>("theirs", &firewall).unwrap();
        cloud.plant::<FirewallRules>("theirs", &FirewallRules::new(firewall, [])).unwrap();
        cloud.plant::<Address>("theirs", &Address::new()).unwrap();
        cloud.plant::<Identity>("theirs", &Identity::new()).unwrap();
        cloud.plant::<DnsZone>("theirs", &DnsZone::new("theirs.example")).unwrap();
        cloud.plant::<Volume>("theirs", &Volume::new("a", 8)).unwrap();
    }

    /// Has things go wrong from now on.
    fn disturb(&mut self) {
        let chaos = Chaos::new(self.dice.u64(..));
        let dice = &mut self.dice;
        let mut part = |most: f64| if dice.bool() { dice.f64() * most } else { 0.0 };
        let (throttled, unavailable, lost) = (part(0.2), part(0.1), part(0.2));
        let (hidden, broken, denied, short) = (part(0.3), part(0.1), part(0.03), part(0.5));
        let chaos = chaos
            .throttled(throttled)
            .unavailable(unavailable)
            .lost(lost)
            .hidden(hidden, LAG.mul_f64(self.dice.f64()))
            .broken(broken)
            .fault(denied, Fault::Refuse(ErrorKind::Denied))
            .fault(short, Fault::ShortPages);
        let crash = if self.dice.bool() { self.dice.u64(1..60) } else { u64::MAX };
        let how = if self.dice.bool() { Fault::CrashBefore } else { Fault::CrashAfter };
        self.cloud.inject(move |call| {
            if call.op.mutates() && call.mutations == crash { Some(how) } else { chaos.decide(call) }
        });
    }

    /// A process of its own.
    fn engine(&self) -> Engine {
        Engine::new(Arc::new(self.cloud.clone()), self.scope.clone()).journal(self.journal.clone())
    }

    async fn run(&self, graph: &TaskGraph) -> Result<()> {
        let engine = self.engine();
        let plan = engine.plan(graph).await?;
        engine.apply(&plan).await?.into_result().map(drop)
    }

    /// A run that may fail, or die.
    async fn run_disturbed(&mut self, graph: &TaskGraph) {
        self.summary.runs += 1;
        let died = tokio::select! {
            biased;
            () = self.cloud.crashed() => true,
            done = self.run(graph) => {
                self.summary.failures += u64::from(done.is_err());
                false
            }
        };
        self.summary.crashes += u64::from(died);
        self.cloud.revive();
    }

    /// With nothing going wrong any more, a few runs get there.
    async fn converge(&mut self, graph: &TaskGraph, others: &[MemoryObject]) -> Result<(), String> {
        self.summary.calls += self.cloud.calls().total();
        self.cloud.heal();
        self.cloud.clock().sleep(LAG).await;
        let mut said = Vec::new();
        for _ in 0..ENOUGH {
            self.summary.runs += 1;
            if let Err(error) = self.run(graph).await {
                said.push(error.to_string());
            }
            let plan = self.engine().plan(graph).await;
            match plan {
                Ok(plan) if plan.is_empty() => return self.is_as(graph, others).await,
                Ok(plan) => said.push(plan.to_string()),
                Err(error) => said.push(error.to_string()),
            }
        }
        Err(format!("does not converge: {}", said.join("\n")))
    }

    /// One object for each task, others' untouched, and no other.
    async fn is_as(&mut self, graph: &TaskGraph, others: &[MemoryObject]) -> Result<(), String> {
        // What is on its way out goes.
        self.cloud.clock().sleep(Duration::from_mins(2)).await;
        let objects = self.cloud.objects().unwrap();
        for theirs in others {
            let there = objects.iter().find(|it| it.kind == theirs.kind && it.id == theirs.id);
            if there != Some(theirs) {
                return Err(format!("{} {} of others has changed: {there:?}", theirs.kind, theirs.id));
            }
        }
        let mut there: BTreeMap<&str, usize> = BTreeMap::new();
        for it in objects.iter().filter(|it| !others.contains(it)) {
            *there.entry(&it.kind).or_default() += 1;
        }
        let mut wanted: BTreeMap<&str, usize> = BTreeMap::new();
        for task in graph.tasks().filter(|it| it.lifecycle == Lifecycle::Managed) {
            *wanted.entry(task.key.kind()).or_default() += 1;
        }
        self.summary.objects += wanted.values().sum::<usize>() as u64;
        if there != wanted {
            return Err(format!("wanted {wanted:?}, there are {there:?}"));
        }
        let machines =
            self.cloud.machines().unwrap().members(&self.scope, &Context::default()).await.unwrap();
        let fewest: u32 = graph.specs::<InstanceGroup>().unwrap().iter().map(|(_, group)| group.min).sum();
        if machines.len() < fewest as usize {
            return Err(format!("{} machines where there should be {fewest}", machines.len()));
        }
        Ok(())
    }
}
