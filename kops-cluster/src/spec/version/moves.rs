//! Fields that have a different place in a version of the API than in the types.

use serde_json::{Map, Value};

use crate::spec::path::Path;
use crate::spec::problem::Problems;

/// A field of `spec` that has a different place in a version.
///
/// In a table, a nested field comes before the one that contains it.
#[derive(Debug)]
pub(super) struct Move {
    /// Its place in the version, below `spec`.
    pub(super) there: &'static str,
    /// Its place in the types, below `spec`.
    pub(super) here: &'static str,
    /// How its value changes.
    pub(super) change: Change,
    /// The cloud it belongs to: it is unknown with any other cloud.
    pub(super) cloud: Option<&'static str>,
}

/// How a value changes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// Not at all.
    None,
    /// It is negated.
    Not,
    /// Not at all; the version accepts the types' name as well.
    Alias,
    /// Not at all; messages use the types' place, and the other is read only.
    Old,
    /// It is not moved by the table, which only translates its path.
    Path,
}

impl Move {
    /// A field with a different place.
    pub(super) const fn new(there: &'static str, here: &'static str) -> Self {
        Self { there, here, change: Change::None, cloud: None }
    }

    /// A field that is the negation of the types' field.
    pub(super) const fn not(there: &'static str, here: &'static str) -> Self {
        Self { there, here, change: Change::Not, cloud: None }
    }

    /// A field with two names.
    pub(super) const fn alias(there: &'static str, here: &'static str) -> Self {
        Self { there, here, change: Change::Alias, cloud: None }
    }

    /// A field that had a different place once.
    pub(super) const fn old(there: &'static str, here: &'static str) -> Self {
        Self { there, here, change: Change::Old, cloud: None }
    }

    /// A field whose path is translated, and that is moved in a way of its own.
    pub(super) const fn path(there: &'static str, here: &'static str) -> Self {
        Self { there, here, change: Change::Path, cloud: None }
    }

    /// A field that belongs to a cloud.
    pub(super) const fn of(cloud: &'static str, there: &'static str, here: &'static str) -> Self {
        Self { there, here, change: Change::None, cloud: Some(cloud) }
    }

    fn applies(&self, cloud: Option<&str>) -> bool {
        !matches!(self.change, Change::Path) && (self.cloud.is_none() || self.cloud == cloud)
    }
}

/// Moves the fields of a document to their places in the types, which must not be in use yet.
pub(super) fn read(spec: &mut Value, table: &[Move], cloud: Option<&str>, problems: &mut Problems) {
    // Fields under the types' names are unknown in this version, and moved ones would overwrite them. (Below
    // `cloudProvider`, a string in the flat version, there is only what was moved there.)
    for step in table
        .iter()
        .filter(|step| step.cloud.is_none() && !matches!(step.change, Change::Alias | Change::Path))
    {
        if take(spec, step.here).is_some() {
            problems.error(
                at(step.here),
                "there is no such field in this apiVersion",
                format!("in this apiVersion it is {}", at(step.there)),
            );
        }
    }
    read_grouped(spec, table, cloud, problems);
}

/// Moves the fields of a document to their places in the types, unless they are there already.
pub(super) fn read_grouped(spec: &mut Value, table: &[Move], cloud: Option<&str>, problems: &mut Problems) {
    for step in table.iter().filter(|step| step.applies(cloud)) {
        let Some(value) = take(spec, step.there) else { continue };
        let value = changed(value, step.change);
        // An old name that says the same as the new one is no contradiction.
        if matches!(step.change, Change::Old) && value_at(spec, step.here) == Some(&value) {
            continue;
        }
        if let Err(name) = put(spec, step.here, value) {
            problems.error(
                at(step.there),
                format!("it is another name of {}", at(step.here)),
                format!("remove one of them; {name:?} is in both"),
            );
        }
    }
}

/// Moves fields from their places in the types to those in the version.
pub(super) fn write(spec: &mut Value, table: &[Move], cloud: Option<&str>) {
    for step in table.iter().filter(|step| step.applies(cloud) && !matches!(step.change, Change::Old)) {
        if let Some(value) = take(spec, step.here) {
            // The types cannot hold two values for one field; the existing one stays.
            let _ = put(spec, step.there, changed(value, step.change));
        }
    }
}

fn changed(value: Value, change: Change) -> Value {
    match (change, value) {
        (Change::Not, Value::Bool(value)) => Value::Bool(!value),
        (_, value) => value,
    }
}

fn at(dotted: &str) -> Path {
    Path::of("spec").join(&Path::of(dotted))
}

fn value_at<'a>(value: &'a Value, dotted: &str) -> Option<&'a Value> {
    dotted.split('.').try_fold(value, |value, key| value.get(key))
}

/// Removes the value at a dotted path, and the objects that become empty by that.
pub(super) fn take(value: &mut Value, dotted: &str) -> Option<Value> {
    let object = value.as_object_mut()?;
    let Some((first, rest)) = dotted.split_once('.') else { return object.remove(dotted) };
    let inner = object.get_mut(first)?;
    let taken = take(inner, rest)?;
    if inner.as_object().is_some_and(Map::is_empty) {
        object.remove(first);
    }
    Some(taken)
}

/// Puts a value at a dotted path; objects are merged.
///
/// # Errors
/// The name of the conflicting field.
pub(super) fn put(target: &mut Value, dotted: &str, value: Value) -> Result<(), String> {
    let (first, rest) = dotted.split_once('.').map_or((dotted, None), |(first, rest)| (first, Some(rest)));
    let object = target.as_object_mut().ok_or_else(|| first.to_owned())?;
    let slot = object.entry(first).or_insert(Value::Null);
    if let Some(rest) = rest {
        if slot.is_null() {
            *slot = Value::Object(Map::new());
        }
        return if slot.is_object() { put(slot, rest, value) } else { Err(first.to_owned()) };
    }
    merge(slot, value).map_err(|name| name.unwrap_or_else(|| first.to_owned()))
}

/// Puts a value into an empty slot, or merges the fields of two objects.
///
/// # Errors
/// The name of the conflicting field; `None` if it is `slot` itself.
fn merge(slot: &mut Value, value: Value) -> Result<(), Option<String>> {
    match (slot, value) {
        (slot @ Value::Null, value) => *slot = value,
        (Value::Object(present), Value::Object(entries)) => {
            for (key, value) in entries {
                let slot = present.entry(key.as_str()).or_insert(Value::Null);
                merge(slot, value).map_err(|name| name.or(Some(key)))?;
            }
        }
        _ => return Err(None),
    }
    Ok(())
}

/// The direction in which a path is translated.
#[derive(Clone, Copy, Debug)]
pub(super) enum Direction {
    /// From the types to the version.
    ToVersion,
    /// From the version to the types.
    FromVersion,
}

/// The path of the same field on the other side.
pub(super) fn translate(path: &Path, table: &[Move], direction: Direction) -> Path {
    let Some(below) = path.strip_prefix(&Path::of("spec")) else { return path.clone() };
    let longest = table
        .iter()
        .filter(|step| !matches!((direction, step.change), (Direction::ToVersion, Change::Old)))
        .filter_map(|step| {
            let (from, to) = match direction {
                Direction::ToVersion => (step.here, step.there),
                Direction::FromVersion => (step.there, step.here),
            };
            let rest = below.strip_prefix(&Path::of(from))?;
            Some((from.split('.').count(), to, rest))
        })
        .max_by_key(|(length, _, _)| *length);
    match longest {
        Some((_, to, rest)) => at(to).join(&rest),
        None => path.clone(),
    }
}

/// Whether a field of the version is the negation of the types' field.
pub(super) fn is_opposite(path: &Path, table: &[Move]) -> bool {
    table.iter().any(|step| matches!(step.change, Change::Not) && at(step.there) == *path)
}

/// Changes every element of the list at a dotted path.
pub(super) fn each(value: &mut Value, dotted: &str, mut change: impl FnMut(&mut Value)) {
    let mut here = value;
    for key in dotted.split('.') {
        let Some(next) = here.get_mut(key) else { return };
        here = next;
    }
    if let Value::Array(items) = here {
        items.iter_mut().for_each(&mut change);
    }
}

/// Renames a field of an object.
pub(super) fn rename(value: &mut Value, from: &str, to: &str) {
    if value.get(to).is_none()
        && let Some(object) = value.as_object_mut()
        && let Some(field) = object.remove(from)
    {
        object.insert(to.to_owned(), field);
    }
}
