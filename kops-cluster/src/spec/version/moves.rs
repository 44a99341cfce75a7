//! Fields that stand in one place in a version of the API and in another in the types.

use serde_json::{Map, Value};

use crate::spec::path::Path;
use crate::spec::problem::Problems;

/// A field of `spec` that stands elsewhere in a version.
///
/// In a table the deeper field comes before the one that holds it.
#[derive(Debug)]
pub(super) struct Move {
    /// Where the version has it, below `spec`.
    pub(super) there: &'static str,
    /// Where the types have it, below `spec`.
    pub(super) here: &'static str,
    /// What becomes of its value on the way.
    pub(super) change: Change,
    /// The cloud it belongs to: with another one the field is not known.
    pub(super) cloud: Option<&'static str>,
}

/// What becomes of a value on the way.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// The version says the opposite.
    Not,
    /// Nothing, and the version knows the types' word as well.
    Alias,
    /// Nothing, and the types' place is the one to speak of: the other is read only.
    Old,
}

impl Move {
    /// A field that only stands elsewhere.
    pub(super) const fn new(there: &'static str, here: &'static str) -> Self {
        Self { there, here, change: Change::None, cloud: None }
    }

    /// A switch that says the opposite.
    pub(super) const fn not(there: &'static str, here: &'static str) -> Self {
        Self { there, here, change: Change::Not, cloud: None }
    }

    /// A field with two words for it.
    pub(super) const fn alias(there: &'static str, here: &'static str) -> Self {
        Self { there, here, change: Change::Alias, cloud: None }
    }

    /// A field that once stood elsewhere.
    pub(super) const fn old(there: &'static str, here: &'static str) -> Self {
        Self { there, here, change: Change::Old, cloud: None }
    }

    /// A field that belongs to a cloud.
    pub(super) const fn of(cloud: &'static str, there: &'static str, here: &'static str) -> Self {
        Self { there, here, change: Change::None, cloud: Some(cloud) }
    }

    fn applies(&self, cloud: Option<&str>) -> bool {
        self.cloud.is_none() || self.cloud == cloud
    }
}

/// Moves the fields of a document to where the types have them; under the types' names there must be none.
pub(super) fn read(spec: &mut Value, table: &[Move], cloud: Option<&str>, problems: &mut Problems) {
    // Fields under the types' names are not this version's: moved ones would fall on them.
    // (Below `cloudProvider`, a word in the flat version, there is only what was put there.)
    for step in table.iter().filter(|step| step.cloud.is_none() && !matches!(step.change, Change::Alias)) {
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

/// Moves the fields of a document to where the types have them, if they are not there yet.
pub(super) fn read_grouped(spec: &mut Value, table: &[Move], cloud: Option<&str>, problems: &mut Problems) {
    for step in table.iter().filter(|step| step.applies(cloud)) {
        let Some(value) = take(spec, step.there) else { continue };
        if let Err(name) = put(spec, step.here, changed(value, step.change)) {
            problems.error(
                at(step.there),
                format!("it says the same as {} in other words", at(step.here)),
                format!("keep one of the two; {name:?} is in both"),
            );
        }
    }
}

/// Moves fields from where the types have them to where the version has them.
pub(super) fn write(spec: &mut Value, table: &[Move], cloud: Option<&str>) {
    for step in table.iter().filter(|step| step.applies(cloud)) {
        if let Some(value) = take(spec, step.here) {
            // Two values for one field cannot come from the types; the one that is there stays.
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

/// Takes out the value at a dotted path, and the objects that are left empty by that.
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
/// The name of what is in the way.
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

/// Puts a value where nothing is, or the fields of an object among those of another.
///
/// # Errors
/// The name of the field that is in the way; none when it is `slot` itself.
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

/// Which way a path is translated.
#[derive(Clone, Copy, Debug)]
pub(super) enum Direction {
    /// From the types' words to the version's.
    ToVersion,
    /// From the version's words to the types'.
    FromVersion,
}

/// The same field's path on the other side.
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

/// Whether a field of the version says the opposite of the types' own.
pub(super) fn is_opposite(path: &Path, table: &[Move]) -> bool {
    table.iter().any(|step| matches!(step.change, Change::Not) && at(step.there) == *path)
}

/// Every element of the list at a dotted path.
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

/// Gives a field of an object another name.
pub(super) fn rename(value: &mut Value, from: &str, to: &str) {
    if value.get(to).is_none()
        && let Some(object) = value.as_object_mut()
        && let Some(field) = object.remove(from)
    {
        object.insert(to.to_owned(), field);
    }
}
