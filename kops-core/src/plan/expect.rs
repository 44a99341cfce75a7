//! Comparing shared objects with what the graph relies on.

use std::collections::HashMap;

use crate::cloud::Observed;
use crate::graph::{Expectation, Key, Task, TaskGraph, has_unknown, plain};
use crate::{Error, ErrorKind};

use super::make::Known;

/// A problem for each shared object that is not what the graph relies on. Objects that were not found are reported
/// elsewhere.
pub(super) fn unmet(graph: &TaskGraph, outputs: &HashMap<Key, Known<'_>>) -> Vec<Error> {
    let mut problems = Vec::new();
    for task in graph.tasks().filter(|task| !task.options.expectations.is_empty()) {
        let Some(known) = outputs.get(&task.key) else { continue };
        let lookup = |key: &str, output: &str| outputs.get(key)?.get(output);
        for expectation in &task.options.expectations {
            let wanted = expectation.map(|value| value.substitute(&lookup));
            problems.extend(problem(graph, task, known.object(), &wanted));
        }
    }
    problems
}

fn problem(graph: &TaskGraph, task: &Task, observed: &Observed, wanted: &Expectation) -> Option<Error> {
    let object = &observed.object;
    let actual = object.spec.get(&wanted.fact).or_else(|| object.outputs.value(&wanted.fact))?;
    let unknown = wanted.value().is_some_and(|value| has_unknown(value.as_value()));
    if unknown && wanted.value().is_some_and(|value| only_shared(graph, value)) {
        // What it is compared with was not found.
        return None;
    }
    if !unknown && wanted.requirement.is_met_by(actual) {
        return None;
    }
    let fact = wanted.fact.replace('_', " ");
    let message = format!(
        "the {fact} of {} is {}, but {} is {}",
        object.id,
        plain(actual),
        wanted.source,
        wanted.requirement.text()
    );
    let hint = wanted.hint.as_deref().unwrap_or("change one of the two");
    Some(Error::new(ErrorKind::Invalid, message).with_task(&task.key).with_hint(hint))
}

fn only_shared(graph: &TaskGraph, value: &crate::graph::Document) -> bool {
    let shared = |key: &Key| graph.get(key).is_some_and(Task::is_shared);
    value.outputs().iter().all(|output| shared(&output.task))
}
