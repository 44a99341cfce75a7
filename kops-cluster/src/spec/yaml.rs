//! Conversion between YAML text and values.
//!
//! Reading keeps, besides each document's value, the line and column of every field, so that problems found
//! much later can still point into the text. Writing gives what Kubernetes tools write: block style, lists
//! not indented, keys sorted, and quotes around every string that YAML 1.1 (which the Go tools read) would
//! read as another type.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

use super::path::Path;
use super::problem::Location;
use kops_core::{Error, Result};

/// The place of every field of a document, by path.
pub(crate) type Lines = HashMap<Path, Mark>;

/// Where a field is in the text, and what is written there.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) location: Location,
    /// What is written, if YAML made something other than text of it: `1.10`, `on`.
    pub(crate) written: Option<Box<str>>,
}

/// One document of a YAML text.
#[derive(Debug)]
pub(crate) struct YamlDocument {
    /// The number of the document in the text, from 1; empty documents are counted and skipped.
    pub(crate) number: usize,
    pub(crate) value: Value,
    pub(crate) lines: Lines,
}

/// Reads every document of a text.
///
/// # Errors
/// Malformed YAML, with document, line and column.
pub(crate) fn read(text: &str) -> Result<Vec<YamlDocument>> {
    let options = serde_saphyr::options! {
        // The error gets a layout of our own, without an excerpt of the file, which may contain secrets.
        with_snippet: false,
        // An octal mode such as 0644 means the same to kOps' own reader.
        legacy_octal_numbers: true,
        // No specification repeats itself as often; aliases of aliases would take seconds.
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 100_000 },
    };
    let nodes: Vec<Spanned<Node>> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| malformed(text, error.without_snippet()))?;
    let documents = nodes.into_iter().filter_map(|node| {
        let number = document_at(text, node.referenced.line());
        let mut reading = Reading { text, document: number, lines: Lines::new() };
        let value = reading.value(node.value, &Path::root());
        (!value.is_null()).then_some(YamlDocument { number, value, lines: reading.lines })
    });
    Ok(documents.collect())
}

/// The error for a text that is not YAML, in the words of somebody who writes specifications.
fn malformed(text: &str, error: &serde_saphyr::Error) -> Error {
    use serde_saphyr::Error as Cause;
    let (lead, message, fix) = match error {
        Cause::DuplicateMappingKey { key, .. } => {
            let key = key.as_ref().map_or("a key".to_owned(), |key| format!("key {key:?}"));
            ("", format!("{key} is there twice"), "keep one of them")
        }
        Cause::NonFiniteFloat { value, .. } => {
            ("", format!("{value} is not a number that can be kept"), "put it in quotes if it is text")
        }
        Cause::UnknownAnchor { .. } => (
            "",
            "an alias (*) refers to an anchor that does not exist".to_owned(),
            "put it in quotes if it is text",
        ),
        Cause::Budget { .. }
        | Cause::AliasReplayLimitExceeded { .. }
        | Cause::AliasExpansionLimitExceeded { .. }
        | Cause::AliasReplayStackDepthExceeded { .. }
        | Cause::AliasReplayCounterOverflow { .. } => (
            "",
            "the text is too large or nested too deeply".to_owned(),
            "split it into several files, without aliases",
        ),
        other => {
            let whole = other.render_with_formatter(&serde_saphyr::UserMessageFormatter);
            // It ends with the location, which comes first here.
            let message =
                whole.rsplit_once(" at line ").map_or(whole.as_str(), |(message, _)| message).to_owned();
            let fix = "correct the text there; indentation, a missing colon or an unclosed quote are the usual causes";
            ("malformed YAML", message, fix)
        }
    };
    let message = match error.location() {
        Some(at) if at.line() > 0 => {
            let place = format!(
                "document {}, line {}, column {}",
                document_at(text, at.line()),
                at.line(),
                at.column()
            );
            let lead = if lead.is_empty() { String::new() } else { format!("{lead} in ") };
            format!("{lead}{place}: {message}")
        }
        _ if lead.is_empty() => message,
        _ => format!("{lead}: {message}"),
    };
    Error::invalid(message).with_hint(fix)
}

/// The number of the document that a line belongs to, from 1.
fn document_at(text: &str, line: u64) -> usize {
    let lines = usize::try_from(line).unwrap_or(usize::MAX);
    let mut number = 1;
    let mut begun = false;
    for line in text.lines().take(lines) {
        if line == "---" || line.starts_with("--- ") {
            // The first marker opens the first document rather than ending one.
            if begun {
                number += 1;
            }
            begun = true;
        } else if !line.trim().is_empty() && !line.trim_start().starts_with(['#', '%']) {
            begun = true;
        }
    }
    number
}

/// Writes a document with its keys sorted.
pub(crate) fn write(value: &Value) -> Result<String> {
    let options = serde_saphyr::ser_options! {
        // Long lines are not folded: that would split an image name or a key.
        folded_wrap_chars: usize::MAX,
    };
    serde_saphyr::to_string_with_options(&sorted(value), options)
        .map_err(|error| Error::internal("a specification cannot be written as YAML").with_source(error))
}

/// The same value with the keys of all its objects sorted, as Kubernetes tools write them.
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(entries) => {
            let mut entries: Vec<_> =
                entries.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// A node of a document, with the locations of everything in it.
enum Node {
    Scalar(Value),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<Key>, Spanned<Node>)>),
}

/// The text that is being read, and the places found in it so far.
struct Reading<'a> {
    text: &'a str,
    document: usize,
    lines: Lines,
}

impl Reading<'_> {
    fn value(&mut self, node: Node, path: &Path) -> Value {
        match node {
            Node::Scalar(value) => value,
            Node::List(items) => items
                .into_iter()
                .enumerate()
                .map(|(at, item)| {
                    let here = path.index(at);
                    self.mark(&here, item.referenced, &item);
                    self.value(item.value, &here)
                })
                .collect(),
            Node::Map(entries) => {
                let entries = entries.into_iter().map(|(key, value)| {
                    let here = path.key(&key.value.0);
                    self.mark(&here, key.referenced, &value);
                    (key.value.0, self.value(value.value, &here))
                });
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }

    fn mark(&mut self, path: &Path, at: serde_saphyr::Location, node: &Spanned<Node>) {
        let location = Location { document: self.document, line: at.line(), column: at.column() };
        let plain = matches!(node.value, Node::Scalar(Value::Bool(_) | Value::Number(_)));
        let written = plain.then(|| self.written(node.referenced)).flatten().map(Box::from);
        self.lines.insert(path.clone(), Mark { location, written });
    }

    /// The text of a scalar.
    fn written(&self, at: serde_saphyr::Location) -> Option<&str> {
        let start = usize::try_from(at.span().byte_offset()?).ok()?;
        let end = start.checked_add(usize::try_from(at.span().byte_len()?).ok()?)?;
        self.text.get(start..end).map(str::trim).filter(|text| !text.is_empty())
    }
}

/// The key of a map. Keys in Kubernetes documents are strings; `1: x` has the key `"1"` there.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NodeVisitor;

        impl<'de> Visitor<'de> for NodeVisitor {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any YAML value")
            }

            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Scalar(Value::Null))
            }

            fn visit_none<E>(self) -> Result<Node, E> {
                Ok(Node::Scalar(Value::Null))
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
                Node::deserialize(deserializer)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Scalar(Value::Bool(value)))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Scalar(Value::from(value)))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Scalar(Value::from(value)))
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node, E> {
                Number::from_f64(value)
                    .map(|number| Node::Scalar(Value::Number(number)))
                    .ok_or_else(|| E::custom("a number must be finite"))
            }

            fn visit_str<E>(self, value: &str) -> Result<Node, E> {
                Ok(Node::Scalar(Value::from(value)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = access.next_element()? {
                    items.push(item);
                }
                Ok(Node::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = access.next_entry()? {
                    entries.push(entry);
                }
                Ok(Node::Map(entries))
            }
        }

        deserializer.deserialize_any(NodeVisitor)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_and_their_places_are_read() {
        let documents =
            read("---\na: 1\nb:\n  c: [x, \"1.34\"]\n---\n# nothing\n---\nd: ~\ne: yes\n").unwrap();
        assert_eq!(documents.len(), 2);
        assert_eq!(documents[0].value, json!({"a": 1, "b": {"c": ["x", "1.34"]}}));
        assert_eq!(documents[0].number, 1);
        let place = documents[0].lines[&"b.c[1]".parse().unwrap()].location;
        assert_eq!((place.document, place.line, place.column), (1, 4, 10));
        assert_eq!(documents[1].value, json!({"d": null, "e": true}));
        assert_eq!(documents[1].number, 3);
    }

    #[test]
    fn what_yaml_takes_for_something_else_is_known_as_it_is_written() {
        let read =
            read("a: on\nb: 1e3\nc: [0123, 1.10 , 'x', \"1.10\"]\nd: 0o17 # mode\ne: \"é\"\nf: é 1\ng: -1\n")
                .unwrap();
        let written = |path: &str| read[0].lines[&path.parse().unwrap()].written.as_deref();
        for (path, text) in
            [("a", "on"), ("b", "1e3"), ("c[0]", "0123"), ("c[1]", "1.10"), ("d", "0o17"), ("g", "-1")]
        {
            assert_eq!(written(path), Some(text), "{path}");
        }
        for path in ["c[2]", "c[3]", "e", "f", "c"] {
            assert_eq!(written(path), None, "{path}");
        }
    }

    #[test]
    fn a_key_that_is_there_twice_is_told_in_plain_words() {
        let error = read("a:\n  team: red\n  size: big\n  team: blue\n").unwrap_err();
        assert_eq!(error.message(), "document 1, line 4, column 3: key \"team\" is there twice");
        assert_eq!(error.hint(), Some("keep one of them"));
    }

    #[test]
    fn malformed_text_is_told_where() {
        let error = read("a: 1\n---\nb: [1, 2\nc: 3\n").unwrap_err().to_string();
        assert!(error.contains("document 2, line "), "{error}");
        assert!(error.contains("column "), "{error}");
        let error = read("a: 1\na: 2\n").unwrap_err().to_string();
        assert!(error.contains("document 1, line 2, column 1"), "{error}");
    }

    #[test]
    fn what_yaml_1_1_would_misread_is_quoted() {
        let tricky = [
            "true",
            "yes",
            "on",
            "n",
            "null",
            "~",
            "1.34",
            "1e3",
            "0x10",
            "010",
            "1:30",
            "2017-01-01",
            "2017-01-01T00:00:00Z",
            "",
            " x",
            "x: y",
            "# x",
            "- x",
            "*",
            "&a",
            "!t",
            "%",
            "@",
            "{}",
            "[]",
            "=",
            "<<",
            "a\nb\n",
            "a\n\n",
            "\ta",
            "\u{7f}",
            "é",
            "1_000",
            ".inf",
            "-",
            "?",
            "0o17",
            "+1",
            "x #y",
            "'",
            "\"",
            "\\",
        ];
        for text in tricky {
            let written = write(&json!({ "k": text, "l": [text] })).unwrap();
            let read = read(&written).unwrap();
            assert_eq!(read[0].value, json!({ "k": text, "l": [text] }), "{written}");
        }
        assert_eq!(write(&json!({"b": ["x"], "a": "1.34"})).unwrap(), "a: \"1.34\"\nb:\n- x\n");
    }
}
