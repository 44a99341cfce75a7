//! Building and checking a graph.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};
use std::marker::PhantomData;

use super::document::false_mark;
use super::key::is_kind;
use super::resource::{Output, Resource};
use super::{
    Document, Edge, Expectation, Id, Input, Key, Lifecycle, OutputRef, Task, TaskGraph, TaskOptions, Wait,
    no_such_output, outputs_in,
};
use crate::{Error, Result};

/// Collects tasks; [`build`](Self::build) checks them.
#[derive(Debug, Default)]
pub struct GraphBuilder {
    tasks: Vec<Task>,
    index: HashMap<Key, usize>,
    /// The outputs of the kinds of tasks that were added by type.
    outputs: HashMap<&'static str, &'static [&'static str]>,
    /// Invalid kind names.
    kinds: BTreeSet<String>,
    problems: Vec<Error>,
}

/// A handle to a task of a graph, which provides typed references to its outputs.
#[derive(Debug)]
pub struct Handle<R> {
    key: Key,
    wait: Wait,
    kind: PhantomData<fn() -> R>,
}

impl<R> Clone for Handle<R> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), wait: self.wait, kind: PhantomData }
    }
}

impl<R: Resource> Handle<R> {
    /// A handle to the task `name`, which need not exist yet: [`GraphBuilder::build`] checks that it does.
    pub fn named(name: &str) -> Self {
        Self { key: Key::new(R::KIND, name), wait: Wait::Created, kind: PhantomData }
    }

    /// The task's key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The same task; references to its outputs wait until the object is ready, not merely created.
    pub fn ready(&self) -> Self {
        Self { wait: Wait::Ready, ..self.clone() }
    }

    /// The identifier of the task's object.
    pub fn id(&self) -> Input<Id<R>> {
        self.get(Output::ID)
    }

    /// An output of the task's object.
    pub fn get<T>(&self, output: Output<R, T>) -> Input<T> {
        Input::Output(OutputRef { task: self.key.clone(), output: output.name().to_owned(), wait: self.wait })
    }
}

impl GraphBuilder {
    /// Adds a managed task.
    pub fn add<R: Resource>(&mut self, name: &str, spec: R) -> Handle<R> {
        self.add_as(name, spec, Lifecycle::Managed)
    }

    /// Adds a task with the given lifecycle. A shared object, which has no specification, is added with
    /// [`share`](Self::share).
    #[expect(clippy::needless_pass_by_value, reason = "the graph takes the specification over")]
    pub fn add_as<R: Resource>(&mut self, name: &str, spec: R, lifecycle: Lifecycle) -> Handle<R> {
        let handle = Handle::named(name);
        self.require_kind(R::KIND);
        self.outputs.insert(R::KIND, R::OUTPUTS);
        match Document::of(&spec) {
            Ok(spec) => self.insert(Task::new(handle.key.clone(), spec, lifecycle)),
            Err(error) => self.reject(&handle.key, error.message()),
        }
        handle
    }

    /// Adds a shared object: it exists already, belongs to someone else, and is found by `selector`.
    pub fn share<R: Resource>(&mut self, name: &str, selector: impl Into<String>) -> Handle<R> {
        let handle = Handle::named(name);
        self.require_kind(R::KIND);
        self.outputs.insert(R::KIND, R::OUTPUTS);
        let lifecycle = Lifecycle::Shared { selector: selector.into() };
        self.insert(Task::new(handle.key.clone(), Document::default(), lifecycle));
        handle
    }

    /// Adds a shared object that is found by the first of several selectors that matches one: the zone of a domain, or
    /// else that of its parent.
    pub fn share_first<R: Resource>(
        &mut self,
        name: &str,
        selectors: impl IntoIterator<Item = String>,
    ) -> Handle<R> {
        let mut selectors = selectors.into_iter();
        let handle = self.share(name, selectors.next().unwrap_or_default());
        self.option(&handle.key, |options| options.alternatives = selectors.collect());
        handle
    }

    /// Adds an object that exists already, found by `selector`, and is managed from now on. See
    /// [`Lifecycle::Adopted`].
    pub fn adopt<R: Resource>(&mut self, name: &str, spec: R, selector: impl Into<String>) -> Handle<R> {
        self.add_as(name, spec, Lifecycle::Adopted { selector: selector.into() })
    }

    /// Declares the previous name of a task: an object created under that name is kept and marked with the new one.
    /// Kinds whose objects cannot be marked again are rejected when planning. After the plan is applied, the
    /// declaration can be removed.
    pub fn renamed<R: Resource>(&mut self, task: &Handle<R>, from: &str) {
        self.option(&task.key, |options| options.former_name = Some(from.to_owned()));
    }

    /// Ignores a field of a task's specification once the object exists: it is set on creation, and not compared
    /// afterwards.
    pub fn ignore<R: Resource>(&mut self, task: &Handle<R>, member: &str) {
        self.option(&task.key, |options| options.ignored.extend([member.to_owned()]));
    }

    /// Declares a fact about a shared object that the graph relies on: it is compared when planning, and the plan is
    /// rejected if it differs.
    pub fn expect<R: Resource>(&mut self, object: &Handle<R>, expectation: Expectation) {
        self.option(&object.key, |options| {
            // Several tasks may rely on the same fact for the same reason.
            if !options.expectations.contains(&expectation) {
                options.expectations.push(expectation);
            }
        });
    }

    /// Sets what names a shared object, such as a field of a specification: the message says so if it does not exist.
    pub fn named_by<R: Resource>(&mut self, object: &Handle<R>, what: impl Into<String>) {
        self.option(&object.key, |options| options.named_by = Some(what.into()));
    }

    fn option(&mut self, key: &Key, change: impl FnOnce(&mut TaskOptions)) {
        match self.index.get(key) {
            Some(&position) => change(&mut self.tasks[position].options),
            None => self.reject(key, "there is no such task"),
        }
    }

    /// Adds a task as a document; for lowerings that keep tasks as they are.
    pub fn insert(&mut self, task: Task) {
        self.require_kind(task.key.kind());
        if task.key.name().is_empty() {
            self.reject(&task.key, "a task needs a name");
        }
        if self.index.contains_key(&task.key) {
            self.reject(&task.key, "two tasks have this key");
            return;
        }
        self.index.insert(task.key.clone(), self.tasks.len());
        self.tasks.push(task);
    }

    fn reject(&mut self, task: &Key, message: impl Into<String>) {
        self.problems.push(problem(task, message));
    }

    /// Kind names with a slash would be split wrongly in keys.
    fn require_kind(&mut self, kind: &str) {
        if !is_kind(kind) {
            self.kinds.insert(kind.to_owned());
        }
    }

    /// Whether a task of this key has been added.
    pub fn contains(&self, key: &Key) -> bool {
        self.index.contains_key(key)
    }

    /// Sets the lifecycle of a task; for lowerings that convert one task to several.
    pub fn set_lifecycle(&mut self, key: &Key, lifecycle: Lifecycle) {
        match self.index.get(key) {
            Some(&position) => self.tasks[position].lifecycle = lifecycle,
            None => self.reject(key, format!("there is no such task to set to {lifecycle:?}")),
        }
    }

    /// Makes `later` wait for `earlier`, of which it uses no output.
    pub fn after<A: Resource, B: Resource>(&mut self, later: &Handle<A>, earlier: &Handle<B>) {
        self.wait(&later.key, Edge { on: earlier.key.clone(), wait: earlier.wait });
    }

    /// Like [`after`](Self::after), without types; for lowerings that copy edges.
    pub fn wait(&mut self, later: &Key, edge: Edge) {
        match self.index.get(later) {
            Some(&position) => self.tasks[position].edges.push(edge),
            None => self.reject(later, format!("there is no such task to wait for {}", edge.on)),
        }
    }

    /// Checks the graph: kinds are in UpperCamelCase, keys are unique, references point to existing tasks and
    /// outputs, and there is no cycle.
    ///
    /// # Errors
    /// `Invalid`, with every problem and the tasks concerned.
    pub fn build(mut self) -> Result<TaskGraph> {
        for task in &mut self.tasks {
            let mut outputs = Vec::new();
            outputs_in(task.spec.as_value(), &mut outputs);
            self.problems.extend(outputs.iter().filter_map(|output| {
                no_such_output(&task.key, output, self.outputs.get(output.task.kind())?)
            }));
            let declared = std::mem::take(&mut task.edges);
            let taken = outputs.into_iter().map(|output| Edge { on: output.task, wait: output.wait });
            let mut seen = HashSet::new();
            task.edges = taken.chain(declared).filter(|edge| seen.insert(edge.clone())).collect();
        }
        let ill = self.kinds.iter();
        self.problems.extend(ill.map(|kind| {
            Error::invalid(format!(
                "{kind:?} is not the name of a kind: ASCII letters and digits, in UpperCamelCase"
            ))
        }));
        for task in &self.tasks {
            if task.is_shared() && !task.spec.is_null() {
                self.problems.push(problem(
                    &task.key,
                    "it is shared and has a specification, which it cannot be held to: add it with `share`",
                ));
            }
            if !task.is_shared() && !task.options.expectations.is_empty() {
                self.problems.push(problem(
                    &task.key,
                    "it is not shared: its specification says what it is, not `expect`",
                ));
            }
            let values = task.options.expectations.iter().filter_map(Expectation::value);
            let unknown = values.flat_map(Document::outputs).filter(|it| !self.index.contains_key(&it.task));
            self.problems.extend(unknown.map(|it| {
                problem(&task.key, format!("it is compared with {}, which is not in the graph", it.task))
            }));
            if let Some(name) = false_mark(task.spec.as_value()) {
                self.problems.push(problem(&task.key, format!("no member may be called {name:?}")));
            }
            for edge in task.edges.iter().filter(|edge| !self.index.contains_key(&edge.on)) {
                let message = format!("it refers to {}, which is not in the graph", edge.on);
                self.problems.push(problem(&task.key, message));
            }
        }
        for task in &self.tasks {
            let Some(former) = &task.options.former_name else { continue };
            let former = Key::new(task.key.kind(), former);
            if self.index.contains_key(&former) {
                let message = format!("it was {former}, which is in the graph, too");
                self.problems.push(problem(&task.key, message));
            }
        }
        if self.problems.is_empty() {
            match self.order() {
                Ok(order) => return Ok(self.in_order(&order)),
                Err(cycle) => {
                    self.problems.push(Error::invalid(format!("tasks need each other: {cycle}")));
                }
            }
        }
        Err(Error::from_many(self.problems))
    }

    fn in_order(self, order: &[usize]) -> TaskGraph {
        let mut tasks: Vec<_> = self.tasks.into_iter().map(Some).collect();
        let tasks: Vec<Task> = order.iter().filter_map(|&position| tasks[position].take()).collect();
        let index = tasks.iter().enumerate().map(|(position, task)| (task.key.clone(), position)).collect();
        TaskGraph { tasks, index }
    }

    /// Kahn's algorithm, earliest added first; the remaining nodes contain a cycle.
    fn order(&self) -> Result<Vec<usize>, String> {
        let needs: Vec<Vec<usize>> = self
            .tasks
            .iter()
            .map(|task| task.edges.iter().filter_map(|edge| self.index.get(&edge.on).copied()).collect())
            .collect();
        sort(&needs).map_err(|cycle| {
            let names: Vec<_> = cycle.iter().map(|&position| self.tasks[position].key.as_str()).collect();
            names.join(" → ")
        })
    }
}

fn problem(task: &Key, message: impl Into<String>) -> Error {
    Error::invalid(message).with_task(task)
}

/// A topological order of the nodes `0..needs.len()`, lowest number first.
///
/// # Errors
/// The nodes of a cycle, each depending on the next, with the first repeated at the end.
pub(crate) fn sort(needs: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut waiting: Vec<usize> = vec![0; needs.len()];
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    for (node, needs) in needs.iter().enumerate() {
        waiting[node] = needs.len();
        for &need in needs {
            needed_by[need].push(node);
        }
    }
    let mut free: BinaryHeap<Reverse<usize>> =
        waiting.iter().enumerate().filter(|(_, count)| **count == 0).map(|(node, _)| Reverse(node)).collect();
    let mut order = Vec::with_capacity(needs.len());
    while let Some(Reverse(node)) = free.pop() {
        order.push(node);
        for &next in &needed_by[node] {
            waiting[next] -= 1;
            if waiting[next] == 0 {
                free.push(Reverse(next));
            }
        }
    }
    if order.len() == needs.len() { Ok(order) } else { Err(cycle(needs, &waiting)) }
}

/// Follows dependencies among the remaining nodes until one repeats.
fn cycle(needs: &[Vec<usize>], waiting: &[usize]) -> Vec<usize> {
    let mut path: Vec<usize> = Vec::new();
    let mut place = HashMap::new();
    let mut next = waiting.iter().position(|count| *count > 0);
    while let Some(node) = next {
        if let Some(&start) = place.get(&node) {
            path.push(node);
            return path.split_off(start);
        }
        place.insert(node, path.len());
        path.push(node);
        next = needs[node].iter().copied().find(|need| waiting[*need] > 0);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Address, InternetGateway, Network, Subnet};

    fn subnet(network: Input<Id<Network>>) -> Subnet {
        Subnet::new(network, "10.0.0.0/24".parse().unwrap()).zone("a")
    }

    #[test]
    fn a_dangling_reference_names_both_tasks() {
        let mut graph = TaskGraph::builder();
        graph.add("a", subnet(Handle::named("gone").id()));
        let error = graph.build().unwrap_err().to_string();
        assert_eq!(error, "Subnet/a: it refers to Network/gone, which is not in the graph");
    }

    #[test]
    fn an_output_that_does_not_exist_is_told_with_what_there_is() {
        let mut graph = TaskGraph::builder();
        let network = graph.add("n", Network::default());
        let address = graph.add("a", Address::new());
        graph.add("s", subnet(network.get(Output::new("nope"))));
        graph.add("key", SshKeyOf { ip: address.get(Output::new("Ipp")) });
        let error = graph.build().unwrap_err().to_string();
        let nope = "Subnet/s: it refers to ${Network/n.nope}, but Network has no output \"nope\": it has id";
        let near = "SshKeyOf/key: it refers to ${Address/a.Ipp}, but Address has no output \"Ipp\": it has id, \
                    ip; did you mean \"ip\"?";
        assert_eq!(error, format!("2 problems:\n  {nope}\n  {near}"));
    }

    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct SshKeyOf {
        ip: Input<String>,
    }

    impl Resource for SshKeyOf {
        const KIND: &'static str = "SshKeyOf";
        type Resolved = Self;
    }

    #[test]
    fn duplicates_and_dangling_references_are_told_together() {
        let mut graph = TaskGraph::builder();
        graph.add("n", Network::default());
        graph.add("n", Network::default());
        graph.add("a", subnet(Handle::named("gone").id()));
        let error = graph.build().unwrap_err();
        let tasks: Vec<_> = error.errors().iter().map(|it| it.task().unwrap_or_default()).collect();
        assert_eq!(tasks, ["Network/n", "Subnet/a"]);
        let error = error.to_string();
        assert!(error.contains("Network/n: two tasks have this key"), "{error}");
        assert!(error.contains("Network/gone"), "{error}");
    }

    #[test]
    fn a_cycle_is_shown_as_a_path() {
        let mut graph = TaskGraph::builder();
        let network = graph.add("n", Network::default());
        let a = graph.add("a", subnet(network.id()));
        let gateway = graph.add("g", InternetGateway::new(network.id()));
        graph.after(&network, &gateway);
        graph.after(&a, &gateway);
        let error = graph.build().unwrap_err().to_string();
        assert!(error.ends_with("Network/n → InternetGateway/g → Network/n"), "{error}");
    }

    #[test]
    fn edges_say_what_they_wait_for() {
        let mut graph = TaskGraph::builder();
        let network = graph.add("n", Network::default());
        graph.add("a", subnet(network.ready().id()));
        let graph = graph.build().unwrap();
        let edges = &graph.get(&Key::new("Subnet", "a")).unwrap().edges;
        assert_eq!(*edges, [Edge { on: network.key().clone(), wait: Wait::Ready }]);
    }

    #[test]
    fn what_is_shared_has_no_specification() {
        let mut graph = TaskGraph::builder();
        let lifecycle = Lifecycle::Shared { selector: "vpc-1".to_owned() };
        graph.add_as("n", Network::default(), lifecycle);
        let error = graph.build().unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Invalid);
        let text = error.to_string();
        assert!(text.contains("Network/n") && text.contains("`share`"), "{text}");
    }

    #[test]
    fn only_what_is_shared_is_compared_and_with_tasks_of_the_graph() {
        let mut graph = TaskGraph::builder();
        let network = graph.add("n", Network::default());
        let theirs = graph.share::<Subnet>("theirs", "subnet-1");
        let gone = Handle::<Network>::named("gone").id();
        graph.expect(&network, Expectation::is("ipv6", &true, "x").unwrap());
        graph.expect(&theirs, Expectation::is("network", &gone, "x").unwrap());
        let error = graph.build().unwrap_err().to_string();
        assert!(error.contains("Network/n: it is not shared"), "{error}");
        assert!(error.contains("Subnet/theirs: it is compared with Network/gone"), "{error}");
    }

    #[test]
    fn kinds_are_checked_when_the_graph_is_built() {
        /// A kind whose name is a key of another.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        struct Odd;
        impl Resource for Odd {
            const KIND: &'static str = "Odd/kind";
            type Resolved = Self;
        }
        let mut graph = TaskGraph::builder();
        graph.add("x", Odd);
        graph.share::<Odd>("y", "z");
        let mut lower = |key| {
            graph.insert(Task::new(key, Document::default(), Lifecycle::Managed));
        };
        lower(Key::new("snake_case", "x"));
        lower(Key::new("", "x"));
        let error = graph.build().unwrap_err().to_string();
        for kind in ["\"Odd/kind\"", "\"snake_case\"", "\"\""] {
            assert_eq!(error.matches(kind).count(), 1, "{kind}: {error}");
        }
    }
}
