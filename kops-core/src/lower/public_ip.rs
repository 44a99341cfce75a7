//! The public addresses of instances, which are alike on all clouds.

use std::collections::BTreeMap;

use crate::Error;
#[cfg(feature = "testing")]
use crate::Result;
use crate::graph::{Id, Input, Key, OutputRef, TaskGraph};
use crate::resource::{Address, Instance, Resource as _};

/// The output of an instance's own address, if the output is the public address of an instance that has one: it is
/// known before the instance exists, and stays when the instance is replaced.
pub(super) fn source(output: &OutputRef, graph: &TaskGraph) -> Option<OutputRef> {
    match instance(output, graph)?.address? {
        Input::Output(address) => Some(OutputRef { output: Address::IP.name().to_owned(), ..address }),
        _ => None,
    }
}

/// The [`source`] of an output, or the output itself.
#[cfg(feature = "testing")]
pub(crate) fn source_or_itself(output: OutputRef, graph: &TaskGraph) -> OutputRef {
    source(&output, graph).unwrap_or(output)
}

/// # Errors
/// `Invalid` with all [`problems`].
#[cfg(feature = "testing")]
pub(crate) fn check(graph: &TaskGraph) -> Result<()> {
    let problems = problems(graph);
    if problems.is_empty() { Ok(()) } else { Err(Error::from_many(problems)) }
}

/// The errors of tasks that refer to a public address that its instance does not have, and of instances that have the
/// address of another one.
pub(super) fn problems(graph: &TaskGraph) -> Vec<Error> {
    let mut problems = missing(graph);
    let mut holders: BTreeMap<Input<Id<Address>>, &Key> = BTreeMap::new();
    let instances = graph.tasks().filter(|task| task.key.kind() == Instance::KIND && !task.is_shared());
    for task in instances {
        let Some(address) = task.spec_as::<Instance>().ok().and_then(|instance| instance.address) else {
            continue;
        };
        if let Some(other) = holders.insert(address, &task.key) {
            let message = format!("its address is that of {other}, too");
            problems.push(
                Error::invalid(message).with_task(&task.key).with_hint("add an address for each instance"),
            );
        }
    }
    problems
}

fn missing(graph: &TaskGraph) -> Vec<Error> {
    let has_none = |output: &OutputRef| {
        instance(output, graph).is_some_and(|it| it.address.is_none() && it.options.public_ip != Some(true))
    };
    let missing = graph.tasks().filter_map(|task| {
        let output = task.spec.outputs().into_iter().find(has_none)?;
        let message = format!("{output} has no value: {} has no public address", output.task);
        Some(
            Error::invalid(message)
                .with_task(&task.key)
                .with_hint("set Instance::address, or MachineOptions::public_ip"),
        )
    });
    missing.collect()
}

/// The instance whose public address an output is.
fn instance(output: &OutputRef, graph: &TaskGraph) -> Option<Instance> {
    if output.task.kind() != Instance::KIND || output.output != Instance::PUBLIC_IP.name() {
        return None;
    }
    // A shared instance has no specification.
    graph.get(&output.task)?.spec_as().ok()
}
