//! Limits of Azure, checked on the native tasks before anything is created.
//!
//! <https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/tag-resources#limitations>

use std::collections::BTreeMap;

use kops_core::graph::TaskGraph;
use kops_core::{Error, Result};
use serde_json::Value;

/// The maximum number of tags of a resource.
const MOST_TAGS: usize = 50;
/// Those that may be added to a specification's: scope, task, region, place, lifecycle and owner, and three of scale
/// sets.
const OWN_TAGS: usize = 9;
/// The maximum length of a tag's name and value, in characters.
const LONGEST_NAME: usize = 512;
const LONGEST_VALUE: usize = 256;
/// Prefixes of names that Azure keeps to itself, in any case.
const RESERVED: &[&str] = &["microsoft", "azure", "windows"];

/// Rejects what the service would reject.
///
/// # Errors
/// `Invalid`, everything at once.
pub(super) fn check(graph: &TaskGraph) -> Result<()> {
    let mut problems = Vec::new();
    for task in graph.tasks().filter(|task| !task.is_shared()) {
        let Some(tags) = task.spec.get("tags").and_then(Value::as_object) else { continue };
        if tags.len() + OWN_TAGS > MOST_TAGS {
            let most = MOST_TAGS - OWN_TAGS;
            let error = Error::invalid(format!(
                "it has {} tags, but at most {most} can be added to kops' own",
                tags.len()
            ));
            problems.push(error.with_task(&task.key).with_hint("remove some of cloudLabels"));
        }
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for (name, value) in tags {
            let lower = name.to_ascii_lowercase();
            let value = value.as_str().unwrap_or_default();
            let wrong = if let Some(prefix) = RESERVED.iter().find(|prefix| lower.starts_with(**prefix)) {
                Some(format!("the tag {name} begins with {prefix}, which Azure reserves"))
            } else if name.chars().count() > LONGEST_NAME {
                Some(format!("the name of the tag {name} has more than {LONGEST_NAME} characters"))
            } else if value.chars().count() > LONGEST_VALUE {
                Some(format!("the value of the tag {name} has more than {LONGEST_VALUE} characters"))
            } else {
                let other = seen.insert(lower, name);
                other.map(|other| format!("the tags {other} and {name} are the same one on Azure"))
            };
            if let Some(wrong) = wrong {
                problems
                    .push(Error::invalid(wrong).with_task(&task.key).with_hint("change it in cloudLabels"));
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::from_many(problems)) }
}
