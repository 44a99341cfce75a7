//! Comparing the desired with the actual.
//!
//! Members that the desired document lacks are unmanaged and not compared; `null` is. Maps are compared member by
//! member, so that labels added by others are kept. Lists are compared as a whole: sets are sorted by their type.

use serde_json::Value;

use crate::cloud::{DynHandler, Mutability};
use crate::graph::{Document, alike, has_unknown, is_mark, shown};

use super::FieldChange;

/// The differences between `wanted` and `actual`, in the order of the desired members.
pub(crate) fn differences(wanted: &Document, actual: &Document) -> Vec<FieldChange> {
    let mut found = Vec::new();
    compare(String::new(), wanted.as_value(), actual.as_value(), &mut found);
    found
}

/// The member of the specification that a path is in.
pub(crate) fn top_member(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

/// How the difference between `wanted` and `actual` at a path can be removed. The handler is asked about the member
/// that the path is in, so that it gets the values of the whole member.
pub(crate) fn mutability(
    handler: &dyn DynHandler,
    path: &str,
    wanted: &Document,
    actual: &Document,
) -> Mutability {
    let member = top_member(path);
    handler.mutability_of(member, &actual.redacted_member(member), &wanted.redacted_member(member))
}

/// The fields of a new object: all that are set.
pub(crate) fn members(wanted: &Document) -> Vec<FieldChange> {
    let Value::Object(members) = wanted.as_value() else { return Vec::new() };
    members
        .iter()
        .filter(|(_, value)| !is_blank(value))
        .map(|(name, value)| change(name.clone(), &Value::Null, value))
        .collect()
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn compare(path: String, wanted: &Value, actual: &Value, found: &mut Vec<FieldChange>) {
    if alike(wanted, actual) {
        return;
    }
    match (wanted, actual) {
        (Value::Object(want), Value::Object(have)) if !is_marked(want) => {
            for (name, value) in want {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(path, value, have.get(name).unwrap_or(&Value::Null), found);
            }
        }
        _ => found.push(change(path, actual, wanted)),
    }
}

/// A value with a mark (an output, a secret) is compared as one value, not as a map.
fn is_marked(members: &serde_json::Map<String, Value>) -> bool {
    members.len() == 1 && members.keys().all(|name| is_mark(name))
}

fn change(path: String, before: &Value, after: &Value) -> FieldChange {
    FieldChange {
        path,
        before: shown(before),
        after: shown(after),
        known_after_apply: has_unknown(after),
        forces_replacement: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn paths(wanted: Value, actual: Value) -> Vec<String> {
        differences(&wanted.into(), &actual.into()).into_iter().map(|change| change.path).collect()
    }

    #[test]
    fn what_is_not_wanted_is_not_compared_but_null_is() {
        assert!(paths(json!({"a": 1}), json!({"a": 1, "b": 2})).is_empty());
        assert_eq!(paths(json!({"a": 1, "b": null}), json!({"a": 1, "b": 2})), ["b"]);
        assert!(paths(json!({"a": null}), json!({})).is_empty());
    }

    #[test]
    fn labels_of_others_are_left_alone() {
        let wanted = json!({"labels": {"mine": "x"}});
        assert!(paths(wanted.clone(), json!({"labels": {"mine": "x", "theirs": "y"}})).is_empty());
        assert_eq!(paths(wanted, json!({"labels": {"mine": "y"}})), ["labels.mine"]);
    }

    #[test]
    fn lists_compare_in_order() {
        assert_eq!(paths(json!({"a": [1, 2]}), json!({"a": [2, 1]})), ["a"]);
    }

    #[test]
    fn a_secret_known_by_its_digest_is_compared_by_it() {
        let seen = |text: &str| {
            let digest = crate::graph::Secret::new(text).digest();
            json!({"s": serde_json::to_value(crate::graph::Secret::of_digest(&digest)).unwrap()})
        };
        assert!(paths(json!({"s": {"\u{1}secret": "a"}}), seen("a")).is_empty());
        assert_eq!(paths(json!({"s": {"\u{1}secret": "a"}}), seen("b")), ["s"]);
    }

    #[test]
    fn a_changed_secret_shows_no_secret() {
        let wanted = json!({"s": {"\u{1}secret": "new-password"}}).into();
        let actual = json!({"s": {"\u{1}secret": "old-password"}}).into();
        let found = differences(&wanted, &actual);
        assert_eq!(found.len(), 1);
        assert_ne!(found[0].before, found[0].after);
        assert!(!serde_json::to_string(&found).unwrap().contains("password"));
    }
}
