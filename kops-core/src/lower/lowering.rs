//! A lowering in progress, used by a provider's `lower` functions.

use std::collections::{HashMap, HashSet};

use super::{Lowered, Lowerings, public_ip};
use crate::cloud::Scope;
use crate::graph::{
    Document, Edge, Expectation, GraphBuilder, Handle, Id, Input, Key, Lifecycle, Requirement, Task,
    TaskGraph,
};
use crate::resource::{Firewall, FirewallRules, Resource};
use crate::{Error, ErrorKind, Result};

/// The state of lowering a graph.
pub struct Lowering<'a, P: 'static> {
    lowerings: &'a Lowerings<P>,
    /// The tasks of the graph, with their references converted.
    tasks: &'a [Task],
    scope: &'a Scope,
    provider: &'a P,
    native: GraphBuilder,
    /// The task that is being lowered.
    origin: Option<Key>,
    /// Its lifecycle.
    lifecycle: Lifecycle,
    /// The agnostic tasks from which each native task was lowered.
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

    /// The native graph, and the agnostic tasks of `graph` from which each of its tasks was lowered.
    pub(super) fn finish(mut self, graph: &TaskGraph) -> Result<(TaskGraph, HashMap<Key, Vec<Key>>)> {
        self.carry_over(graph);
        Ok((self.native.build()?, self.origins))
    }

    /// Whether a native task represents the one that is being lowered.
    fn stands_for_origin(&self, native: &Key) -> bool {
        self.origin.as_ref().is_some_and(|origin| self.lowerings.counterpart(origin) == *native)
    }

    /// Records that a native task belongs to the task that is being lowered.
    fn made(&mut self, native: &Key) {
        let origins = self.origins.entry(native.clone()).or_default();
        if let Some(origin) = &self.origin
            && !origins.contains(origin)
        {
            origins.push(origin.clone());
        }
    }

    /// The scope of the graph.
    pub fn scope(&self) -> &'a Scope {
        self.scope
    }

    /// The provider's data.
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
                let mut shared = Task::new(key, Document::default(), task.lifecycle.clone());
                shared.options.expectations = Lowerings::expectations(task, entry);
                shared.options.alternatives.clone_from(&task.options.alternatives);
                shared.options.named_by.clone_from(&task.options.named_by);
                self.native.insert(shared);
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
                format!("{} does not support objects of kind {}", self.lowerings.cloud, task.key.kind()),
            )),
        }
    }

    /// Adds a task, with the lifecycle of the one that is being lowered.
    pub fn add<R: Resource>(&mut self, name: &str, spec: R) -> Handle<R> {
        let handle = Handle::<R>::named(name);
        let lifecycle = match &self.lifecycle {
            // The selector is for the object that represents the task; additional ones are created.
            Lifecycle::Adopted { .. } if !self.stands_for_origin(handle.key()) => Lifecycle::Managed,
            lifecycle => lifecycle.clone(),
        };
        self.made(handle.key());
        self.native.add_as(name, spec, lifecycle)
    }

    /// Adds a task that several agnostic ones need, unless it was added already; it is retained if one of them is.
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

    /// Makes one native task wait for another of which it uses no output.
    pub fn after<A: Resource, B: Resource>(&mut self, later: &Handle<A>, earlier: &Handle<B>) {
        self.native.after(later, earlier);
    }

    /// The tasks of an agnostic kind, except shared ones, with their specifications.
    pub fn specs<A: Lowered<P>>(&self) -> Result<Vec<(&'a str, A)>> {
        let managed =
            |task: &&Task| task.key.kind() == A::KIND && !matches!(task.lifecycle, Lifecycle::Shared { .. });
        self.tasks.iter().filter(managed).map(|task| Ok((task.key.name(), task.spec_as()?))).collect()
    }

    /// Whether a reference is to the object of the task `name`.
    pub fn is_for<A: Lowered<P>>(id: &Input<Id<A>>, name: &str) -> bool {
        matches!(id, Input::Output(output) if output.task == Key::new(A::Native::KIND, name))
    }

    /// The selector of the shared agnostic object that a reference points to; `None` if the graph manages it.
    pub fn selector<A: Lowered<P>>(&self, id: &Input<Id<A>>) -> Option<&str> {
        let Input::Output(output) = id else { return None };
        let is_it = |task: &&Task| task.key.kind() == A::KIND && task.key.name() == output.task.name();
        match &self.tasks.iter().find(is_it)?.lifecycle {
            Lifecycle::Shared { selector } => Some(selector),
            _ => None,
        }
    }

    /// Whether the agnostic object that a reference points to is shared.
    pub fn is_shared<A: Lowered<P>>(&self, id: &Input<Id<A>>) -> bool {
        let Input::Output(output) = id else { return true };
        let task =
            self.tasks.iter().find(|it| it.key.kind() == A::KIND && it.key.name() == output.task.name());
        task.is_none_or(|task| matches!(task.lifecycle, Lifecycle::Shared { .. }))
    }

    /// The text that a fact about the shared agnostic object of a reference must be, if the graph says so: planning
    /// makes sure that it is.
    pub fn expected<A: Lowered<P>>(&self, id: &Input<Id<A>>, fact: &str) -> Option<&'a str> {
        let Input::Output(output) = id else { return None };
        let is_it = |task: &&Task| task.key.kind() == A::KIND && task.key.name() == output.task.name();
        let task = self.tasks.iter().find(is_it)?;
        match &task.options.expectations.iter().find(|it| it.fact == fact)?.requirement {
            Requirement::Is(value) => value.as_value().as_str(),
            _ => None,
        }
    }

    /// The firewall that rules belong to.
    ///
    /// # Errors
    /// `Unsupported` if it is shared: the owner of a rule is that of its group.
    pub fn firewall_of(&self, rules: &FirewallRules) -> Result<(&'a str, Firewall)>
    where
        Firewall: Lowered<P>,
    {
        let own = self.specs::<Firewall>()?.into_iter().find(|(name, _)| Self::is_for(&rules.firewall, name));
        own.ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "rules cannot be added to a shared firewall")
                .with_hint("add the rules to a separate firewall, and the machines to both")
        })
    }

    /// Adds an object that is looked up by name, so that a wrong name is reported before anything is created.
    pub fn looked_up<R: Resource>(&mut self, name: &str) -> Handle<R> {
        let handle = Handle::named(name);
        self.made(handle.key());
        if self.native.contains(handle.key()) { handle } else { self.native.share(name, name) }
    }

    /// [`looked_up`](Self::looked_up), with what names the object, for the message if it does not exist.
    pub fn looked_up_for<R: Resource>(&mut self, name: &str, named_by: &str) -> Handle<R> {
        let handle = self.looked_up(name);
        self.native.named_by(&handle, named_by);
        handle
    }

    /// Declares a fact about a shared object that is compared when planning.
    pub fn expect<R: Resource>(&mut self, object: &Handle<R>, expectation: Expectation) {
        self.native.expect(object, expectation);
    }

    /// The names of the tasks of an agnostic kind, including shared ones.
    pub fn names<A: Lowered<P>>(&self) -> Vec<&'a str> {
        self.tasks.iter().filter(|task| task.key.kind() == A::KIND).map(|task| task.key.name()).collect()
    }

    /// Copies edges that were added without references; tasks without native tasks need no waiting.
    fn carry_over(&mut self, graph: &TaskGraph) {
        for task in graph.tasks().filter(|task| !self.lowerings.is_implicit(&task.key)) {
            // An output that is had elsewhere is no edge to the task that was referred to.
            let outputs = task.spec.outputs().into_iter();
            let here = outputs.filter(|output| public_ip::source(output, graph).is_none());
            let referred: HashSet<Key> = here.map(|output| output.task).collect();
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
