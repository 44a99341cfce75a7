//! Limits of Google Cloud, checked on the native tasks before anything is created.

use std::collections::BTreeMap;

use kops_core::Result;
use kops_core::cloud::{Mark, Scope};
use kops_core::graph::TaskGraph;
use kops_core::resource::Resource;
use kops_core::{Error, ErrorKind};

use crate::kinds::service_account::LONGEST_MARK;
use crate::kinds::{InstanceTemplate, ServiceAccount};
use crate::labels;

/// The maximum number of labels of an object: <https://cloud.google.com/compute/docs/labeling-resources#restrictions>.
const MOST_LABELS: usize = 64;

/// Rejects what the service would reject.
///
/// # Errors
/// `Invalid`, everything at once.
pub(super) fn check(graph: &TaskGraph, scope: &Scope) -> Result<()> {
    let mut problems: Vec<Error> = different_keys(scope.extra_labels().keys()).err().into_iter().collect();
    for task in graph.tasks().filter(|task| !task.is_shared()) {
        let count = if task.key.kind() == <InstanceTemplate>::KIND {
            task.spec_as::<InstanceTemplate>()?.machine.labels.len()
        } else {
            task.spec.get("labels").and_then(|labels| labels.as_object()).map_or(0, serde_json::Map::len)
        };
        if count > MOST_LABELS {
            let error = Error::invalid(format!(
                "it would have {count} labels, but at most {MOST_LABELS} are allowed"
            ));
            problems.push(error.with_task(&task.key).with_hint("remove some of cloudLabels"));
        }
        if task.key.kind() == ServiceAccount::KIND {
            let mark = Mark::new(scope, task.key.name()).text().len();
            if mark > LONGEST_MARK {
                let error =
                    Error::invalid("the names of cluster and task are too long for a service account");
                problems.push(error.with_task(&task.key).with_hint("shorten the cluster's name"));
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::from_many(problems)) }
}

/// Rejects labels that become the same one in the cloud's format.
fn different_keys<'a>(keys: impl Iterator<Item = &'a String>) -> Result<()> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for key in keys {
        if let Some(other) = seen.insert(labels::key(key), key) {
            let error = format!(
                "the labels {other} and {key} are the same one on Google Cloud: {}",
                labels::key(key)
            );
            return Err(Error::new(ErrorKind::Invalid, error).with_hint("rename one of them in cloudLabels"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use kops_core::graph::GraphBuilder;
    use kops_core::resource::Volume;

    use super::*;

    fn told(labels: BTreeMap<String, String>, graph: GraphBuilder) -> Option<String> {
        let scope = Scope::new("ha.example.com").labels(labels);
        let site = super::super::Site { project: "p".to_owned(), region: "europe-west1".to_owned() };
        let graph = graph.build().unwrap();
        super::super::lower(&graph, &scope, &site, &std::collections::HashSet::new())
            .err()
            .map(|it| it.to_string())
    }

    fn disk() -> GraphBuilder {
        let mut graph = TaskGraph::builder();
        graph.add("a.etcd-main", Volume::new("europe-west1-b", 20));
        graph
    }

    #[test]
    fn labels_are_counted_and_kept_apart() {
        let labels =
            |count: u32| (0..count).map(|number| (format!("label-{number}"), "v".to_owned())).collect();
        assert_eq!(told(labels(63), disk()), None);
        let text = told(labels(64), disk()).unwrap();
        assert!(text.contains("65 labels") && text.contains("Disk/a.etcd-main"), "{text}");
        let twice = ["Team", "team"].map(|key| (key.to_owned(), "v".to_owned())).into();
        assert!(told(twice, disk()).unwrap().contains("Team and team"));
    }
}
