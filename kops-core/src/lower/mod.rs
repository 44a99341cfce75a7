//! Lowering: agnostic tasks become native ones.
//!
//! The part of [`Cloud::lower`](crate::cloud::Cloud::lower) that all providers share. A provider says
//! by an `impl` of [`Lowered`] for each agnostic kind which native kind's object *stands for* it (others that
//! refer to the agnostic task's identifier mean that object's), how outputs are called there, and which tasks it
//! takes; a [`Lowerings`] holds them all. Names are kept, so that objects are called as kOps calls them.
//!
//! References are rewritten first, in the documents; so what a `lower` function reads already refers to
//! native tasks, and [`native`] merely changes the type. What waits for what follows from the references of the
//! native tasks; edges that were declared beside references are carried over between the tasks that stand for
//! the agnostic ones. Tasks of kinds that are native already, the provider's or [somebody's
//! own](crate::cloud::With), pass through with their references rewritten.
//!
//! What comes out is [`Native`]: the graph, and which of its tasks stand for which of the agnostic ones.
//!
//! ```
//! use kops_core::Result;
//! use kops_core::cloud::Scope;
//! use kops_core::graph::{Handle, TaskGraph};
//! use kops_core::lower::{LoweringEntry, Lowered, Lowering, Lowerings, entry};
//! use kops_core::resource::{Address, Resource};
//! use serde::{Deserialize, Serialize};
//!
//! /// What lowering knows of the cloud.
//! struct Here;
//!
//! #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
//! struct FloatingIp {}
//! impl Resource for FloatingIp {
//!     const KIND: &'static str = "FloatingIp";
//!     const OUTPUTS: &'static [&'static str] = &["address"];
//!     type Resolved = Self;
//! }
//!
//! impl Lowered<Here> for Address {
//!     type Native = FloatingIp;
//!     const OUTPUT_NAMES: &'static [(&'static str, &'static str)] = &[("ip", "address")];
//!
//!     fn lower(name: &str, _: Self, cx: &mut Lowering<'_, Here>) -> Result<()> {
//!         cx.add(name, FloatingIp {});
//!         Ok(())
//!     }
//! }
//!
//! const LOWERINGS: Lowerings<Here> =
//!     Lowerings { cloud: "Example", kinds: &[entry::<Here, Address>()], parts: &[] };
//!
//! let mut graph = TaskGraph::builder();
//! graph.add("door", Address::new());
//! let native = LOWERINGS.lower(&graph.build()?, &Scope::new("demo"), &Here, &["FloatingIp"].into())?;
//! let stand_in = Handle::<FloatingIp>::named("door");
//! assert_eq!(native.stands_for(Handle::<Address>::named("door").key()), Some(stand_in.key()));
//! assert_eq!(native.output(Handle::<Address>::named("door").key(), "ip"), Some((stand_in.key(), "address")));
//! # Ok::<(), kops_core::Error>(())
//! ```

mod former;
mod lowering;
mod native;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::marker::PhantomData;
use std::sync::Arc;

use crate::cloud::{DynHandler, Scope};
use crate::graph::{Edge, Id, Input, Key, Lifecycle, OutputRef, Setting, Task, TaskGraph};
use crate::resource::{
    Address, DnsRecord, DnsZone, Firewall, FirewallRules, Identity, Instance, InstanceGroup, InternetGateway,
    LoadBalancer, NatGateway, Network, Resource, SshKey, Subnet, Volume,
};
use crate::{Error, ErrorKind, Result};

pub use lowering::Lowering;
pub use native::Native;

/// An agnostic kind, and what becomes of it on the cloud that `P` knows.
pub trait Lowered<P: 'static>: Resource {
    /// The kind of the object that stands for it.
    type Native: Resource;

    /// Its outputs that have another name there, with that name.
    const OUTPUT_NAMES: &'static [(&'static str, &'static str)] = &[];

    /// Its members that are called otherwise there, with what they are called: for
    /// [`GraphBuilder::ignore`](crate::graph::GraphBuilder::ignore).
    const MEMBER_NAMES: &'static [(&'static str, &'static str)] = &[];

    /// Whether the cloud does by itself what the kind asks for, so that no object stands for it: the door to the
    /// internet of a network that always has one. Who waits for such a task waits for what it would wait for.
    const IMPLICIT: bool = false;

    /// Where an output of a task is to be had when that follows from the task: the native kind that puts it out under
    /// the task's name, and what it calls it. `None` leaves it to [`Native`](Self::Native) and
    /// [`OUTPUT_NAMES`](Self::OUTPUT_NAMES).
    const OUTLET: Option<Outlet<Self>> = None;

    /// Adds the native tasks of the task `name`, one of the kind [`Native`](Self::Native) and of the same
    /// name among them.
    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_, P>) -> Result<()>;
}

/// Says for a specification and an output which native kind puts it out, and under which name.
pub type Outlet<A> = fn(&A, &str) -> Option<(&'static str, &'static str)>;

/// A [`Lowered`] kind without its type; made by [`entry`].
pub struct LoweringEntry<P: 'static> {
    agnostic: &'static str,
    native: &'static str,
    /// The outputs of the agnostic kind.
    outputs: &'static [&'static str],
    output_names: &'static [(&'static str, &'static str)],
    member_names: &'static [(&'static str, &'static str)],
    implicit: bool,
    outlet: fn(&Task, &str) -> Option<(&'static str, &'static str)>,
    lower: fn(&Task, &mut Lowering<'_, P>) -> Result<()>,
}

/// The entry of a kind.
pub const fn entry<P: 'static, A: Lowered<P>>() -> LoweringEntry<P> {
    LoweringEntry {
        agnostic: A::KIND,
        native: A::Native::KIND,
        outputs: <A as Resource>::OUTPUTS,
        output_names: A::OUTPUT_NAMES,
        member_names: A::MEMBER_NAMES,
        implicit: A::IMPLICIT,
        outlet: |task, output| A::OUTLET.and_then(|outlet| outlet(&task.spec_as().ok()?, output)),
        lower: |task, cx| A::lower(task.key.name(), task.spec_as()?, cx),
    }
}

/// Makes [`every`] of the list of kinds, which would otherwise be there twice.
macro_rules! every {
    ($($kind:ident),* $(,)?) => {
        struct Every<P>(PhantomData<P>);

        impl<P: 'static> Every<P>
        where
            $($kind: Lowered<P>),*
        {
            const ENTRIES: &'static [LoweringEntry<P>] = &[$(entry::<P, $kind>()),*];
        }

        /// The entries of all agnostic kinds, for a provider that knows what becomes of each of them.
        pub const fn every<P: 'static>() -> &'static [LoweringEntry<P>]
        where
            $($kind: Lowered<P>),*
        {
            Every::<P>::ENTRIES
        }
    };
}

every!(
    Network,
    Subnet,
    InternetGateway,
    NatGateway,
    Address,
    Firewall,
    FirewallRules,
    LoadBalancer,
    SshKey,
    Identity,
    InstanceGroup,
    Instance,
    Volume,
    DnsZone,
    DnsRecord,
);

/// How a provider lowers graphs.
pub struct Lowerings<P: 'static> {
    /// What people call the cloud, for messages.
    pub cloud: &'static str,
    /// The agnostic kinds that it can do.
    pub kinds: &'static [LoweringEntry<P>],
    /// Kinds of objects without marks of their own, and the kind whose object each is inside of.
    pub parts: &'static [(&'static str, &'static str)],
}

impl<P> std::fmt::Debug for Lowerings<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lowerings").field("cloud", &self.cloud).finish_non_exhaustive()
    }
}

/// A reference to an agnostic object as one to the object that stands for it. Where it points has been settled
/// before a `lower` function reads it; here only the type changes.
pub fn native<P: 'static, A: Lowered<P>>(id: Input<Id<A>>) -> Input<Id<A::Native>> {
    match id {
        Input::Known(id) => Input::Known(Id::new(id.into_string())),
        Input::Output(output) => Input::Output(output),
        Input::Concat(parts) => Input::Concat(parts),
    }
}

/// The kinds whose tasks pass through lowering: those that the provider has handlers for, and the `own` ones that
/// [`Cloud::lower`](crate::cloud::Cloud::lower) is told of.
pub fn passing<'a>(handlers: &'a [Arc<dyn DynHandler>], own: &[&'a str]) -> HashSet<&'a str> {
    handlers.iter().map(|handler| handler.kind()).chain(own.iter().copied()).collect()
}

/// A setting that is managed if it is given.
pub fn setting<T>(value: Option<T>) -> Setting<T> {
    value.map_or(Setting::Unmanaged, Setting::To)
}

impl<P> Lowerings<P> {
    /// A graph of agnostic and native tasks as one of native tasks only; the tasks of the `kinds` pass through: see
    /// [`passing`].
    ///
    /// # Errors
    /// Everything that the cloud cannot do, at once.
    pub fn lower(
        &self,
        graph: &TaskGraph,
        scope: &Scope,
        provider: &P,
        kinds: &HashSet<&str>,
    ) -> Result<Native> {
        let tasks: Vec<Task> = graph.tasks().map(|task| self.redirected(task, graph)).collect();
        let mut cx = Lowering::new(self, &tasks, scope, provider);
        let mut problems = Vec::new();
        for task in &tasks {
            let possible = graph.get(&task.key).map_or(Ok(()), |task| self.needs_no_implicit(task, kinds));
            if let Err(error) = possible.and_then(|()| cx.task(task, kinds)) {
                problems.push(error.with_task(&task.key));
            }
        }
        if !problems.is_empty() {
            return Err(Error::from_many(problems));
        }
        let (native, origins) = cx.finish(graph)?;
        let native = self.with_ignored_members(graph, native)?;
        let native = self.with_former_names(graph, native, &origins, scope, provider, kinds)?;
        self.parts_stay_with_their_wholes(&native)?;
        Ok(Native::new(native, origins, |native| self.stand_ins(graph, native)))
    }

    /// Says of the tasks that stand for others which of their members are not compared.
    fn with_ignored_members(&self, graph: &TaskGraph, native: TaskGraph) -> Result<TaskGraph> {
        let ignoring =
            |task: &&Task| !task.options.ignored.is_empty() && self.entry_of(task.key.kind()).is_some();
        let ignoring: HashMap<Key, &Task> =
            graph.tasks().filter(ignoring).map(|task| (self.counterpart(&task.key), task)).collect();
        if ignoring.is_empty() {
            return Ok(native);
        }
        let mut told = TaskGraph::builder();
        let mut problems = Vec::new();
        for task in native.tasks() {
            let mut task = task.clone();
            if let Some(agnostic) = ignoring.get(&task.key) {
                match self.ignored(agnostic, &task) {
                    Ok(ignored) => task.options.ignored = ignored,
                    Err(error) => problems.push(error.with_task(&agnostic.key)),
                }
            }
            told.insert(task);
        }
        if problems.is_empty() { told.build() } else { Err(Error::from_many(problems)) }
    }

    /// The members of a native task that stand for those of an agnostic one which are not compared.
    fn ignored(&self, agnostic: &Task, native: &Task) -> Result<BTreeSet<String>> {
        let names = self.entry_of(agnostic.key.kind()).map_or(&[] as &[_], |entry| entry.member_names);
        let there = |member: &String| {
            let name =
                names.iter().find(|(name, _)| name == member).map_or(member.as_str(), |(_, name)| name);
            native.spec.get(name).map(|_| name.to_owned()).ok_or_else(|| {
                Error::new(
                    ErrorKind::Unsupported,
                    format!("{member:?} is no member of its own on {}: it cannot be ignored", self.cloud),
                )
                .with_hint(format!("what stands for the task is {}", native.key))
            })
        };
        agnostic.options.ignored.iter().map(there).collect()
    }

    /// Says of the native tasks of a renamed task what they were called before: as the tasks are that lowering makes of the
    /// graph with the former names.
    fn with_former_names(
        &self,
        graph: &TaskGraph,
        native: TaskGraph,
        origins: &HashMap<Key, Vec<Key>>,
        scope: &Scope,
        provider: &P,
        kinds: &HashSet<&str>,
    ) -> Result<TaskGraph> {
        let Some(formers) = former::FormerNames::of(graph) else { return Ok(native) };
        let before = self.lower(&formers.graph(graph)?, scope, provider, kinds)?;
        formers.told(&native, origins, &before)
    }

    /// An agnostic kind that the cloud fulfils without an object has no outputs that another kind could take.
    fn needs_no_implicit(&self, task: &Task, kinds: &HashSet<&str>) -> Result<()> {
        if !kinds.contains(task.key.kind()) {
            // What a provider's own lowering makes of such a reference is up to it.
            return Ok(());
        }
        let implicit =
            |output: &OutputRef| self.is_implicit(&output.task) && !kinds.contains(output.task.kind());
        match task.spec.outputs().into_iter().find(implicit) {
            None => Ok(()),
            Some(output) => Err(Error::new(
                ErrorKind::Unsupported,
                format!("{output} has no value: no object stands for {} on {}", output.task, self.cloud),
            )
            .with_hint("wait for the task with GraphBuilder::after instead of taking an output of it")),
        }
    }

    /// What stands for each task of an agnostic kind, and where each of its outputs is had.
    fn stand_ins(&self, graph: &TaskGraph, native: &TaskGraph) -> HashMap<Key, Option<native::StandIn>> {
        let stand_in = |task: &Task| {
            let entry = self.entry_of(task.key.kind()).filter(|entry| !entry.implicit)?;
            let key = Key::new(entry.native, task.key.name());
            native.get(&key)?;
            let place = |&output: &&'static str| {
                let place = self.redirect(OutputRef::created(&task.key, output), graph);
                (output, (place.task, place.output))
            };
            let outputs = entry.outputs.iter().map(place).collect();
            Some(native::StandIn { key, outputs })
        };
        graph.tasks().map(|task| (task.key.clone(), stand_in(task))).collect()
    }

    fn entry_of(&self, kind: &str) -> Option<&LoweringEntry<P>> {
        self.kinds.iter().find(|entry| entry.agnostic == kind)
    }

    /// What is inside another object bears no mark of its own, of whose it is or that it is never to be deleted:
    /// it shares that object's.
    fn parts_stay_with_their_wholes(&self, native: &TaskGraph) -> Result<()> {
        let is_retained = |task: &Task| task.lifecycle == Lifecycle::Retained;
        for task in native.tasks() {
            let Some((_, whole)) = self.parts.iter().find(|(part, _)| *part == task.key.kind()) else {
                continue;
            };
            if matches!(task.lifecycle, Lifecycle::Shared { .. }) {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("it is inside a {whole} and cannot be shared by itself"),
                )
                .with_task(&task.key)
                .with_hint(format!("share the {whole}")));
            }
            if !is_retained(task) {
                continue;
            }
            let stays =
                |edge: &Edge| edge.on.kind() == *whole && native.get(&edge.on).is_some_and(is_retained);
            if !task.edges.iter().any(stays) {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("it is inside a {whole} that is not retained"),
                )
                .with_task(&task.key)
                .with_hint(format!("retain the {whole} as well")));
            }
        }
        Ok(())
    }

    /// The task with its references pointing to native tasks.
    fn redirected(&self, task: &Task, graph: &TaskGraph) -> Task {
        Task { spec: task.spec.map_outputs(&|output| self.redirect(output, graph)), ..task.clone() }
    }

    fn redirect(&self, output: OutputRef, graph: &TaskGraph) -> OutputRef {
        let Some(entry) = self.entry_of(output.task.kind()) else { return output };
        let outlet = graph.get(&output.task).and_then(|task| (entry.outlet)(task, &output.output));
        if let Some((kind, name)) = outlet {
            return OutputRef { task: Key::new(kind, output.task.name()), output: name.to_owned(), ..output };
        }
        let name = entry.output_names.iter().find(|(agnostic, _)| *agnostic == output.output);
        OutputRef {
            task: Key::new(entry.native, output.task.name()),
            output: name.map_or(output.output, |(_, native)| (*native).to_owned()),
            wait: output.wait,
        }
    }

    fn is_implicit(&self, key: &Key) -> bool {
        self.entry_of(key.kind()).is_some_and(|entry| entry.implicit)
    }

    /// The keys of the tasks to wait for instead of a task: of the one that stands for it, or else of those that
    /// it waits for itself.
    fn standing_for(&self, graph: &TaskGraph, key: &Key) -> Vec<Key> {
        if !self.is_implicit(key) {
            return vec![self.counterpart(key)];
        }
        let edges = graph.get(key).map(|task| task.edges.as_slice()).unwrap_or_default();
        edges.iter().flat_map(|edge| self.standing_for(graph, &edge.on)).collect()
    }

    /// The key of the task that stands for a task.
    fn counterpart(&self, key: &Key) -> Key {
        self.entry_of(key.kind()).map_or_else(|| key.clone(), |entry| Key::new(entry.native, key.name()))
    }
}
