//! Documents: specifications as the engine handles them, with marks for unknown and secret values.

#[cfg(feature = "testing")]
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::value::{CONCAT, REF, SECRET, alike, digest_of, is_mark, marked};
use super::{OutputRef, Part};
use crate::{Error, Result};

/// A specification as a document.
///
/// It may contain secrets and outputs that are not known yet. `Debug`, `Display` and [`redacted`](Self::redacted)
/// show neither; [`get`](Self::get) returns plain members only; [`decode`](Self::decode) converts it back to the type
/// of the specification, in which a secret is a [`Secret`](super::Secret). It serialises completely, including
/// secrets.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Document(Value);

impl Document {
    /// The document of a value.
    ///
    /// # Errors
    /// `Internal` for values that are not documents, such as maps with keys that are not strings.
    pub fn of<T: Serialize>(value: &T) -> Result<Self> {
        match serde_json::to_value(value) {
            Ok(document) => Ok(Self(document)),
            Err(error) => Err(Error::internal(format!("not a document: {error}")).with_source(error)),
        }
    }

    /// Converts the document to a type, such as the specification it was created from.
    ///
    /// ```
    /// use kops_core::graph::Document;
    /// use kops_core::resource::Network;
    ///
    /// let network = Network::new(["10.0.0.0/16".parse()?]);
    /// assert_eq!(Document::of(&network)?.decode::<Network>()?, network);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `Internal` if the document does not fit the type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.0).map_err(|error| {
            Error::internal(format!("the document does not fit its type: {error}")).with_source(error)
        })
    }

    /// A member of plain data; `None` if it does not exist, or contains a secret or an output that is not known yet.
    ///
    /// ```
    /// use kops_core::graph::{Document, Secret};
    /// use serde_json::json;
    ///
    /// let document = Document::of(&json!({"user": "root", "password": Secret::new("hunter2")}))?;
    /// assert_eq!(document.get("user"), Some(&json!("root")));
    /// assert_eq!(document.get("password"), None);
    /// # Ok::<(), kops_core::Error>(())
    /// ```
    pub fn get(&self, member: &str) -> Option<&Value> {
        self.0.get(member).filter(|value| !has_mark(value))
    }

    /// Whether the document is null, as for shared tasks.
    pub fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// The document, including marks and secrets.
    pub(crate) fn as_value(&self) -> &Value {
        &self.0
    }

    /// The document for display: outputs as `${Kind/name.output}`, secrets as the first digits of their digest.
    pub fn redacted(&self) -> Value {
        shown(&self.0)
    }

    /// A member for display; null if it does not exist.
    pub(crate) fn redacted_member(&self, member: &str) -> Value {
        self.0.get(member).map_or(Value::Null, shown)
    }

    /// The outputs of other tasks that the document refers to, in the order in which they occur.
    pub fn outputs(&self) -> Vec<OutputRef> {
        let mut found = Vec::new();
        super::outputs_in(&self.0, &mut found);
        found
    }

    /// Replaces every reference to an output; used by lowerings to convert references to agnostic tasks to references
    /// to native ones.
    pub fn map_outputs(&self, change: &dyn Fn(OutputRef) -> OutputRef) -> Self {
        Self(map_outputs(&self.0, change))
    }

    /// The document without the given members.
    pub(crate) fn without(&self, members: &BTreeSet<String>) -> Self {
        let mut value = self.0.clone();
        if let Value::Object(all) = &mut value {
            all.retain(|name, _| !members.contains(name));
        }
        Self(value)
    }

    /// The document with further entries in a member that is a map; entries that it has are kept.
    #[cfg(feature = "testing")]
    pub(crate) fn with_entries(&self, member: &str, entries: &BTreeMap<String, String>) -> Self {
        let mut value = self.0.clone();
        if let Some(Value::Object(present)) = value.get_mut(member) {
            for (name, entry) in entries {
                present.entry(name.clone()).or_insert_with(|| entry.clone().into());
            }
        }
        Self(value)
    }

    /// The document with the given members taken from another one.
    pub(crate) fn with_members_of(&self, other: &Self, members: &BTreeSet<String>) -> Self {
        let mut value = self.0.clone();
        if let (Value::Object(all), Value::Object(theirs)) = (&mut value, &other.0) {
            for (name, member) in all.iter_mut().filter(|(name, _)| members.contains(*name)) {
                *member = theirs.get(name).cloned().unwrap_or_default();
            }
        }
        Self(value)
    }

    /// Substitutes the known outputs.
    pub(crate) fn substitute(&self, lookup: Lookup<'_>) -> Self {
        Self(substitute(&self.0, lookup))
    }
}

impl From<Value> for Document {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.redacted())
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.redacted())
    }
}

/// Looks up the value of an output, by the task's key and the output's name.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str, &str) -> Option<Value>;

/// The task and output that a marked document refers to.
fn reference(document: &Value) -> Option<(&str, &str)> {
    let output = marked(document, REF)?;
    Some((output.get("task")?.as_str()?, output.get("output")?.as_str()?))
}

/// Whether `actual` satisfies `wanted`, after substituting what `known` returns; members that `wanted` lacks are not
/// compared. Does not allocate; sets are equal only if in the same order.
pub(crate) fn satisfied(wanted: &Value, actual: &Value, known: &dyn Fn(&str, &str, &Value) -> bool) -> bool {
    if let Some((task, output)) = reference(wanted) {
        return known(task, output, actual);
    }
    match (wanted, actual) {
        (Value::Object(want), Value::Object(_)) if want.len() == 1 && want.contains_key(SECRET) => {
            alike(wanted, actual)
        }
        (Value::Object(want), Value::Object(have)) => {
            want.iter().all(|(name, value)| satisfied(value, have.get(name).unwrap_or(&Value::Null), known))
        }
        (Value::Array(want), Value::Array(have)) => {
            want.len() == have.len() && want.iter().zip(have).all(|(one, other)| satisfied(one, other, known))
        }
        _ => wanted == actual,
    }
}

/// Replaces every output that `lookup` knows with its value, and joins texts whose parts are all known.
fn substitute(document: &Value, lookup: Lookup<'_>) -> Value {
    if let Some((task, output)) = reference(document) {
        return lookup(task, output).unwrap_or_else(|| document.clone());
    }
    if let Some(Value::Array(parts)) = marked(document, CONCAT) {
        return join(parts.iter().map(|part| substitute(part, lookup)).collect());
    }
    match document {
        Value::Array(items) => items.iter().map(|item| substitute(item, lookup)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), substitute(member, lookup)))
            .collect::<Map<_, _>>()
            .into(),
        plain => plain.clone(),
    }
}

fn map_outputs(document: &Value, change: &dyn Fn(OutputRef) -> OutputRef) -> Value {
    if let Some(output) = marked(document, REF) {
        let changed = OutputRef::deserialize(output).and_then(|output| serde_json::to_value(change(output)));
        // The mark is only ever written by `Input`.
        let Ok(changed) = changed else { return document.clone() };
        return Value::Object(Map::from_iter([(REF.to_owned(), changed)]));
    }
    match document {
        Value::Array(items) => items.iter().map(|item| map_outputs(item, change)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), map_outputs(member, change)))
            .collect::<Map<_, _>>()
            .into(),
        plain => plain.clone(),
    }
}

/// The text of the parts, which is secret if one of them is; unchanged while a part is not known.
fn join(parts: Vec<Value>) -> Value {
    let mut text = String::new();
    let mut secret = false;
    for part in &parts {
        if let Some(Value::String(hidden)) = marked(part, SECRET) {
            secret = true;
            text.push_str(hidden);
        } else if let Value::String(shown) = part {
            text.push_str(shown);
        } else if part.is_object() {
            return Value::Object(Map::from_iter([(CONCAT.to_owned(), Value::Array(parts))]));
        } else {
            text.push_str(&part.to_string());
        }
    }
    if secret {
        Value::Object(Map::from_iter([(SECRET.to_owned(), Value::String(text))]))
    } else {
        Value::String(text)
    }
}

/// Whether the document contains an output that is not known.
pub(crate) fn has_unknown(document: &Value) -> bool {
    if marked(document, REF).is_some() || marked(document, CONCAT).is_some() {
        return true;
    }
    match document {
        Value::Array(items) => items.iter().any(has_unknown),
        Value::Object(members) => members.values().any(has_unknown),
        _ => false,
    }
}

/// Whether the document contains an output or a secret.
fn has_mark(document: &Value) -> bool {
    match document {
        Value::Array(items) => items.iter().any(has_mark),
        Value::Object(members) => members.iter().any(|(name, member)| is_mark(name) || has_mark(member)),
        _ => false,
    }
}

/// The first member whose name is reserved for marks, but which is not one.
pub(super) fn false_mark(document: &Value) -> Option<&str> {
    match document {
        Value::Array(items) => items.iter().find_map(false_mark),
        Value::Object(members) => {
            let is_true = |name: &str, member: &Value| match name {
                REF => OutputRef::deserialize(member).is_ok(),
                CONCAT => Vec::<Part>::deserialize(member).is_ok(),
                SECRET => member.is_string(),
                _ => false,
            };
            members.iter().find_map(|(name, member)| match (is_mark(name), members.len()) {
                (false, _) => false_mark(member),
                (true, 1) if is_true(name, member) => None,
                (true, _) => Some(name.as_str()),
            })
        }
        _ => None,
    }
}

/// The document for display: outputs as `${Kind/name.output}`, secrets as the first digits of their digest, so that a
/// change is visible.
pub(crate) fn shown(document: &Value) -> Value {
    if let Some(output) = marked(document, REF) {
        return OutputRef::deserialize(output).map_or(Value::Null, |it| Value::String(it.to_string()));
    }
    if let Some(Value::String(text)) = marked(document, SECRET) {
        return Value::String(format!("(secret {})", digest_of(text).get(..8).unwrap_or_default()));
    }
    if let Some(Value::Array(parts)) = marked(document, CONCAT) {
        let hidden = parts.iter().any(|part| marked(part, SECRET).is_some());
        let text = parts.iter().map(|part| shown(part).as_str().unwrap_or_default().to_owned());
        return Value::String(if hidden { "(secret)".to_owned() } else { text.collect() });
    }
    match document {
        Value::Array(items) => items.iter().map(shown).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), shown(member))).collect::<Map<_, _>>().into()
        }
        plain => plain.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn output(task: &str) -> Value {
        json!({"\u{1}ref": {"task": task, "output": "id", "wait": "created"}})
    }

    #[test]
    fn what_is_known_is_put_in_and_the_rest_stays() {
        let lookup = |key: &str, _: &str| (key == "K/a").then(|| json!("id-a"));
        let document = json!({"x": [output("K/a"), output("K/b")]});
        assert_eq!(substitute(&document, &lookup), json!({"x": ["id-a", output("K/b")]}));
    }

    #[test]
    fn a_secret_part_makes_a_secret() {
        let lookup = |_: &str, _: &str| Some(json!("10.0.0.1"));
        let document = json!({"\u{1}concat": ["ip=", output("K/a"), {"\u{1}secret": "pw"}]});
        assert_eq!(substitute(&document, &lookup), json!({"\u{1}secret": "ip=10.0.0.1pw"}));
        let shown = shown(&substitute(&document, &lookup)).to_string();
        assert!(!shown.contains("pw"), "{shown}");
        assert_eq!(super::shown(&document), json!("(secret)"));
    }

    #[test]
    fn references_can_be_pointed_elsewhere() {
        let document = Document(json!({"x": [output("K/a")], "y": {"\u{1}concat": ["ip=", output("K/b")]}}));
        let change = |it: OutputRef| OutputRef { task: super::super::Key::new("N", it.task.name()), ..it };
        let changed = document.map_outputs(&change);
        assert_eq!(changed.0, json!({"x": [output("N/a")], "y": {"\u{1}concat": ["ip=", output("N/b")]}}));
        let keys: Vec<_> = changed.outputs().iter().map(|it| it.task.to_string()).collect();
        assert_eq!(keys, ["N/a", "N/b"]);
    }

    #[test]
    fn a_joint_waits_for_its_last_part() {
        let document = json!({"\u{1}concat": ["ip=", output("K/a")]});
        assert_eq!(substitute(&document, &|_, _| None), document);
        assert!(has_unknown(&document));
    }

    #[test]
    fn plain_members_are_handed_out_and_secrets_are_not() {
        let document = Document(json!({
            "plain": {"$secret": "data", "$ref": [1]},
            "secret": [{"\u{1}secret": "pw"}],
            "unknown": output("K/a"),
        }));
        assert_eq!(document.get("plain"), Some(&json!({"$secret": "data", "$ref": [1]})));
        assert_eq!(
            (document.get("secret"), document.get("unknown"), document.get("none")),
            (None, None, None)
        );
        assert!(!format!("{document} {document:?}").contains("pw"));
    }

    #[test]
    fn names_of_marks_are_kept_for_marks() {
        assert_eq!(false_mark(&json!({"a": [output("K/a"), {"\u{1}secret": "x"}], "$ref": 1})), None);
        assert_eq!(false_mark(&json!({"\u{1}concat": ["x", output("K/a")]})), None);
        let ill = [
            json!([{"\u{1}ref": 1}]),
            json!({"x": {"\u{1}ref": {"task": "K/a", "output": "id"}, "more": 1}}),
            json!({"\u{1}other": 1}),
        ];
        for document in ill {
            assert!(false_mark(&document).is_some(), "{document}");
        }
    }
}
