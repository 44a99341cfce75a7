//! One lowering under way: what a provider's `lower` functions work with.

use std::collections::{HashMap, HashSet};

use super::{Lowered, Lowerings};
use crate::cloud::Scope;
use crate::graph::{Document, Edge, GraphBuilder, Handle, Id, Input, Key, Lifecycle, Task, TaskGraph};
use crate::resource::{Firewall, FirewallRules, Resource};
use crate::{Error, ErrorKind, Result};

/// A graph on its way to native tasks.
pub struct Lowering<'a, P: 'static> {
    lowerings: &'a Lowerings<P>,
    /// The tasks of the graph, their references redirected.
    tasks: &'a [Task],
    scope: &'a Scope,
    provider: &'a P,
    native: GraphBuilder,
    /// The task that is being lowered.
    origin: Option<Key>,
    /// Its lifecycle.
    lifecycle: Lifecycle,
    /// For each native task, the tasks that it was made for.
    origins: HashMap<Key, Vec<Key>>,
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
    pub(super) fn new(
        lowerings: &'a Lowerings<P>,
        tasks: &'a [Task],
        scope: &'a Scope,
        provider: &'a P,
    ) -> Self {
        Self {
            lowerings,
            tasks,
            scope,
            provider,
            native: TaskGraph::builder(),
            origin: None,
            lifecycle: Lifecycle::Managed,
            origins: HashMap::new(),
        }
    }

    /// The native graph, and for each of its tasks the tasks of `graph` that it was made for.
    pub(super) fn finish(mut self, graph: &TaskGraph) -> Result<(TaskGraph, HashMap<Key, Vec<Key>>)> {
        self.carry_over(graph);
        Ok((self.native.build()?, self.origins))
    }

    /// Whether a native task stands for the one that is being lowered.
    fn stands_for_origin(&self, native: &Key) -> bool {
        self.origin.as_ref().is_some_and(|origin| self.lowerings.counterpart(origin) == *native)
    }

    /// Notes that a native task is there for the task that is being lowered.
    fn made(&mut self, native: &Key) {
        let origins = self.origins.entry(native.clone()).or_default();
        if let Some(origin) = &self.origin
            && !origins.contains(origin)
        {
            origins.push(origin.clone());
        }
    }

    /// Whose objects they will be.
    pub fn scope(&self) -> &'a Scope {
        self.scope
    }

    /// What the provider knows of its cloud.
    pub fn provider(&self) -> &'a P {
        self.provider
    }

    pub(super) fn task(&mut self, task: &Task, kinds: &HashSet<&str>) -> Result<()> {
        self.origin = Some(task.key.clone());
        self.lifecycle = task.lifecycle.clone();
        match self.lowerings.entry_of(task.key.kind()) {
            Some(entry) if matches!(task.lifecycle, Lifecycle::Shared { .. }) => {
                if entry.implicit {
                    return Ok(());
                }
                let key = Key::new(entry.native, task.key.name());
                self.made(&key);
                self.native.insert(Task::new(key, Document::default(), task.lifecycle.clone()));
                Ok(())
            }
            Some(entry) => (entry.lower)(task, self),
            None if kinds.contains(task.key.kind()) => {
                self.made(&task.key);
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
        let handle = Handle::<R>::named(name);
        let lifecycle = match &self.lifecycle {
            // The selector means the object that stands for the task; what is beside it is made.
            Lifecycle::Adopted { .. } if !self.stands_for_origin(handle.key()) => Lifecycle::Managed,
            lifecycle => lifecycle.clone(),
        };
        self.made(handle.key());
        self.native.add_as(name, spec, lifecycle)
    }

    /// Adds a task that several agnostic ones need, unless one of them has done so already; it is retained if
    /// one of them is.
    pub fn add_once<R: Resource>(&mut self, name: &str, spec: R) -> Handle<R> {
        let handle = Handle::named(name);
        self.made(handle.key());
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
        self.made(handle.key());
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
