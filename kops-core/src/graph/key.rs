//! The name of a task.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Error, Result};

/// The name of a task in a graph: a kind and a name, written `Kind/name`.
///
/// Keys compare like their text, so maps by key can be queried with a `&str`. For valid kinds this orders by kind,
/// then by name. Cloning is cheap.
///
/// ```
/// use kops_core::graph::Key;
///
/// let key = Key::new("Subnet", "us-east-1a.example.com");
/// assert_eq!(key.to_string(), "Subnet/us-east-1a.example.com");
/// assert_eq!("Subnet/us-east-1a.example.com".parse::<Key>().unwrap(), key);
/// ```
#[derive(Clone)]
pub struct Key {
    text: Arc<str>,
    /// The position of the first slash.
    slash: usize,
}

impl Key {
    /// The key of the task `name` of a kind.
    ///
    /// Names may contain slashes, but kinds may not: everything after the first slash is the name, as in
    /// [parsing](str::parse). Building a graph rejects kinds that are not in UpperCamelCase.
    pub fn new(kind: &str, name: &str) -> Self {
        let text = format!("{kind}/{name}");
        let slash = text.find('/').unwrap_or(kind.len());
        Self { text: Arc::from(text), slash }
    }

    /// The kind of the task.
    pub fn kind(&self) -> &str {
        &self.text[..self.slash]
    }

    /// The name of the task, unique among those of its kind.
    pub fn name(&self) -> &str {
        &self.text[self.slash + 1..]
    }

    /// The complete key, `Kind/name`.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// All four use the text only, as `Borrow<str>` requires.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.text
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Whether a text is a valid kind name: ASCII letters and digits, starting with an upper-case letter.
pub(super) fn is_kind(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric())
}

impl FromStr for Key {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once('/') {
            Some((kind, name)) if !kind.is_empty() && !name.is_empty() => Ok(Self::new(kind, name)),
            _ => Err(Error::invalid(format!("{text:?} is not a task key"))
                .with_hint("use Kind/name, such as Subnet/us-east-1a")),
        }
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, HashSet};

    use super::*;

    const TEXTS: [&str; 6] = ["A/x", "A-B/x", "AB/x", "A/b/x", "Subnet/a.b", "Subnet/a-b"];

    #[test]
    fn maps_by_key_can_be_asked_with_a_text() {
        let ordered: BTreeMap<Key, usize> = TEXTS.iter().map(|it| it.parse().unwrap()).zip(0..).collect();
        let hashed: HashSet<Key> = ordered.keys().cloned().collect();
        for (text, number) in TEXTS.iter().zip(0..) {
            assert_eq!(ordered.get(*text), Some(&number), "{text}");
            assert!(hashed.contains(*text), "{text}");
        }
    }

    #[test]
    fn keys_of_one_text_are_one_key_however_they_were_made() {
        let made: BTreeSet<Key> =
            [Key::new("A", "b/c"), Key::new("A/b", "c"), "A/b/c".parse().unwrap()].into();
        let [key] = made.iter().collect::<Vec<_>>()[..] else { panic!("{made:?}") };
        assert_eq!((key.kind(), key.name()), ("A", "b/c"));
    }

    #[test]
    fn kinds_are_upper_camel_case() {
        for good in ["Network", "S3Bucket", "X"] {
            assert!(is_kind(good), "{good}");
        }
        for bad in ["", "network", "A/b", "A-B", "A b", "Ä"] {
            assert!(!is_kind(bad), "{bad}");
        }
    }
}
