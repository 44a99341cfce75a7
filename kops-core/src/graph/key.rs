//! The name of a task.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Error, Result};

/// The name of a task in a graph: a kind and a name, written `Kind/name`.
///
/// Keys order by kind, then name. Cloning one is cheap.
///
/// ```
/// use kops_core::graph::Key;
///
/// let key = Key::new("Subnet", "us-east-1a.example.com");
/// assert_eq!(key.to_string(), "Subnet/us-east-1a.example.com");
/// assert_eq!("Subnet/us-east-1a.example.com".parse::<Key>().unwrap(), key);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    text: Arc<str>,
    slash: usize,
}

impl Key {
    /// The key of the task `name` of a kind. Kinds hold no slash; names may.
    pub fn new(kind: &str, name: &str) -> Self {
        Self { text: Arc::from(format!("{kind}/{name}")), slash: kind.len() }
    }

    /// The kind of the task.
    pub fn kind(&self) -> &str {
        &self.text[..self.slash]
    }

    /// The name of the task among those of its kind.
    pub fn name(&self) -> &str {
        &self.text[self.slash + 1..]
    }

    /// The whole key, `Kind/name`.
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

/// As its text does, so that maps by key can be asked with a text.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.text
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.kind(), self.name()).cmp(&(other.kind(), other.name()))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Key {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once('/') {
            Some((kind, name)) if !kind.is_empty() && !name.is_empty() => Ok(Self::new(kind, name)),
            _ => Err(Error::invalid(format!("{text:?} is not the key of a task"))
                .with_hint("a key is written Kind/name, as in Subnet/us-east-1a")),
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
