//! References to outputs that do not exist, found before anything is changed.

use std::collections::HashMap;

use crate::Error;
use crate::cloud::Cloud;
use crate::graph::{TaskGraph, no_such_output};

/// A problem for each reference to an output that its kind does not have.
pub(super) fn missing(cloud: &dyn Cloud, graph: &TaskGraph) -> Vec<Error> {
    let known: HashMap<_, _> =
        cloud.handlers().iter().map(|handler| (handler.kind(), handler.outputs())).collect();
    let mut problems = Vec::new();
    for task in graph.tasks().filter(|task| !task.edges.is_empty()) {
        for output in task.spec.outputs() {
            // A kind without a handler is reported separately.
            let Some(known) = known.get(output.task.kind()) else { continue };
            problems.extend(no_such_output(&task.key, &output, known));
        }
    }
    problems
}
