//! A complete cloud in memory.
//!
//! The native kinds of a [`MemoryCloud`] are the agnostic ones, so lowering only checks its capabilities and adds the scope's labels. Its server
//! behaves like typical clouds: references must point to existing objects, objects in use cannot be deleted, names
//! are unique, tokens are idempotent, immutable fields cannot be changed, new objects become ready and deleted ones
//! disappear after a while, groups create machines.
//!
//! By default, nothing takes time and nothing fails. The builder can make it slow ([`Latencies`]), rate-limited,
//! limited in size ([`MemoryCloudBuilder::quota`]) or in features; [`MemoryCloud::inject`] injects faults. In a file,
//! it outlives the process, and several processes can share it.
//!
//! A call waits for the client's [`Limiter`] (if rates are limited), is counted, meets its fault (if there is a
//! script), travels for half the latency, takes a token at the server, has its effect in an instant, and travels
//! back. As with real clouds, a call that is cancelled before it is sent is not made, a listing is aborted, and a
//! changing call is allowed to finish. The effect is synchronous and atomic, so that dropping a caller at any await
//! leaves a consistent cloud.
//!
//! # Known weaknesses
//! Latencies are constant. Listings are consistent, except for objects hidden by a fault, which neither listings nor
//! references see for a while; updates are visible at once.

mod handler;
mod kinds;
mod machines;
mod meter;
mod settings;
mod storage;
mod world;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::handler::MemoryHandler;
use self::kinds::every_kind;
use self::meter::Meter;
use self::settings::Settings;
use self::storage::Storage;
use self::world::{MARK, Moment};
use super::fault::{Call, Fault, Op};
use super::tap::{Calls, Tap};
use crate::clock::{Clock, SystemClock};
use crate::cloud::Native;
use crate::cloud::{
    AccountWide, Capabilities, Class, Cloud, Context, DynHandler, IdentityClass, Limiter, Machines, Outputs,
    Scope, State, TokenBucket,
};
use crate::graph::{Document, Id, TaskGraph};
use crate::lower;
use crate::resource::{
    DnsZone, FirewallRules, Instance, InstanceGroup, LoadBalancer, NatGateway, Network, Peer, Resource,
    Scheme, Subnet, Volume,
};
use crate::{Error, ErrorKind, Result};

pub use kinds::MemoryKind;
pub use settings::Latencies;
pub use world::World;

/// An in-memory cloud, optionally stored in a file. Clones are the same cloud.
///
/// ```
/// use kops_core::graph::TaskGraph;
/// use kops_core::resource::Network;
/// use kops_core::testing::MemoryCloud;
///
/// let cloud = MemoryCloud::new();
/// let theirs = cloud.plant::<Network>("theirs", &Network::new(["10.9.0.0/16".parse()?]))?;
/// assert_eq!(cloud.objects()?.len(), 1);
/// assert!(cloud.exists(&theirs)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct MemoryCloud {
    inner: Arc<Inner>,
    region: Arc<str>,
    further: Arc<[MakeHandler]>,
    handlers: Arc<[Arc<dyn DynHandler>]>,
}

fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "the call was cancelled")
}

/// The state shared by the handlers.
struct Inner {
    settings: Settings,
    clock: Arc<dyn Clock>,
    limiter: Option<Limiter>,
    meter: Meter,
    storage: Storage,
    tap: Tap,
}

impl fmt::Debug for MemoryCloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCloud").field("tap", &self.inner.tap).finish_non_exhaustive()
    }
}

impl Default for MemoryCloud {
    fn default() -> Self {
        Self::new()
    }
}

type MakeHandler = fn(Arc<Inner>, &str) -> Arc<dyn DynHandler>;

/// Configures a [`MemoryCloud`].
pub struct MemoryCloudBuilder {
    settings: Settings,
    clock: Arc<dyn Clock>,
    storage: Storage,
    pace: Option<usize>,
    further: Vec<MakeHandler>,
}

impl fmt::Debug for MemoryCloudBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCloudBuilder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl MemoryCloudBuilder {
    /// Sets the clock, which determines when objects become ready and disappear.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how long operations take.
    pub fn latencies(mut self, latencies: Latencies) -> Self {
        self.settings.latencies = latencies;
        self
    }

    /// Sets the rate limits of AWS, with a client that paces its calls and has at most `slots` in flight.
    pub fn paced(mut self, slots: usize) -> Self {
        self.pace = Some(slots);
        self.throttling()
    }

    /// Sets the rate limits of AWS, with a client that does not pace its calls.
    pub fn throttling(mut self) -> Self {
        self.settings.allowance = meter::realistic();
        self
    }

    /// Sets the capabilities; all by default.
    pub fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.settings.capabilities = capabilities;
        self
    }

    /// Limits the number of objects of a kind.
    pub fn quota(mut self, kind: &'static str, most: usize) -> Self {
        self.settings.quotas.insert(kind, most);
        self
    }

    /// Changes the identity class of a kind.
    pub fn identity(mut self, kind: &'static str, class: IdentityClass) -> Self {
        self.settings.identities.insert(kind, class);
        self
    }

    /// Sets the page size of listings.
    pub fn page(mut self, size: usize) -> Self {
        self.settings.page = size.max(1);
        self
    }

    /// Stores the cloud in a file, which is created by the first write. Processes that use the same file share the
    /// cloud. It then uses the wall clock, which continues between runs.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.storage = Storage::in_file(path.into());
        self
    }

    /// Adds a native kind.
    pub fn kind<R: MemoryKind>(mut self) -> Self {
        self.further.push(handler::<R>);
        self
    }

    /// Creates the cloud.
    pub fn build(self) -> MemoryCloud {
        let limiter = self.pace.map(|slots| {
            let buckets: Vec<TokenBucket> = self.settings.allowance.iter().map(|it| it.bucket).collect();
            Limiter::new(self.clock.clone(), buckets, slots)
        });
        let inner = Arc::new(Inner {
            settings: self.settings,
            clock: self.clock,
            limiter,
            meter: Meter::default(),
            storage: self.storage,
            tap: Tap::default(),
        });
        MemoryCloud::connected(inner, "", self.further.into())
    }
}

/// A handler of the kind for the scopes of a region: listings are for the complete account.
fn handler<R: MemoryKind>(inner: Arc<Inner>, region: &str) -> Arc<dyn DynHandler> {
    Arc::new(AccountWide::new(region, MemoryHandler::<R>::new(inner)))
}

/// An object of a [`MemoryCloud`], regardless of its owner.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MemoryObject {
    /// The kind.
    pub kind: String,
    /// The identifier.
    pub id: String,
    /// The name of the scope that owns it, if its labels contain one.
    pub scope: Option<String>,
    /// The name of the task it was created for, if its labels contain one.
    pub task: Option<String>,
    /// All its labels.
    pub labels: BTreeMap<String, String>,
    /// Its state.
    pub state: State,
    /// Its specification.
    pub spec: Document,
    /// Its outputs.
    pub outputs: Outputs,
}

impl MemoryCloud {
    /// An empty cloud in which nothing takes time.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A builder of clouds.
    pub fn builder() -> MemoryCloudBuilder {
        MemoryCloudBuilder {
            settings: Settings::default(),
            clock: Arc::new(SystemClock::new()),
            storage: Storage::in_memory(),
            pace: None,
            further: Vec::new(),
        }
    }

    fn connected(inner: Arc<Inner>, region: &str, further: Arc<[MakeHandler]>) -> Self {
        macro_rules! handlers {
            ($($kind:ident),*) => {
                vec![$(handler::<crate::resource::$kind>(inner.clone(), region)),*]
            };
        }
        let mut handlers = every_kind!(handlers);
        handlers.extend(further.iter().map(|handler| handler(inner.clone(), region)));
        Self { inner, region: region.into(), further, handlers: handlers.into() }
    }

    /// The same account, connected to a region: listings are for the complete account, so that only the marks
    /// distinguish the scopes of two regions. A new cloud is connected to a region without a name.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> kops_core::Result<()> {
    /// use std::sync::Arc;
    ///
    /// use kops_core::cloud::Scope;
    /// use kops_core::graph::TaskGraph;
    /// use kops_core::resource::Address;
    /// use kops_core::testing::MemoryCloud;
    /// use kops_core::Engine;
    ///
    /// let cloud = MemoryCloud::new();
    /// let engine = |region| Engine::new(Arc::new(cloud.in_region(region)), Scope::new("shop"));
    /// let mut graph = TaskGraph::builder();
    /// graph.add("nat", Address::new());
    /// let (eu, us) = (engine("eu"), engine("us"));
    /// eu.apply(&eu.plan(&graph.build()?).await?).await?.into_result()?;
    /// // Objects of the scope in one region are foreign in another.
    /// assert!(us.plan(&TaskGraph::default()).await?.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn in_region(&self, region: &str) -> Self {
        Self::connected(self.inner.clone(), region, self.further.clone())
    }

    /// Injects the faults of a script from now on; counts start at zero. See [`Chaos`](super::Chaos) for random
    /// faults.
    pub fn inject(&self, script: impl FnMut(&Call<'_>) -> Option<Fault> + Send + 'static) {
        self.inner.tap.inject(Box::new(script));
    }

    /// Stops injecting faults; counts start at zero.
    pub fn heal(&self) {
        self.inner.tap.reset();
    }

    /// The calls since the last [`inject`](Self::inject) or [`heal`](Self::heal).
    pub fn calls(&self) -> Calls {
        self.inner.tap.calls()
    }

    /// The shortest time in which the cloud's rate limits permit these calls, with full buckets at the start: zero
    /// without rate limits.
    pub fn least_time(&self, calls: &Calls) -> Duration {
        let mut drawn: BTreeMap<&str, (TokenBucket, f64)> = BTreeMap::new();
        for (kind, op, count) in calls.counts() {
            if let Some(bucket) = meter::bucket_of(&self.inner.settings.allowance, kind, op) {
                #[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^53 calls")]
                let count = count as f64;
                drawn.entry(bucket.name).or_insert((bucket, 0.0)).1 += count;
            }
        }
        let times = drawn.values().map(|(bucket, count)| (count - bucket.capacity) / bucket.per_second);
        Duration::from_secs_f64(times.fold(0.0, f64::max))
    }

    /// Returns as soon as a [`Fault::CrashBefore`] or [`Fault::CrashAfter`] has occurred. From then on, no call
    /// returns: drop the code that makes them, then [`revive`](Self::revive) the cloud.
    pub async fn crashed(&self) {
        self.inner.tap.crashed().await;
    }

    /// Lets calls through again after a crash.
    pub fn revive(&self) {
        self.inner.tap.revive();
    }

    /// All objects, regardless of their owner, by kind and identifier.
    ///
    /// # Errors
    /// `Io` if the cloud is in a file that cannot be read.
    pub fn objects(&self) -> Result<Vec<MemoryObject>> {
        let now = self.inner.now();
        self.inner.storage.read(|world| {
            world.settle(now);
            let stored = world.everything().map(|(kind, record)| MemoryObject {
                kind: kind.to_owned(),
                id: record.id.clone(),
                scope: record.labels.get(MARK.scope).cloned(),
                task: record.labels.get(MARK.task).cloned(),
                labels: record.labels.clone(),
                state: record.state(now),
                spec: record.spec.clone(),
                outputs: record.outputs.clone(),
            });
            Ok(stored.collect())
        })
    }

    /// Whether an object exists and is not being deleted.
    ///
    /// # Errors
    /// Those of [`objects`](Self::objects).
    pub fn exists<R: Resource>(&self, id: &Id<R>) -> Result<bool> {
        self.inner.storage.read(|world| Ok(world.get::<R>(id.as_str()).is_some()))
    }

    /// Creates an object that no scope owns. Its name is an alias for [`Lifecycle::Shared`](crate::graph::Lifecycle),
    /// and reserved if names of the kind are unique.
    ///
    /// # Errors
    /// Those of the cloud for such a creation.
    pub fn plant<R: MemoryKind>(&self, name: &str, spec: &R::Resolved) -> Result<Id<R>> {
        let (inner, at) = (&self.inner, self.inner.moment(None));
        let name = Some(name.to_owned());
        let id = inner
            .storage
            .write(|world| world.insert::<R>(spec, name, BTreeMap::new(), false, &inner.settings, at))?;
        Ok(Id::new(id))
    }

    /// Changes an object without the engine, if the cloud allows it.
    ///
    /// # Errors
    /// Those of the cloud for such a change.
    pub fn alter<R: MemoryKind>(&self, id: &Id<R>, change: impl FnOnce(&mut R::Resolved)) -> Result<()> {
        let inner = &self.inner;
        inner.storage.write(|world| {
            let missing = || Error::not_found(format!("there is no {} {id}", R::KIND));
            let mut spec = world.get::<R>(id.as_str()).ok_or_else(missing)?;
            change(&mut spec);
            world.update::<R>(id.as_str(), &spec, &inner.settings, inner.now())
        })
    }

    /// Deletes an object without the engine.
    ///
    /// # Errors
    /// Those of the cloud for such a deletion.
    pub fn remove<R: MemoryKind>(&self, id: &Id<R>) -> Result<()> {
        let inner = &self.inner;
        inner.storage.write(|world| world.delete::<R>(id.as_str(), &inner.settings, inner.now()).map(|_| ()))
    }
}

impl Inner {
    /// The time for objects: in a file, it has to continue between runs.
    fn now(&self) -> Duration {
        if self.storage.is_file() {
            let since_epoch = self.clock.now().duration_since(jiff::Timestamp::UNIX_EPOCH);
            since_epoch.try_into().unwrap_or_default()
        } else {
            self.clock.elapsed()
        }
    }

    fn moment(&self, fault: Option<Fault>) -> Moment {
        Moment { now: self.now(), fault }
    }

    /// Makes a call.
    async fn call<T: Send>(
        &self,
        kind: &'static str,
        op: Op,
        cx: &Context,
        work: impl FnOnce(&mut World, Moment) -> Result<T> + Send,
    ) -> Result<T> {
        let name = || format!("memory:{kind}:{op}");
        let bucket = meter::bucket_of(&self.settings.allowance, kind, op);
        let call = self.tap.call(kind, op, None, |fault| self.travel(op, bucket, fault, work));
        let done = if let Some(limiter) = &self.limiter {
            limiter.run(bucket.map_or("", |it| it.name), !op.mutates(), cx, call).await
        } else {
            tokio::select! {
                biased;
                () = cx.cancel.cancelled(), if !op.mutates() => Err(cancelled()),
                () = std::future::ready(()), if cx.cancel.is_cancelled() => Err(cancelled()),
                done = call => done,
            }
        };
        done.map_err(|error| error.with_call(name()))
    }

    /// To the server, and back.
    async fn travel<T>(
        &self,
        op: Op,
        bucket: Option<TokenBucket>,
        fault: Option<Fault>,
        work: impl FnOnce(&mut World, Moment) -> Result<T>,
    ) -> Result<T> {
        let half = self.settings.latencies.of_call() / 2;
        if !half.is_zero() {
            self.clock.sleep(half).await;
        }
        let at = self.moment(fault);
        let done = if bucket.is_some_and(|bucket| !self.meter.draw(bucket, self.clock.elapsed())) {
            Err(Error::new(ErrorKind::Throttled, "too many requests"))
        } else {
            let work = |world: &mut World| {
                world.settle(at.now);
                work(world, at)
            };
            if op.mutates() { self.storage.write(work) } else { self.storage.read(work) }
        };
        if !half.is_zero() {
            self.clock.sleep(half).await;
        }
        done
    }
}

impl Cloud for MemoryCloud {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn location(&self) -> String {
        self.region.to_string()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.settings.capabilities.clone()
    }

    fn handlers(&self) -> &[Arc<dyn DynHandler>] {
        &self.handlers
    }

    fn class(&self, kind: &str) -> Option<Class> {
        let further = || self.handlers.iter().any(|handler| handler.kind() == kind).then_some(Class::Other);
        Class::in_table(crate::resource::CLASSES, kind).or_else(further)
    }

    fn lower(&self, graph: &TaskGraph, scope: &Scope, own: &[&str]) -> Result<Native> {
        let problems = self.unsupported(graph, own)?;
        if !problems.is_empty() {
            return Err(Error::from_many(problems));
        }
        lower::check_public_ips(graph)?;
        Native::from(graph.clone()).try_map(|graph| lowered(graph, scope.extra_labels()))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.inner.clock.clone()
    }

    fn machines(&self) -> Option<&dyn Machines> {
        Some(self)
    }
}

/// The kinds with labels.
const LABELLED: [&str; 4] = [Instance::KIND, InstanceGroup::KIND, Subnet::KIND, Volume::KIND];

/// The graph as lowering for other clouds would change it: with the scope's labels on all tasks that have labels, so
/// that a change of the scope's labels is a change of its objects; and with an instance's own address in place of its
/// public one.
fn lowered(graph: &TaskGraph, labels: &BTreeMap<String, String>) -> Result<TaskGraph> {
    let mut labelled = TaskGraph::builder();
    for task in graph.tasks() {
        let mut task = task.clone();
        task.spec = task.spec.map_outputs(&|output| lower::public_ip_source(output, graph));
        if LABELLED.contains(&task.key.kind()) && !task.is_shared() {
            task.spec = task.spec.with_entries("labels", labels);
        }
        labelled.insert(task);
    }
    labelled.build()
}

impl MemoryCloud {
    /// The parts of a graph that the cloud does not support.
    fn unsupported(&self, graph: &TaskGraph, own: &[&str]) -> Result<Vec<Error>> {
        let can = &self.inner.settings.capabilities;
        let mut problems = Vec::new();
        let mut need = |there: bool, task: &dyn fmt::Display, what: &str| {
            if !there {
                problems.push(Error::unsupported(format!("this cloud has no {what}")).with_task(task));
            }
        };
        for task in graph.tasks() {
            let kind = task.key.kind();
            let known = own.contains(&kind) || self.handlers.iter().any(|handler| handler.kind() == kind);
            need(known, &task.key, "objects of this kind");
            if kind == NatGateway::KIND {
                need(can.nat_gateways, &task.key, "NAT gateways");
            }
            if task.spec.is_null() && (kind == Network::KIND || kind == Subnet::KIND) {
                need(can.shared_networks, &task.key, "shared networks");
            }
        }
        for (task, network) in graph.specs::<Network>()? {
            need(can.ipv6 || !network.ipv6, &task.key, "IPv6");
        }
        for (task, balancer) in graph.specs::<LoadBalancer>()? {
            match balancer.scheme {
                Scheme::Public => need(can.public_load_balancers, &task.key, "public load balancers"),
                Scheme::Internal => need(can.internal_load_balancers, &task.key, "internal load balancers"),
            }
        }
        for (task, zone) in graph.specs::<DnsZone>()? {
            match zone.network {
                None => need(can.public_dns, &task.key, "public DNS zones"),
                Some(_) => need(can.private_dns, &task.key, "private DNS zones"),
            }
        }
        for (task, rules) in graph.specs::<FirewallRules>()? {
            let listed = rules.rules.iter().any(|rule| matches!(rule.peer, Peer::PrefixList(_)));
            need(can.prefix_lists || !listed, &task.key, "prefix lists");
        }
        for (task, group) in graph.specs::<InstanceGroup>()? {
            need(can.spot || group.spot.is_none(), &task.key, "spot machines");
        }
        Ok(problems)
    }
}
