//! The schema of a specification, as data.
//!
//! Every type of a specification is declared once, with `spec!` or `choice!`. The declaration gives the Rust
//! type, its serialisation, and a [`Shape`]: the names and types of its fields as a constant. The shape
//! provides what serialisation alone cannot: finding *every* unknown field and *every* wrong type of a
//! document in one pass, each with its path; "did you mean"; and setting a field by its path with a value of
//! its type.
//!
//! Fields that a type does not know are preserved in its `unknown` map and written back in the same place.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::address::{cidr, mend_range};
use super::path::Path;
use super::problem::{Problems, Severity};

/// Fields that this version does not know, preserved as they were written.
pub type Unknown = BTreeMap<String, Value>;

/// The type of a value in a document.
#[derive(Debug)]
pub enum Shape {
    /// `true` or `false`.
    Bool,
    /// An integer within bounds.
    Integer {
        /// The minimum.
        min: i64,
        /// The maximum.
        max: i64,
    },
    /// Any text.
    Text,
    /// Text that messages do not show.
    Secret,
    /// Text in a certain format.
    Form(&'static Form),
    /// A number or text: `1` or `25%`.
    IntegerOrText,
    /// One of several words.
    Choice(&'static [&'static str]),
    /// A list.
    List(&'static Shape),
    /// A map with arbitrary keys.
    Map(&'static Shape),
    /// An object with known fields.
    Object(&'static [Field]),
    /// An object with exactly one field set.
    OneOf(&'static [Field]),
    /// Any value: preserved, not interpreted.
    Opaque,
}

/// A field of an object.
#[derive(Debug)]
pub struct Field {
    /// Its name in documents.
    pub name: &'static str,
    /// The type of its value.
    pub shape: &'static Shape,
}

/// A format of text.
#[derive(Debug)]
pub struct Form {
    /// What is expected: `a CIDR`.
    pub what: &'static str,
    /// An example of it.
    pub example: &'static str,
    /// Whether a text has the format.
    pub fits: fn(&str) -> bool,
    /// How a text that does not have the format has to be written, if what was meant is known.
    pub mend: fn(&str) -> Option<String>,
}

impl Shape {
    /// The fields of an object; empty for all other shapes.
    pub fn fields(&self) -> &'static [Field] {
        match self {
            Self::Object(fields) | Self::OneOf(fields) => fields,
            _ => &[],
        }
    }

    /// The shape of a field.
    pub fn field(&self, name: &str) -> Option<&'static Shape> {
        self.fields().iter().find(|field| field.name == name).map(|field| field.shape)
    }

    /// A description of the expected value, for messages.
    pub fn expects(&self) -> String {
        match self {
            Self::Bool => "true or false".to_owned(),
            Self::Integer { .. } => "an integer".to_owned(),
            Self::Text | Self::Secret => "text".to_owned(),
            Self::Form(form) => format!("{} such as {}", form.what, form.example),
            Self::IntegerOrText => "an integer or a percentage such as 25%".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::List(of) => format!("a list (of {})", of.expects()),
            Self::Map(of) => format!("a map (to {})", of.expects()),
            Self::Object(_) | Self::OneOf(_) => "an object".to_owned(),
            Self::Opaque => "any value".to_owned(),
        }
    }
}

/// A type that can be part of a specification.
pub trait Schema {
    /// Its shape in documents.
    const SHAPE: &'static Shape;
}

impl Schema for bool {
    const SHAPE: &'static Shape = &Shape::Bool;
}
impl Schema for i32 {
    const SHAPE: &'static Shape = &Shape::Integer { min: i32::MIN as i64, max: i32::MAX as i64 };
}
impl Schema for i64 {
    const SHAPE: &'static Shape = &Shape::Integer { min: i64::MIN, max: i64::MAX };
}
impl Schema for String {
    const SHAPE: &'static Shape = &Shape::Text;
}
impl Schema for IpNet {
    const SHAPE: &'static Shape = &Shape::Form(&Form {
        what: "a CIDR",
        example: "10.0.0.0/16",
        fits: |text| cidr(text).is_some(),
        mend: mend_range,
    });
}
impl<T: Schema> Schema for Option<T> {
    const SHAPE: &'static Shape = T::SHAPE;
}
impl<T: Schema + 'static> Schema for Vec<T> {
    const SHAPE: &'static Shape = &Shape::List(T::SHAPE);
}
impl<T: Schema + 'static> Schema for BTreeMap<String, T> {
    const SHAPE: &'static Shape = &Shape::Map(T::SHAPE);
}

/// Settings that are not interpreted here: preserved, and written back exactly as they were.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Opaque(pub Value);

impl Schema for Opaque {
    const SHAPE: &'static Shape = &Shape::Opaque;
}

impl From<Value> for Opaque {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

/// A count or a percentage: `1`, `25%`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum IntOrString {
    /// A count.
    Int(i64),
    /// A percentage, or a count written as text.
    Text(String),
}

impl Schema for IntOrString {
    const SHAPE: &'static Shape = &Shape::IntegerOrText;
}

/// Whether a field is omitted when written.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Declares a type of a specification: `name: Type => "documentName"`.
macro_rules! spec {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$field_meta:meta])* $field:ident : $type:ty => $document:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct $name {
            $(
                $(#[$field_meta])*
                #[serde(rename = $document, skip_serializing_if = "crate::spec::schema::is_default")]
                pub $field: $type,
            )*
            /// Fields that this version does not know, preserved as they were written.
            #[serde(flatten)]
            pub unknown: $crate::spec::Unknown,
        }

        impl $crate::spec::schema::Schema for $name {
            const SHAPE: &'static $crate::spec::schema::Shape = &$crate::spec::schema::Shape::Object(&[
                $( $crate::spec::schema::Field {
                    name: $document,
                    shape: <$type as $crate::spec::schema::Schema>::SHAPE,
                }, )*
            ]);
        }
    };
}
pub(crate) use spec;

/// Declares an enumeration of words.
macro_rules! choice {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $( $(#[$word_meta:meta])* $word:ident => $document:literal, )* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $( $(#[$word_meta])* #[serde(rename = $document)] $word, )*
        }

        impl $name {
            /// All values.
            pub const ALL: &'static [Self] = &[$( Self::$word, )*];

            /// The word in documents.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$word => $document, )* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = ::kops_core::Error;

            /// Parses the word, ignoring case.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|word| word.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
                    ::kops_core::Error::invalid(format!("{text:?} is not supported"))
                        .with_hint(format!("use one of {}", [$( $document, )*].join(", ")))
                })
            }
        }

        impl $crate::spec::schema::Schema for $name {
            const SHAPE: &'static $crate::spec::schema::Shape =
                &$crate::spec::schema::Shape::Choice(&[$( $document, )*]);
        }
    };
}
pub(crate) use choice;

/// The closest of `names` to a misspelt one, if any is close.
pub(crate) fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    names
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        // Up to a third of the letters may differ; a wider guess would confuse.
        .filter(|(distance, candidate)| *distance <= (candidate.len().max(lower.len()) / 3).max(1))
        .min()
        .map(|(_, candidate)| candidate)
}

/// How a document is checked against a shape.
#[derive(Clone, Copy)]
pub(crate) struct Checking<'a> {
    /// The severity of unknown fields.
    pub(crate) unknown: Severity,
    /// What is written at a path, if YAML made something other than text of it.
    pub(crate) written: &'a dyn Fn(&Path) -> Option<String>,
}

impl Checking<'_> {
    /// Checks values that no text is known of.
    pub(crate) fn values(unknown: Severity) -> Checking<'static> {
        Checking { unknown, written: &|_| None }
    }

    /// Reports everything in `value` that does not fit `shape`, and removes what cannot be read, so that the rest
    /// can still be checked.
    ///
    /// `null` is removed as well: for Kubernetes tools a null field is absent.
    pub(crate) fn check(
        self,
        value: &mut Value,
        shape: &'static Shape,
        path: &Path,
        problems: &mut Problems,
    ) {
        if !self.fits(value, shape, path, problems) {
            *value = Value::Null;
        }
    }

    /// Whether `value` can be read as `shape`; its content is cleaned on the way.
    fn fits(self, value: &mut Value, shape: &'static Shape, path: &Path, problems: &mut Problems) -> bool {
        let good = match (shape, &mut *value) {
            (Shape::Opaque, _)
            | (Shape::Bool, Value::Bool(_))
            | (Shape::Text | Shape::Secret | Shape::IntegerOrText, Value::String(_)) => true,
            (Shape::Integer { min, max }, Value::Number(number)) => {
                number.as_i64().is_some_and(|number| (*min..=*max).contains(&number))
            }
            (Shape::Form(form), Value::String(text)) => (form.fits)(text),
            (Shape::IntegerOrText, Value::Number(number)) => number.is_i64(),
            (Shape::Choice(words), Value::String(text)) => words.contains(&text.as_str()),
            (Shape::List(of), Value::Array(items)) => return self.list_fits(items, of, path, problems),
            (Shape::Map(of), Value::Object(entries)) => {
                entries
                    .retain(|key, value| !value.is_null() && self.fits(value, of, &path.key(key), problems));
                true
            }
            (Shape::Object(fields), Value::Object(entries)) => {
                self.object_fits(entries, fields, path, problems);
                true
            }
            (Shape::OneOf(fields), Value::Object(entries)) => {
                return self.one_of_fits(entries, fields, path, problems);
            }
            _ => false,
        };
        if !good {
            let written = if matches!(shape, Shape::Secret) { None } else { (self.written)(path) };
            let (message, fix) = wrong(value, written, shape);
            problems.error(path.clone(), message, fix);
        }
        good
    }

    fn list_fits(
        self,
        items: &mut [Value],
        of: &'static Shape,
        path: &Path,
        problems: &mut Problems,
    ) -> bool {
        let mut good = true;
        for (at, item) in items.iter_mut().enumerate() {
            if !self.fits(item, of, &path.index(at), problems) {
                // An empty object keeps the indices of its neighbours; other lists are dropped as a whole.
                if matches!(of, Shape::Object(_)) {
                    *item = Value::Object(Map::new());
                } else {
                    good = false;
                }
            }
        }
        good
    }

    fn object_fits(
        self,
        entries: &mut Map<String, Value>,
        fields: &'static [Field],
        path: &Path,
        problems: &mut Problems,
    ) {
        entries.retain(|key, value| {
            let here = path.key(key);
            if let Some(field) = fields.iter().find(|field| field.name == key) {
                return !value.is_null() && self.fits(value, field.shape, &here, problems);
            }
            let fix = match nearest(key, fields.iter().map(|field| field.name)) {
                Some(close) => format!("did you mean {close}?"),
                None if self.unknown == Severity::Warning => "it is preserved, but has no effect".to_owned(),
                None => "remove it, or correct its name".to_owned(),
            };
            problems.unknown_field(self.unknown, here, format!("unknown field {key:?}"), fix);
            true
        });
    }

    fn one_of_fits(
        self,
        entries: &mut Map<String, Value>,
        fields: &'static [Field],
        path: &Path,
        problems: &mut Problems,
    ) -> bool {
        entries.retain(|_, value| !value.is_null());
        let names = || fields.iter().map(|field| field.name);
        let choices = names().collect::<Vec<_>>().join(", ");
        if entries.len() != 1 {
            let found = entries.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let message = if found.is_empty() {
                "no field is set".to_owned()
            } else {
                format!("{found} are mutually exclusive")
            };
            problems.error(path.clone(), message, format!("set exactly one of {choices}"));
            return false;
        }
        let Some((key, value)) = entries.iter_mut().next() else { return false };
        if let Some(field) = fields.iter().find(|field| field.name == key) {
            return self.fits(value, field.shape, &path.key(key), problems);
        }
        let fix = match nearest(key, names()) {
            Some(close) => format!("did you mean {close}? Supported: {choices}"),
            None => format!("use one of {choices}"),
        };
        problems.error(path.clone(), format!("{key:?} is not supported"), fix);
        false
    }
}

/// What is wrong with a value, and how to fix it; the two do not say the same thing.
fn wrong(value: &Value, written: Option<String>, shape: &Shape) -> (String, String) {
    let found = match value {
        _ if matches!(shape, Shape::Secret) => "the value".to_owned(),
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) | Value::Number(_) => written.unwrap_or_else(|| value.to_string()),
        Value::String(text) => format!("{text:?}"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    match (shape, value) {
        (Shape::Text, Value::Bool(_) | Value::Number(_)) => {
            (format!("{found} is not text"), format!("put it in quotes: \"{found}\""))
        }
        (Shape::Choice(words), Value::String(text)) => match nearest(text, words.iter().copied()) {
            Some(close) => (format!("{found} is not {}", shape.expects()), format!("did you mean {close}?")),
            None => (format!("{found} is not supported"), format!("use {}", shape.expects())),
        },
        (Shape::Form(form), Value::String(text)) => {
            let fix = (form.mend)(text).unwrap_or_else(|| format!("use one such as {}", form.example));
            (format!("{found} is not {}", form.what), fix)
        }
        (Shape::Form(form), Value::Bool(_) | Value::Number(_)) => {
            let fix = if (form.fits)(&found) {
                format!("put it in quotes: \"{found}\"")
            } else {
                (form.mend)(&found).unwrap_or_else(|| format!("use one such as {}", form.example))
            };
            (format!("{found} is not {}", form.what), fix)
        }
        (Shape::Bool, Value::String(text)) if text.parse::<bool>().is_ok() => {
            (format!("{found} is not true or false"), "remove the quotes".to_owned())
        }
        (Shape::Bool, _) => (format!("{found} is neither true nor false"), "write one of the two".to_owned()),
        (Shape::Integer { .. }, Value::String(text)) if text.parse::<i64>().is_ok() => {
            (format!("{found} is not an integer"), "remove the quotes".to_owned())
        }
        (Shape::Integer { min, max }, Value::Number(number)) if !number.is_f64() => {
            (format!("{found} is out of range"), format!("use an integer from {min} to {max}"))
        }
        (Shape::Integer { .. }, _) => (format!("{found} is not an integer"), "use one such as 3".to_owned()),
        (Shape::IntegerOrText, _) => (
            format!("{found} is neither an integer nor a percentage"),
            "use a form such as 1 or 25%".to_owned(),
        ),
        (Shape::List(_), Value::String(_) | Value::Bool(_) | Value::Number(_)) => {
            (format!("{found} is not {}", shape.expects()), format!("write it as a list: [{found}]"))
        }
        (Shape::Object(_) | Shape::OneOf(_) | Shape::Map(_), _) => (
            format!("{found} is not {}", shape.expects()),
            "write its fields below it, one per line and indented".to_owned(),
        ),
        _ => (format!("{found} is not {}", shape.expects()), format!("write {}", shape.expects())),
    }
}
