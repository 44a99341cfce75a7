//! The differences between two plans for the same graph, as text.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Action, Change, FieldChange};
use crate::graph::Key;

/// The maximum number of differences that are listed.
const MOST: usize = 5;

/// The differences between previously and newly planned changes; empty if none is visible.
pub(crate) fn divergence(then: &[Change], now: &[Change]) -> String {
    let (then, now) = (by_subject(then), by_subject(now));
    let mut found = Vec::new();
    for (subject, was) in &then {
        match now.get(subject) {
            None => found.push(format!("no longer: {was}")),
            Some(is) if is != was => found.push(otherwise(was, is)),
            Some(_) => {}
        }
    }
    let new = now.iter().filter(|(subject, _)| !then.contains_key(*subject));
    found.extend(new.map(|(_, change)| format!("new: {change}")));
    let more = found.len().saturating_sub(MOST);
    found.truncate(MOST);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    found.join("; ")
}

/// Changes by their subject: a task's object, or an object to delete.
fn by_subject(changes: &[Change]) -> BTreeMap<(&Key, Option<&str>), &Change> {
    let deleted = |change: &Change| change.action == Action::Delete;
    changes
        .iter()
        .map(|change| ((&change.task, change.id.as_deref().filter(|_| deleted(change))), change))
        .collect()
}

fn otherwise(was: &Change, is: &Change) -> String {
    let value = |change: &Change, path: &str| -> Value {
        let field = change.fields.iter().find(|field| field.path == path);
        field.map_or(Value::Null, |field| field.after.clone())
    };
    let differs = |field: &&FieldChange| value(was, &field.path) != value(is, &field.path);
    let mut paths: Vec<&str> =
        was.fields.iter().chain(&is.fields).filter(differs).map(|field| field.path.as_str()).collect();
    paths.sort_unstable();
    paths.dedup();
    if was.action != is.action || paths.is_empty() {
        return format!("not {was} but {is}");
    }
    let fields = paths
        .into_iter()
        .map(|path| format!("{path} to {} instead of {}", value(is, path), value(was, path)))
        .collect::<Vec<_>>();
    format!("{} {} with {}", is.action, is.task, fields.join(", "))
}
