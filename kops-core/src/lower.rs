//! Lowering: agnostic tasks become native ones.
//!
//! What [`Cloud::lower`](crate::cloud::Cloud::lower) does is alike in every provider, and is here. A provider says
//! by an `impl` of [`Lowered`] for each agnostic kind which native kind's object *stands for* it (others that
//! refer to the agnostic task's identifier mean that object's), how outputs are called there, and which tasks it
//! takes; a [`Lowerings`] holds them all. Names are kept, so that objects are called as kOps calls them.
//!
//! References are turned around first, in the documents; so what a `lower` function reads already refers to
//! native tasks, and [`native`] merely changes the type. What waits for what follows from the references of the
//! native tasks; edges that were declared beside references are carried over between the tasks that stand for
//! the agnostic ones.
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
//!     type Resolved = Self;
//! }
//!
//! impl Lowered<Here> for Address {
//!     type Native = FloatingIp;
//!     const OUTPUTS: &'static [(&'static str, &'static str)] = &[("ip", "address")];
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
//! assert!(native.get(Handle::<FloatingIp>::named("door").key()).is_some());
//! # Ok::<(), kops_core::Error>(())
//! ```

use std::collections::HashSet;

use crate::cloud::Scope;
use crate::graph::{
    Document, Edge, GraphBuilder, Handle, Id, Input, Key, Lifecycle, OutputRef, Setting, Task, TaskGraph,
};
use crate::resource::{
    Address, DnsRecord, DnsZone, Firewall, FirewallRules, Identity, Instance, InstanceGroup, InternetGateway,
    LoadBalancer, NatGateway, Network, Resource, SshKey, Subnet, Volume,
};
use crate::{Error, ErrorKind, Result};

/// An agnostic kind, and what becomes of it on the cloud that `P` knows.
pub trait Lowered<P: 'static>: Resource {
    /// The kind of the object that stands for it.
    type Native: Resource;

    /// Its outputs besides the identifier, and what they are called there.
    const OUTPUTS: &'static [(&'static str, &'static str)] = &[];

    /// Whether the cloud does by itself what the kind asks for, so that no object stands for it: the door to the
    /// internet of a network that always has one. Who waits for such a task waits for what it would wait for.
    const IMPLICIT: bool = false;

    /// Where an output of a task is to be had when that follows from the task: the native kind that puts it out under
    /// the task's name, and what it calls it. `None` leaves it to [`Native`](Self::Native) and
    /// [`OUTPUTS`](Self::OUTPUTS).
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
    outputs: &'static [(&'static str, &'static str)],
    implicit: bool,
    outlet: fn(&Task, &str) -> Option<(&'static str, &'static str)>,
    lower: fn(&Task, &mut Lowering<'_, P>) -> Result<()>,
}

/// The entry of a kind.
pub const fn entry<P: 'static, A: Lowered<P>>() -> LoweringEntry<P> {
    LoweringEntry {
        agnostic: A::KIND,
        native: A::Native::KIND,
        outputs: A::OUTPUTS,
        implicit: A::IMPLICIT,
        outlet: |task, output| A::OUTLET.and_then(|outlet| outlet(&task.spec_as().ok()?, output)),
        lower: |task, cx| A::lower(task.key.name(), task.spec_as()?, cx),
    }
}

/// The entries of all agnostic kinds, for a provider that knows what becomes of each of them.
///
/// Left out are the kinds that are for one provider alone, which it names with [`entry`].
pub const fn every<P: 'static>() -> [LoweringEntry<P>; 15]
where
    Network: Lowered<P>,
    Subnet: Lowered<P>,
    InternetGateway: Lowered<P>,
    NatGateway: Lowered<P>,
    Address: Lowered<P>,
    Firewall: Lowered<P>,
    FirewallRules: Lowered<P>,
    LoadBalancer: Lowered<P>,
    SshKey: Lowered<P>,
    Identity: Lowered<P>,
    InstanceGroup: Lowered<P>,
    Instance: Lowered<P>,
    Volume: Lowered<P>,
    DnsZone: Lowered<P>,
    DnsRecord: Lowered<P>,
{
    [
        entry::<P, Network>(),
        entry::<P, Subnet>(),
        entry::<P, InternetGateway>(),
        entry::<P, NatGateway>(),
        entry::<P, Address>(),
        entry::<P, Firewall>(),
        entry::<P, FirewallRules>(),
        entry::<P, LoadBalancer>(),
        entry::<P, SshKey>(),
        entry::<P, Identity>(),
        entry::<P, InstanceGroup>(),
        entry::<P, Instance>(),
        entry::<P, Volume>(),
        entry::<P, DnsZone>(),
        entry::<P, DnsRecord>(),
    ]
}

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

/// A setting that is managed if it is given.
pub fn setting<T>(value: Option<T>) -> Setting<T> {
    value.map_or(Setting::Unmanaged, Setting::To)
}

impl<P> Lowerings<P> {
    /// A graph of agnostic and native tasks as one of native tasks only; `kinds` are the native ones, whose tasks
    /// pass through.
    ///
    /// # Errors
    /// Everything that the cloud cannot do, at once.
    pub fn lower(
        &self,
        graph: &TaskGraph,
        scope: &Scope,
        provider: &P,
        kinds: &HashSet<&str>,
    ) -> Result<TaskGraph> {
        let tasks: Vec<Task> = graph.tasks().map(|task| self.redirected(task, graph)).collect();
        let mut cx = Lowering {
            lowerings: self,
            tasks: &tasks,
            scope,
            provider,
            native: TaskGraph::builder(),
            lifecycle: Lifecycle::Managed,
        };
        let mut problems = Vec::new();
        for task in &tasks {
            if let Err(error) = cx.task(task, kinds) {
                problems.push(error.with_task(&task.key));
            }
        }
        if !problems.is_empty() {
            return Err(Error::from_many(problems));
        }
        cx.carry_over(graph);
        let native = cx.native.build()?;
        self.parts_stay_with_their_wholes(&native)?;
        Ok(native)
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
        let name = entry.outputs.iter().find(|(agnostic, _)| *agnostic == output.output);
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

/// A graph on its way to native tasks.
pub struct Lowering<'a, P: 'static> {
    lowerings: &'a Lowerings<P>,
    /// The tasks of the graph, their references redirected.
    tasks: &'a [Task],
    scope: &'a Scope,
    provider: &'a P,
    native: GraphBuilder,
    /// Of the task that is being lowered.
    lifecycle: Lifecycle,
}

impl<P> std::fmt::Debug for Lowering<'_, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lowering")
            .field("scope", &self.scope)
            .field("native", &self.native)
            .finish_non_exhaustive()
    }
}

impl<'a, P> Lowering<'a, P> {
    /// Whose objects they will be.
    pub fn scope(&self) -> &'a Scope {
        self.scope
    }

    /// What the provider knows of its cloud.
    pub fn provider(&self) -> &'a P {
        self.provider
    }

    fn task(&mut self, task: &Task, kinds: &HashSet<&str>) -> Result<()> {
        self.lifecycle = task.lifecycle.clone();
        match self.lowerings.entry_of(task.key.kind()) {
            Some(entry) if matches!(task.lifecycle, Lifecycle::Shared { .. }) => {
                if entry.implicit {
                    return Ok(());
                }
                self.native.insert(Task {
                    key: Key::new(entry.native, task.key.name()),
                    spec: Document::default(),
                    lifecycle: task.lifecycle.clone(),
                    edges: Vec::new(),
                });
                Ok(())
            }
            Some(entry) => (entry.lower)(task, self),
            None if kinds.contains(task.key.kind()) => {
                self.native.insert(Task { edges: Vec::new(), ..task.clone() });
                Ok(())
            }
            None => Err(Error::new(
                ErrorKind::Unsupported,
                format!("{} has no objects of the kind {}", self.lowerings.cloud, task.key.kind()),
            )),
        }
    }

    /// Adds a task, with the lifecycle of the one that is being lowered.
    pub fn add<R: Resource>(&mut self, name: &str, spec: R) -> Handle<R> {
        self.native.add_as(name, spec, self.lifecycle.clone())
    }

    /// Adds a task that several agnostic ones need, unless one of them has done so already; it is retained if
    /// one of them is.
    pub fn add_once<R: Resource>(&mut self, name: &str, spec: R) -> Handle<R> {
        let handle = Handle::named(name);
        if !self.native.contains(handle.key()) {
            self.native.add(name, spec);
        }
        if self.lifecycle == Lifecycle::Retained {
            self.native.set_lifecycle(handle.key(), Lifecycle::Retained);
        }
        handle
    }

    /// Makes one native task wait for another although it takes no output of it.
    pub fn after<A: Resource, B: Resource>(&mut self, later: &Handle<A>, earlier: &Handle<B>) {
        self.native.after(later, earlier);
    }

    /// The tasks of an agnostic kind that are not shared, with their specifications.
    pub fn specs<A: Lowered<P>>(&self) -> Result<Vec<(&'a str, A)>> {
        let managed =
            |task: &&Task| task.key.kind() == A::KIND && !matches!(task.lifecycle, Lifecycle::Shared { .. });
        self.tasks.iter().filter(managed).map(|task| Ok((task.key.name(), task.spec_as()?))).collect()
    }

    /// Whether a reference points to the object that stands for the task `name`.
    pub fn is_for<A: Lowered<P>>(id: &Input<Id<A>>, name: &str) -> bool {
        matches!(id, Input::Output(output) if output.task == Key::new(A::Native::KIND, name))
    }

    /// Whether the object of an agnostic kind that a reference points to is somebody else's.
    pub fn is_shared<A: Lowered<P>>(&self, id: &Input<Id<A>>) -> bool {
        let Input::Output(output) = id else { return true };
        let task =
            self.tasks.iter().find(|it| it.key.kind() == A::KIND && it.key.name() == output.task.name());
        task.is_none_or(|task| matches!(task.lifecycle, Lifecycle::Shared { .. }))
    }

    /// The firewall whose rules these are.
    ///
    /// # Errors
    /// `Unsupported` when it is somebody else's: whether a rule is ours is told by the group that it is in.
    pub fn firewall_of(&self, rules: &FirewallRules) -> Result<(&'a str, Firewall)>
    where
        Firewall: Lowered<P>,
    {
        let own = self.specs::<Firewall>()?.into_iter().find(|(name, _)| Self::is_for(&rules.firewall, name));
        own.ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "the rules of a shared firewall are its owner's")
                .with_hint("put the rules into a firewall of its own, and machines into both")
        })
    }

    /// Something that is looked up under a name, so that a misspelt one is found before anything is made.
    pub fn looked_up<R: Resource>(&mut self, name: &str) -> Handle<R> {
        let handle = Handle::named(name);
        if self.native.contains(handle.key()) { handle } else { self.native.share(name, name) }
    }

    /// The names of the tasks of an agnostic kind, shared ones among them.
    pub fn names<A: Lowered<P>>(&self) -> Vec<&'a str> {
        self.tasks.iter().filter(|task| task.key.kind() == A::KIND).map(|task| task.key.name()).collect()
    }

    /// Carries the edges over that were declared beside references; between tasks that have become nothing there is
    /// nothing to wait for.
    fn carry_over(&mut self, graph: &TaskGraph) {
        for task in graph.tasks().filter(|task| !self.lowerings.is_implicit(&task.key)) {
            let referred: HashSet<Key> = task.spec.outputs().into_iter().map(|output| output.task).collect();
            let later = self.lowerings.counterpart(&task.key);
            for edge in task.edges.iter().filter(|edge| !referred.contains(&edge.on)) {
                for on in self.lowerings.standing_for(graph, &edge.on) {
                    if self.native.contains(&later) && self.native.contains(&on) {
                        self.native.wait(&later, Edge { on, wait: edge.wait });
                    }
                }
            }
        }
    }
}
