//! Lowering: converting agnostic tasks to native ones.
//!
//! This is the part of [`Cloud::lower`](crate::cloud::Cloud::lower) that all providers share. For each agnostic kind,
//! a provider implements [`Lowered`]: it specifies the native kind whose object *represents* it (references to the
//! agnostic task are converted to references to that object), the names of its outputs there, and the native tasks to
//! add; a [`Lowerings`] combines them. Names are kept, so that objects have the same names as in kOps.
//!
//! References are converted first, in the documents; so specifications that are passed to a `lower` function already
//! refer to native tasks, and [`native`] only changes the type. Most dependencies follow from the references of the
//! native tasks; edges that were added without references are copied. Tasks of native kinds, the provider's or
//! [custom ones](crate::cloud::With), are kept, with their references converted.
//!
//! The result is a [`Native`]: the graph, and the relation between its tasks and the agnostic ones.
//!
//! ```
//! use kops_core::Result;
//! use kops_core::cloud::Scope;
//! use kops_core::graph::{Handle, TaskGraph};
//! use kops_core::lower::{LoweringEntry, Lowered, Lowering, Lowerings, entry};
//! use kops_core::resource::{Address, Resource};
//! use serde::{Deserialize, Serialize};
//!
//! /// The provider's data for lowering.
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
mod limits;
mod lowering;
mod public_ip;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::marker::PhantomData;
use std::sync::Arc;

use crate::cloud::{DynHandler, Scope, StandIn};
use crate::graph::{Edge, Expectation, Id, Input, Key, Lifecycle, OutputRef, Setting, Task, TaskGraph};
use crate::resource::{
    Address, DnsRecord, DnsZone, Firewall, FirewallRules, Identity, Instance, InstanceGroup, InternetGateway,
    LoadBalancer, NatGateway, Network, Resource, SshKey, Subnet, Volume,
};
use crate::{Error, ErrorKind, Result};

#[doc(no_inline)]
pub use crate::cloud::Native;
pub use limits::require_short;
pub use lowering::Lowering;
#[cfg(feature = "testing")]
pub(crate) use public_ip::{check as check_public_ips, source_or_itself as public_ip_source};

/// An agnostic kind that can be lowered on the cloud with data `P`.
pub trait Lowered<P: 'static>: Resource {
    /// The native kind that represents it.
    type Native: Resource;

    /// Outputs that have another name in the native kind, with that name.
    const OUTPUT_NAMES: &'static [(&'static str, &'static str)] = &[];

    /// Members that have another name in the native kind, with that name: for
    /// [`GraphBuilder::ignore`](crate::graph::GraphBuilder::ignore).
    const MEMBER_NAMES: &'static [(&'static str, &'static str)] = &[];

    /// Whether the cloud provides this implicitly, so that no object represents it, such as the internet gateway of a
    /// network that always has one. Tasks that wait for such a task wait for its dependencies instead.
    const IMPLICIT: bool = false;

    /// The source of an output, if it depends on the task: the native kind that has it under the task's name, and the
    /// output's name there. If `None`, they are determined by [`Native`](Self::Native) and
    /// [`OUTPUT_NAMES`](Self::OUTPUT_NAMES).
    const OUTLET: Option<Outlet<Self>> = None;

    /// Adds the native tasks for the task `name`, including one of kind [`Native`](Self::Native) with the same name.
    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_, P>) -> Result<()>;
}

/// Returns the native kind that has an output, and the output's name there.
pub type Outlet<A> = fn(&A, &str) -> Option<(&'static str, &'static str)>;

/// A type-erased [`Lowered`] kind; created by [`entry`].
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

/// Generates [`every`] from the list of kinds, which would otherwise be repeated.
macro_rules! every {
    ($($kind:ident),* $(,)?) => {
        struct Every<P>(PhantomData<P>);

        impl<P: 'static> Every<P>
        where
            $($kind: Lowered<P>),*
        {
            const ENTRIES: &'static [LoweringEntry<P>] = &[$(entry::<P, $kind>()),*];
        }

        /// The entries of all agnostic kinds, for a provider that supports each of them.
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

/// The lowering of a provider.
pub struct Lowerings<P: 'static> {
    /// The name of the cloud, for messages.
    pub cloud: &'static str,
    /// The supported agnostic kinds.
    pub kinds: &'static [LoweringEntry<P>],
    /// Kinds of objects without marks of their own, and the kinds of the objects that contain them.
    pub parts: &'static [(&'static str, &'static str)],
}

impl<P> std::fmt::Debug for Lowerings<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lowerings").field("cloud", &self.cloud).finish_non_exhaustive()
    }
}

/// Converts the type of a reference to an agnostic object to the kind that represents it. Its target was converted
/// before the `lower` function is called.
pub fn native<P: 'static, A: Lowered<P>>(id: Input<Id<A>>) -> Input<Id<A::Native>> {
    match id {
        Input::Known(id) => Input::Known(Id::new(id.into_string())),
        Input::Output(output) => Input::Output(output),
        Input::Concat(parts) => Input::Concat(parts),
    }
}

/// The kinds whose tasks lowering keeps: those with a handler of the provider, and the `own` ones passed to
/// [`Cloud::lower`](crate::cloud::Cloud::lower).
pub fn passing<'a>(handlers: &'a [Arc<dyn DynHandler>], own: &[&'a str]) -> HashSet<&'a str> {
    handlers.iter().map(|handler| handler.kind()).chain(own.iter().copied()).collect()
}

/// A setting that is managed if there is a value.
pub fn setting<T>(value: Option<T>) -> Setting<T> {
    value.map_or(Setting::Unmanaged, Setting::To)
}

impl<P> Lowerings<P> {
    /// Lowers a graph of agnostic and native tasks to one of native tasks only; tasks of `kinds` are kept as they
    /// are: see [`passing`].
    ///
    /// # Errors
    /// All problems at once: everything that the cloud does not support.
    pub fn lower(
        &self,
        graph: &TaskGraph,
        scope: &Scope,
        provider: &P,
        kinds: &HashSet<&str>,
    ) -> Result<Native> {
        let tasks: Vec<Task> = graph.tasks().map(|task| self.redirected(task, graph)).collect();
        let mut cx = Lowering::new(self, &tasks, scope, provider);
        let mut problems: Vec<Error> = public_ip::problems(graph);
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

    /// Sets the ignored members of native tasks.
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

    /// The members of a native task that correspond to the ignored members of an agnostic one.
    fn ignored(&self, agnostic: &Task, native: &Task) -> Result<BTreeSet<String>> {
        let names = self.entry_of(agnostic.key.kind()).map_or(&[] as &[_], |entry| entry.member_names);
        let there = |member: &String| {
            let name =
                names.iter().find(|(name, _)| name == member).map_or(member.as_str(), |(_, name)| name);
            native.spec.get(name).map(|_| name.to_owned()).ok_or_else(|| {
                Error::new(
                    ErrorKind::Unsupported,
                    format!("{member:?} has no field of its own on {}, so it cannot be ignored", self.cloud),
                )
                .with_hint(format!("the task is represented by {}", native.key))
            })
        };
        agnostic.options.ignored.iter().map(there).collect()
    }

    /// Sets the previous names of the native tasks of renamed tasks, by lowering the graph with the previous names.
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

    /// What a graph relies on in a shared object, in the names of the native kind.
    fn expectations(agnostic: &Task, entry: &LoweringEntry<P>) -> Vec<Expectation> {
        let renamed = |expectation: &Expectation| {
            let mut names = entry.member_names.iter().chain(entry.output_names);
            let name = names.find(|(name, _)| *name == expectation.fact).map(|(_, name)| *name);
            Expectation { fact: name.unwrap_or(&expectation.fact).to_owned(), ..expectation.clone() }
        };
        agnostic.options.expectations.iter().map(renamed).collect()
    }

    /// Rejects references to outputs of agnostic tasks that are implicit on this cloud.
    fn needs_no_implicit(&self, task: &Task, kinds: &HashSet<&str>) -> Result<()> {
        if !kinds.contains(task.key.kind()) {
            // A provider's own lowering may handle such a reference.
            return Ok(());
        }
        let implicit =
            |output: &OutputRef| self.is_implicit(&output.task) && !kinds.contains(output.task.kind());
        match task.spec.outputs().into_iter().find(implicit) {
            None => Ok(()),
            Some(output) => Err(Error::new(
                ErrorKind::Unsupported,
                format!("{output} has no value: {} has no object on {}", output.task, self.cloud),
            )
            .with_hint("wait for the task with GraphBuilder::after instead of using its output")),
        }
    }

    /// The native task that represents each agnostic task, and the source of each of its outputs.
    fn stand_ins(&self, graph: &TaskGraph, native: &TaskGraph) -> HashMap<Key, Option<StandIn>> {
        let stand_in = |task: &Task| {
            let entry = self.entry_of(task.key.kind()).filter(|entry| !entry.implicit)?;
            let key = Key::new(entry.native, task.key.name());
            native.get(&key)?;
            let place = |&output: &&'static str| {
                let place = self.redirect(OutputRef::created(&task.key, output), graph);
                (output, (place.task, place.output))
            };
            let outputs = entry.outputs.iter().map(place).collect();
            Some(StandIn { key, outputs })
        };
        graph.tasks().map(|task| (task.key.clone(), stand_in(task))).collect()
    }

    fn entry_of(&self, kind: &str) -> Option<&LoweringEntry<P>> {
        self.kinds.iter().find(|entry| entry.agnostic == kind)
    }

    /// An object inside another one has no mark of its own, neither owner nor lifecycle: it shares those of the
    /// object that contains it.
    fn parts_stay_with_their_wholes(&self, native: &TaskGraph) -> Result<()> {
        let is_retained = |task: &Task| task.lifecycle == Lifecycle::Retained;
        for task in native.tasks() {
            let Some((_, whole)) = self.parts.iter().find(|(part, _)| *part == task.key.kind()) else {
                continue;
            };
            if matches!(task.lifecycle, Lifecycle::Shared { .. }) {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("it is part of a {whole} and cannot be shared separately"),
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
                    format!("it is part of a {whole} that is not retained"),
                )
                .with_task(&task.key)
                .with_hint(format!("retain the {whole} as well")));
            }
        }
        Ok(())
    }

    /// The task with its references converted to native tasks.
    fn redirected(&self, task: &Task, graph: &TaskGraph) -> Task {
        let change = |output| self.redirect(output, graph);
        let mut task = Task { spec: task.spec.map_outputs(&change), ..task.clone() };
        for expectation in &mut task.options.expectations {
            *expectation = expectation.map(|value| value.map_outputs(&change));
        }
        task
    }

    fn redirect(&self, output: OutputRef, graph: &TaskGraph) -> OutputRef {
        let Some(entry) = self.entry_of(output.task.kind()) else { return output };
        if let Some(source) = public_ip::source(&output, graph) {
            return self.redirect(source, graph);
        }
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

    /// The tasks to wait for instead of a task: the one that represents it, or otherwise its dependencies.
    fn standing_for(&self, graph: &TaskGraph, key: &Key) -> Vec<Key> {
        if !self.is_implicit(key) {
            return vec![self.counterpart(key)];
        }
        let edges = graph.get(key).map(|task| task.edges.as_slice()).unwrap_or_default();
        edges.iter().flat_map(|edge| self.standing_for(graph, &edge.on)).collect()
    }

    /// The key of the native task for a task.
    fn counterpart(&self, key: &Key) -> Key {
        self.entry_of(key.kind()).map_or_else(|| key.clone(), |entry| Key::new(entry.native, key.name()))
    }
}
