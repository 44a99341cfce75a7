//! Limits of OpenStack, checked on the native tasks before anything is created.

use kops_core::graph::TaskGraph;
use kops_core::{Error, Result};
use serde_json::Value;

/// The maximum length of a tag of Networking and of load balancing: <https://docs.openstack.org/api-ref/network/v2/#tags>.
const LONGEST_TAG: usize = 255;
/// The maximum length of a value of metadata: <https://docs.openstack.org/api-ref/compute/#create-server>.
const LONGEST_VALUE: usize = 255;

/// Rejects what the services would reject.
///
/// # Errors
/// `Invalid`, everything at once.
pub(super) fn check(graph: &TaskGraph) -> Result<()> {
    let mut problems = Vec::new();
    for task in graph.tasks().filter(|task| !task.is_shared()) {
        let of = |member: &str| task.spec.get(member).and_then(Value::as_object).into_iter().flatten();
        let text = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
        for (key, value) in of("tags") {
            // Written as one text, `key=value`.
            if key.chars().count() + 1 + text(value) > LONGEST_TAG {
                let error = format!("the label {key} with its value has more than {LONGEST_TAG} characters");
                problems
                    .push(Error::invalid(error).with_task(&task.key).with_hint("shorten it in cloudLabels"));
            } else if key.contains(',') || value.as_str().is_some_and(|value| value.contains(',')) {
                let error = format!("the label {key} has a comma, which tags on OpenStack cannot have");
                problems
                    .push(Error::invalid(error).with_task(&task.key).with_hint("change it in cloudLabels"));
            }
        }
        for (key, value) in of("metadata") {
            if key.chars().count() > LONGEST_VALUE || text(value) > LONGEST_VALUE {
                let error =
                    format!("the label {key} has a name or a value of more than {LONGEST_VALUE} characters");
                problems
                    .push(Error::invalid(error).with_task(&task.key).with_hint("shorten it in cloudLabels"));
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::from_many(problems)) }
}
