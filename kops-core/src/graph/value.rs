//! Values that may not be known yet.
//!
//! A field of a specification that can come from another task is an [`Input`]: a known value, an output of another
//! task, or a text joined from both. There are no closures, so inputs can be compared, stored, printed and rendered.
//!
//! Whether unknown values may still occur is a type parameter of the specification, its [`Stage`]: a graph contains
//! `Subnet<Open>`, and the handler that creates the object gets a `Subnet<Closed>`. Both are the same struct: a field
//! has type `S::Of<Id<Network>>`, which is `Input<Id<Network>>` when open and `Id<Network>` when closed.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use super::key::Key;
use super::resource::Resource;
use crate::setters;

/// The requirements on the type of a field: plain, comparable, serialisable data. Implemented for every type that
/// meets them.
pub trait Data: Clone + fmt::Debug + Ord + Serialize + DeserializeOwned + Send + Sync + 'static {}
impl<T: Clone + fmt::Debug + Ord + Serialize + DeserializeOwned + Send + Sync + 'static> Data for T {}

/// Whether a specification may contain values that are not known yet.
pub trait Stage: Copy + fmt::Debug + Ord + Send + Sync + 'static {
    /// The type of a field with a value of type `T`.
    type Of<T: Data>: Data;
}

/// The stage of a specification in a graph: values may be [`Input`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Open;

/// The stage of a specification that is being applied, or was observed: all values are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Closed;

impl Stage for Open {
    type Of<T: Data> = Input<T>;
}

impl Stage for Closed {
    type Of<T: Data> = T;
}

/// What a task waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wait {
    /// Until the object exists and its identifier is known.
    #[default]
    Created,
    /// Until the object is ready: a gateway forwards, a disk can be attached.
    Ready,
}

/// An output of a task, not known until the task is done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OutputRef {
    /// The task.
    pub task: Key,
    /// The name of the output.
    pub output: String,
    /// What to wait for before reading the value.
    #[serde(default)]
    pub wait: Wait,
}

impl OutputRef {
    /// An output that is read as soon as the object exists.
    pub(crate) fn created(task: &Key, output: &str) -> Self {
        Self { task: task.clone(), output: output.to_owned(), wait: Wait::Created }
    }

    setters! {
        /// Sets the name of the output.
        into output: String;
        /// Sets what to wait for.
        set wait: Wait;
    }
}

impl fmt::Display for OutputRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${{{}.{}}}", self.task, self.output)
    }
}

/// A part of a text that is joined once all parts are known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Part {
    /// Text.
    Text(String),
    /// Secret text; it makes the joined text secret.
    Secret(Secret),
    /// An output of a task.
    Output {
        /// The output.
        #[serde(rename = "\u{1}ref")]
        output: OutputRef,
    },
}

/// A value that is known, or will be once other tasks are done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input<T> {
    /// Already known.
    Known(T),
    /// The output of another task.
    Output(OutputRef),
    /// Text joined from known parts and outputs.
    Concat(Vec<Part>),
}

impl<T> Input<T> {
    /// The value, if it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            _ => None,
        }
    }
}

impl<R> Input<Id<R>> {
    /// The identifier as text, for a field that accepts identifiers of several kinds.
    pub fn into_text(self) -> Input<String> {
        match self {
            Self::Known(id) => Input::Known(id.into_string()),
            Self::Output(output) => Input::Output(output),
            Self::Concat(parts) => Input::Concat(parts),
        }
    }
}

impl Input<String> {
    /// Joins texts, known or not: `Input::concat(["https://".into(), balancer.get(DNS_NAME)])`.
    pub fn concat(inputs: impl IntoIterator<Item = Self>) -> Self {
        let mut parts = Vec::new();
        for input in inputs {
            match input {
                Self::Known(text) => parts.push(Part::Text(text)),
                Self::Output(output) => parts.push(Part::Output { output }),
                Self::Concat(more) => parts.extend(more),
            }
        }
        if parts.iter().all(|part| matches!(part, Part::Text(_))) {
            return Self::Known(
                parts
                    .iter()
                    .map(|part| match part {
                        Part::Text(text) => text.as_str(),
                        Part::Secret(_) | Part::Output { .. } => "",
                    })
                    .collect(),
            );
        }
        Self::Concat(parts)
    }

    /// The same text, as a secret.
    pub fn into_secret(self) -> Input<Secret> {
        Input::secret(match self {
            Self::Known(text) => vec![Part::Text(text)],
            Self::Output(output) => vec![Part::Output { output }],
            Self::Concat(parts) => parts,
        })
    }
}

impl Input<Secret> {
    /// Joins text, outputs and secrets into a secret.
    pub fn secret(parts: impl IntoIterator<Item = Part>) -> Self {
        // The empty secret makes the text secret even if no part is.
        let parts: Vec<Part> = std::iter::once(Part::Secret(Secret::default())).chain(parts).collect();
        let known: Option<String> = parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                Part::Secret(secret) => Some(secret.expose()),
                Part::Output { .. } => None,
            })
            .collect();
        known.map_or(Self::Concat(parts), |text| Self::Known(Secret::new(text)))
    }
}

impl From<&str> for Part {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<T> From<T> for Input<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}

impl From<&str> for Input<String> {
    fn from(value: &str) -> Self {
        Self::Known(value.to_owned())
    }
}

/// The first character of the names of marks. No cloud and no format uses it in names of members, so that data is
/// never mistaken for a mark, even if it contains `$ref` or `$secret`.
const MARK: char = '\u{1}';
/// The member of a document that marks an output: `{"\u{1}ref": {"task": …, "output": …, "wait": …}}`.
pub(crate) const REF: &str = "\u{1}ref";
/// The member that marks joined text: `{"\u{1}concat": ["…", {"\u{1}ref": …}]}`.
pub(crate) const CONCAT: &str = "\u{1}concat";
/// The member that marks a secret: `{"\u{1}secret": "…"}`.
pub(crate) const SECRET: &str = "\u{1}secret";

/// Whether the name of a member is reserved for marks.
pub(crate) fn is_mark(name: &str) -> bool {
    name.starts_with(MARK)
}

/// The marked member of a document, if it is a mark of this name.
pub(crate) fn marked<'a>(value: &'a Value, mark: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) if map.len() == 1 => map.get(mark),
        _ => None,
    }
}

impl<T: Serialize> Serialize for Input<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        enum Marked<'a> {
            #[serde(rename = "\u{1}ref")]
            Ref(&'a OutputRef),
            #[serde(rename = "\u{1}concat")]
            Concat(&'a [Part]),
        }
        match self {
            Self::Known(value) => value.serialize(serializer),
            Self::Output(output) => Marked::Ref(output).serialize(serializer),
            Self::Concat(parts) => Marked::Concat(parts).serialize(serializer),
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Input<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let parsed = if let Some(output) = marked(&value, REF) {
            OutputRef::deserialize(output).map(Self::Output)
        } else if let Some(parts) = marked(&value, CONCAT) {
            Vec::deserialize(parts).map(Self::Concat)
        } else {
            serde_json::from_value(value).map(Self::Known)
        };
        parsed.map_err(de::Error::custom)
    }
}

/// The identifier of an object of a kind, as assigned by its cloud.
///
/// It is typed, so that using a subnet's identifier for a network does not compile. It serialises as a plain string,
/// but tells [`references`](crate::graph::references) the kind of the object.
pub struct Id<R>(String, PhantomData<fn() -> R>);

impl<R> Id<R> {
    /// The identifier `id`.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into(), PhantomData)
    }

    /// The identifier as the cloud writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The identifier as the cloud writes it.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl<R> Clone for Id<R> {
    fn clone(&self) -> Self {
        Self::new(self.0.clone())
    }
}
impl<R> PartialEq for Id<R> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<R> Eq for Id<R> {}
impl<R> PartialOrd for Id<R> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<R> Ord for Id<R> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<R> Hash for Id<R> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<R> fmt::Debug for Id<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl<R> fmt::Display for Id<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name under which an [`Id`] serialises, wrapped around its kind: see [`super::references`].
pub(crate) const ID: &str = "$id";

impl<R: Resource> Serialize for Id<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct OfKind<'a>(&'static str, &'a str);
        impl Serialize for OfKind<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_newtype_struct(self.0, self.1)
            }
        }
        serializer.serialize_newtype_struct(ID, &OfKind(R::KIND, &self.0))
    }
}

impl<'de, R> Deserialize<'de> for Id<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// Text that is never shown in `Debug`, plans, events or errors.
///
/// It does serialise, with a mark, because the documents of specifications carry it to the cloud; everything that is
/// displayed is redacted first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for passing it to the cloud only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The prefix of a secret of which only the digest is known; no real secret starts with it.
pub(crate) const DIGEST: &str = "\u{1}sha256:";

impl Secret {
    /// A secret that the cloud does not return, in an observed object: only the [digest](Self::digest) of its text is
    /// known, which was stored with the object on creation. It compares equal to the text.
    ///
    /// ```
    /// use kops_core::graph::Secret;
    ///
    /// let seen = Secret::of_digest(&Secret::new("password").digest());
    /// assert_eq!(seen.digest(), Secret::new("password").digest());
    /// assert_ne!(seen.expose(), "password");
    /// ```
    pub fn of_digest(digest: &str) -> Self {
        Self(format!("{DIGEST}{digest}"))
    }

    /// The SHA-256 of the text, in 64 lower-case hexadecimal digits.
    pub fn digest(&self) -> String {
        digest_of(&self.0)
    }
}

/// The digest of a secret's text, or the digest it consists of.
pub(crate) fn digest_of(secret: &str) -> String {
    secret.strip_prefix(DIGEST).map_or_else(|| crate::digest::hex(secret.as_bytes()), str::to_owned)
}

/// Whether two values are equal; a secret may be known by its digest only.
pub(crate) fn alike(one: &Value, other: &Value) -> bool {
    if one == other {
        return true;
    }
    match (marked(one, SECRET).and_then(Value::as_str), marked(other, SECRET).and_then(Value::as_str)) {
        (Some(one), Some(other)) if one.starts_with(DIGEST) || other.starts_with(DIGEST) => {
            digest_of(one) == digest_of(other)
        }
        _ => false,
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Marked<'a> {
            #[serde(rename = "\u{1}secret")]
            text: &'a str,
        }
        Marked { text: &self.0 }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Marked {
            #[serde(rename = "\u{1}secret")]
            text: String,
        }
        Marked::deserialize(deserializer).map(|marked| Self(marked.text))
    }
}

/// A field that may be left unmanaged.
///
/// *Unmanaged* differs from *empty*: an unmanaged field is neither set nor compared, while `Setting::To(None)` is set
/// and kept empty. Declare such fields with `#[serde(default, skip_serializing_if = "Setting::is_unmanaged")]`: a
/// member that is missing in a document is unmanaged.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting<T> {
    /// Not managed: any value is accepted.
    #[default]
    Unmanaged,
    /// Managed, with this value.
    To(T),
}

impl<T> Setting<T> {
    /// Whether the field is unmanaged.
    pub fn is_unmanaged(&self) -> bool {
        matches!(self, Self::Unmanaged)
    }

    /// The value, if it is managed.
    pub fn managed(&self) -> Option<&T> {
        match self {
            Self::Unmanaged => None,
            Self::To(value) => Some(value),
        }
    }
}

impl<T> From<T> for Setting<T> {
    fn from(value: T) -> Self {
        Self::To(value)
    }
}

impl<T: Serialize> Serialize for Setting<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unmanaged => serializer.serialize_none(),
            Self::To(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Setting<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::To)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_known_parts_is_known() {
        let secret = Input::secret([Part::from("user="), Part::Secret(Secret::new("pw"))]);
        assert_eq!(secret, Input::Known(Secret::new("user=pw")));
        assert_eq!(Input::from("x").into_secret(), Input::Known(Secret::new("x")));
    }

    #[test]
    fn a_secret_of_an_output_stays_a_secret() {
        let output = OutputRef {
            task: Key::new("LoadBalancer", "api"),
            output: "dns_name".into(),
            wait: Wait::Created,
        };
        let secret = Input::concat(["host=".into(), Input::Output(output)]).into_secret();
        let Input::Concat(parts) = secret else { panic!("it is known") };
        assert!(matches!(parts[0], Part::Secret(_)), "the mark comes first");
        assert_eq!(parts.len(), 3);
    }
}
