//! Lowering: agnostic tasks become native ones.
//!
//! Each agnostic kind is a file with an `impl` of [`Lowered`]: the native kind whose object *stands for* it
//! (others that refer to the agnostic task's identifier mean that object's), how outputs are called there,
//! and which tasks it takes. Names are kept: the agnostic graph's names are kOps' `Name` tags, and so are the
//! native tasks'.
//!
//! References are turned around first, in the documents ([`Lowering::redirected`]); so what a `lower`
//! function reads already refers to native tasks, and [`native`] merely changes the type. What waits for what
//! follows from the references of the native tasks; edges that were declared beside references are carried
//! over between the tasks that stand for the agnostic ones.

mod address;
mod dns;
mod firewall;
mod gateway;
mod identity;
mod instance;
mod instance_group;
mod load_balancer;
mod network;
mod permissions;
mod routes;
mod ssh_key;
mod subnet;
mod volume;

use std::collections::{BTreeMap, HashSet};

use kops_core::cloud::Scope;
use kops_core::graph::{
    Document, Edge, GraphBuilder, Handle, Id, Input, Key, Lifecycle, OutputRef, Setting, Task, TaskGraph,
};
use kops_core::resource::{
    Address, DnsRecord, DnsZone, Firewall, FirewallRules, Identity, Instance, InstanceGroup, InternetGateway,
    LoadBalancer, NatGateway, Network, Resource, SshKey, Subnet, Volume,
};
use kops_core::{Error, ErrorKind, Result};

use crate::kinds::{AvailabilityZone, Image, InstanceType, PARTS};
use crate::tags::Tags;

/// The agnostic kinds that AWS can do.
const KINDS: &[Entry] = &[
    entry::<Network>(),
    entry::<Subnet>(),
    entry::<InternetGateway>(),
    entry::<NatGateway>(),
    entry::<Address>(),
    entry::<Firewall>(),
    entry::<FirewallRules>(),
    entry::<LoadBalancer>(),
    entry::<SshKey>(),
    entry::<Identity>(),
    entry::<InstanceGroup>(),
    entry::<Instance>(),
    entry::<Volume>(),
    entry::<DnsZone>(),
    entry::<DnsRecord>(),
];

/// An agnostic kind, and what becomes of it.
pub(crate) trait Lowered: Resource {
    /// The kind of the object that stands for it.
    type Native: Resource;

    /// Its outputs besides the identifier, and what they are called there.
    const OUTPUTS: &'static [(&'static str, &'static str)] = &[];

    /// Adds the native tasks of the task `name`, one of the kind [`Native`](Self::Native) and of the same
    /// name among them.
    fn lower(name: &str, spec: Self, cx: &mut Lowering<'_>) -> Result<()>;
}

/// A [`Lowered`] kind without its type.
struct Entry {
    agnostic: &'static str,
    native: &'static str,
    outputs: &'static [(&'static str, &'static str)],
    lower: fn(&Task, &mut Lowering<'_>) -> Result<()>,
}

const fn entry<A: Lowered>() -> Entry {
    Entry {
        agnostic: A::KIND,
        native: A::Native::KIND,
        outputs: A::OUTPUTS,
        lower: |task, cx| A::lower(task.key.name(), task.spec_as()?, cx),
    }
}

fn entry_of(kind: &str) -> Option<&'static Entry> {
    KINDS.iter().find(|entry| entry.agnostic == kind)
}

/// A reference to an agnostic object as one to the object that stands for it. Where it points has been
/// settled by [`Lowering::redirected`]; here only the type changes.
pub(crate) fn native<A: Lowered>(id: Input<Id<A>>) -> Input<Id<A::Native>> {
    match id {
        Input::Known(id) => Input::Known(Id::new(id.into_string())),
        Input::Output(output) => Input::Output(output),
        Input::Concat(parts) => Input::Concat(parts),
    }
}

/// A setting that is managed if it is given.
fn setting<T>(value: Option<T>) -> Setting<T> {
    value.map_or(Setting::Unmanaged, Setting::To)
}

/// A graph of agnostic and native tasks as one of native tasks only.
///
/// # Errors
/// Everything that AWS cannot do, at once.
pub(crate) fn lower(
    graph: &TaskGraph,
    scope: &Scope,
    region: &str,
    native_kinds: &HashSet<&str>,
) -> Result<TaskGraph> {
    let tasks: Vec<Task> = graph.tasks().map(redirected).collect();
    let mut cx = Lowering {
        tasks: &tasks,
        scope,
        region,
        native: TaskGraph::builder(),
        lifecycle: Lifecycle::Managed,
    };
    let mut problems = Vec::new();
    for task in &tasks {
        if let Err(error) = cx.task(task, native_kinds) {
            problems.push(error.task(&task.key));
        }
    }
    if !problems.is_empty() {
        return Err(together(problems));
    }
    cx.carry_over(graph);
    let native = cx.native.build()?;
    parts_stay_with_their_wholes(&native)?;
    Ok(native)
}

/// What is inside another object bears no mark of its own, of whose it is or that it is never to be deleted: it
/// shares that object's.
fn parts_stay_with_their_wholes(native: &TaskGraph) -> Result<()> {
    let is_retained = |task: &Task| task.lifecycle == Lifecycle::Retained;
    for task in native.tasks() {
        let Some((_, whole)) = PARTS.iter().find(|(part, _)| *part == task.key.kind()) else { continue };
        if matches!(task.lifecycle, Lifecycle::Shared { .. }) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("it is inside a {whole} and cannot be shared by itself"),
            )
            .task(&task.key)
            .hint(format!("share the {whole}")));
        }
        if !is_retained(task) {
            continue;
        }
        let stays = |edge: &Edge| edge.on.kind() == *whole && native.get(&edge.on).is_some_and(is_retained);
        if !task.edges.iter().any(stays) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("it is inside a {whole} that is not retained"),
            )
            .task(&task.key)
            .hint(format!("retain the {whole} as well")));
        }
    }
    Ok(())
}

/// The task with its references pointing to native tasks.
fn redirected(task: &Task) -> Task {
    Task { spec: task.spec.map_outputs(&redirect), ..task.clone() }
}

fn redirect(output: OutputRef) -> OutputRef {
    let Some(entry) = entry_of(output.task.kind()) else { return output };
    let name = entry.outputs.iter().find(|(agnostic, _)| *agnostic == output.output);
    OutputRef {
        task: Key::new(entry.native, output.task.name()),
        output: name.map_or(output.output, |(_, native)| (*native).to_owned()),
        wait: output.wait,
    }
}

/// The key of the task that stands for a task.
fn counterpart(key: &Key) -> Key {
    entry_of(key.kind()).map_or_else(|| key.clone(), |entry| Key::new(entry.native, key.name()))
}

/// One error of many.
fn together(mut problems: Vec<Error>) -> Error {
    if problems.len() == 1 {
        return problems.remove(0);
    }
    let same = |kind| problems.iter().all(|it| it.kind() == kind);
    let kind = if same(ErrorKind::Unsupported) { ErrorKind::Unsupported } else { ErrorKind::Invalid };
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    Error::new(kind, format!("{} problems:\n  {}", told.len(), told.join("\n  ")))
}

/// A graph on its way to native tasks.
pub(crate) struct Lowering<'a> {
    /// The tasks of the graph, their references redirected.
    tasks: &'a [Task],
    /// Whose objects they will be.
    pub(crate) scope: &'a Scope,
    /// The region.
    pub(crate) region: &'a str,
    native: GraphBuilder,
    /// Of the task that is being lowered.
    lifecycle: Lifecycle,
}

impl Lowering<'_> {
    fn task(&mut self, task: &Task, native_kinds: &HashSet<&str>) -> Result<()> {
        self.lifecycle = task.lifecycle.clone();
        match entry_of(task.key.kind()) {
            Some(entry) if matches!(task.lifecycle, Lifecycle::Shared { .. }) => {
                self.native.insert(Task {
                    key: Key::new(entry.native, task.key.name()),
                    spec: Document::default(),
                    lifecycle: task.lifecycle.clone(),
                    edges: Vec::new(),
                });
                Ok(())
            }
            Some(entry) => (entry.lower)(task, self),
            None if native_kinds.contains(task.key.kind()) => {
                self.native.insert(Task { edges: Vec::new(), ..task.clone() });
                Ok(())
            }
            None => Err(Error::new(
                ErrorKind::Unsupported,
                format!("AWS has no objects of the kind {}", task.key.kind()),
            )),
        }
    }

    /// Adds a task, with the lifecycle of the one that is being lowered.
    pub(crate) fn add<R: Resource>(&mut self, name: &str, spec: R) -> Handle<R> {
        self.native.add_as(name, spec, self.lifecycle.clone())
    }

    /// Adds a task that several agnostic ones need, unless one of them has done so already; it is retained if
    /// one of them is.
    pub(crate) fn add_once<R: Resource>(&mut self, name: &str, spec: R) -> Handle<R> {
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
    pub(crate) fn after<A: Resource, B: Resource>(&mut self, later: &Handle<A>, earlier: &Handle<B>) {
        self.native.after(later, earlier);
    }

    /// The tasks of an agnostic kind that are not shared, with their specifications.
    pub(crate) fn specs<A: Lowered>(&self) -> Result<Vec<(&str, A)>> {
        let managed =
            |task: &&Task| task.key.kind() == A::KIND && !matches!(task.lifecycle, Lifecycle::Shared { .. });
        self.tasks.iter().filter(managed).map(|task| Ok((task.key.name(), task.spec_as()?))).collect()
    }

    /// Whether a reference points to the object that stands for the task `name`.
    pub(crate) fn is_for<A: Lowered>(id: &Input<Id<A>>, name: &str) -> bool {
        matches!(id, Input::Output(output) if output.task == Key::new(A::Native::KIND, name))
    }

    /// Whether the object of an agnostic kind that a reference points to is somebody else's.
    pub(crate) fn is_shared<A: Lowered>(&self, id: &Input<Id<A>>) -> bool {
        let Input::Output(output) = id else { return true };
        let task =
            self.tasks.iter().find(|it| it.key.kind() == A::KIND && it.key.name() == output.task.name());
        task.is_none_or(|task| matches!(task.lifecycle, Lifecycle::Shared { .. }))
    }

    /// A zone of the region: it is looked up, so that a misspelt one is found before anything is made.
    pub(crate) fn zone(&mut self, name: &str) -> Input<Id<AvailabilityZone>> {
        self.looked_up::<AvailabilityZone>(name).id()
    }

    /// A machine image, by identifier or `owner/name`.
    pub(crate) fn image(&mut self, name: &str) -> Handle<Image> {
        self.looked_up(name)
    }

    /// A machine type of the region.
    pub(crate) fn instance_type(&mut self, name: &str) -> Handle<InstanceType> {
        self.looked_up(name)
    }

    fn looked_up<R: Resource>(&mut self, name: &str) -> Handle<R> {
        let handle = Handle::named(name);
        if self.native.contains(handle.key()) { handle } else { self.native.share(name, name) }
    }

    /// Tags beyond those of ownership: the scope's labels and these.
    pub(crate) fn tags<'t>(&self, more: impl IntoIterator<Item = (&'t str, &'t str)>) -> Tags {
        let mut tags: BTreeMap<_, _> = self.scope.extra_labels().clone();
        tags.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())));
        tags
    }

    /// Carries the edges over that were declared beside references.
    fn carry_over(&mut self, graph: &TaskGraph) {
        for task in graph.tasks() {
            let referred: HashSet<Key> = task.spec.outputs().into_iter().map(|output| output.task).collect();
            for edge in task.edges.iter().filter(|edge| !referred.contains(&edge.on)) {
                let edge = Edge { on: counterpart(&edge.on), wait: edge.wait };
                self.native.wait(&counterpart(&task.key), edge);
            }
        }
    }
}

#[cfg(test)]
mod tests;
