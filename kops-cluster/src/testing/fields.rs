//! Fields of documents, for server-side apply.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A field: the names on the way to it.
pub(super) type Path = Vec<String>;

/// The fields of a document that somebody can own: all values but objects; lists are owned as a whole.
pub(super) fn leaves(document: &Value) -> BTreeMap<Path, Value> {
    let mut found = BTreeMap::new();
    collect(document, &mut Vec::new(), &mut found);
    found
}

fn collect(value: &Value, at: &mut Path, found: &mut BTreeMap<Path, Value>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                at.push(name.clone());
                collect(member, at, found);
                at.pop();
            }
        }
        leaf => drop(found.insert(at.clone(), leaf.clone())),
    }
}

/// Sets a field. An object without members only has to be there.
pub(super) fn set(document: &mut Value, path: &[String], leaf: Value) {
    let Some((name, rest)) = path.split_first() else {
        if !(leaf.is_object() && document.is_object()) {
            *document = leaf;
        }
        return;
    };
    if !document.is_object() {
        *document = Value::Object(Map::new());
    }
    set(&mut document[name.as_str()], rest, leaf);
}

/// Removes a field, and the objects around it that are empty then.
pub(super) fn remove(document: &mut Value, path: &[String]) {
    let (Some((name, rest)), Value::Object(members)) = (path.split_first(), document) else { return };
    if rest.is_empty() {
        members.remove(name);
        return;
    }
    if let Some(member) = members.get_mut(name) {
        remove(member, rest);
        if member.as_object().is_some_and(Map::is_empty) {
            members.remove(name);
        }
    }
}

/// Merges a patch (RFC 7396).
pub(super) fn merge(document: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *document = patch.clone();
        return;
    };
    if !document.is_object() {
        *document = Value::Object(Map::new());
    }
    let Value::Object(members) = document else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}
