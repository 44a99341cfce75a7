//! Objects as the cloud shows them.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::resource::Output;
use crate::setters;
use crate::{Error, Result};

/// An object as observed.
///
/// `S` is the kind's closed specification in a [`Handler`](super::Handler), and a document elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Object<S> {
    /// The cloud's identifier.
    pub id: String,
    /// The name of the task it was made for, as the object itself tells; `None` when it tells none.
    pub name: Option<String>,
    /// Whose it is.
    pub owner: Owner,
    /// How it fares.
    pub state: State,
    /// What it is like. Members that the cloud does not show are set as wanted or, if they cannot be
    /// known, declared [`Mutability::WriteOnly`](super::Mutability::WriteOnly).
    pub spec: S,
    /// What it puts out besides its identifier.
    pub outputs: Outputs,
    /// Other names by which a selector may mean it.
    pub aliases: Vec<String>,
    /// Marked never to be deleted.
    pub retained: bool,
}

impl<S> Object<S> {
    /// An object of the scope, made for the task `name`, ready.
    pub fn owned(id: impl Into<String>, name: impl Into<String>, spec: S) -> Self {
        Self { name: Some(name.into()), owner: Owner::Scope, ..Self::foreign(id, spec) }
    }

    /// Somebody else's object, ready.
    pub fn foreign(id: impl Into<String>, spec: S) -> Self {
        Self {
            id: id.into(),
            name: None,
            owner: Owner::Other,
            state: State::Ready,
            spec,
            outputs: Outputs::default(),
            aliases: Vec::new(),
            retained: false,
        }
    }

    setters! {
        /// Sets the cloud's identifier.
        into id: String;
        /// Sets the name of the task it was made for.
        option name: String;
        /// Sets whose it is.
        set owner: Owner;
        /// Sets its state.
        set state: State;
        /// Sets what it is like.
        set spec: S;
        /// Sets its outputs.
        set outputs: Outputs;
        /// Adds names by which a selector may mean it.
        texts aliases;
        /// Sets whether it is marked never to be deleted.
        set retained: bool;
    }

    /// The object with an output.
    pub fn output<K, T: Serialize>(mut self, output: Output<K, T>, value: T) -> Self {
        self.outputs.set(output, value);
        self
    }

    /// The object with another name by which a selector may mean it.
    pub fn alias(mut self, alias: impl Into<String>) -> Self {
        self.aliases.push(alias.into());
        self
    }

    /// The object with another form of specification.
    pub fn map<T>(self, convert: impl FnOnce(S) -> T) -> Object<T> {
        Object {
            id: self.id,
            name: self.name,
            owner: self.owner,
            state: self.state,
            spec: convert(self.spec),
            outputs: self.outputs,
            aliases: self.aliases,
            retained: self.retained,
        }
    }

    /// Whether this is the object that `selector` selects: by its identifier or one of its aliases.
    pub fn matches(&self, selector: &str) -> bool {
        self.id == selector || self.aliases.iter().any(|alias| alias == selector)
    }
}

/// Whose an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Owner {
    /// The scope's.
    Scope,
    /// Somebody else's; not to be touched.
    Other,
    /// The object cannot tell; the journal knows (see [`IdentityClass::Journal`](super::IdentityClass)).
    Unknown,
}

/// How an object fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum State {
    /// It works.
    Ready,
    /// It is being made or changed.
    Pending,
    /// It will not work; the cloud says why.
    Failed(String),
    /// It is on its way out.
    Deleting,
    /// It is dead but still shown.
    Gone,
}

impl State {
    /// Whether the object still counts as existing.
    pub fn is_live(&self) -> bool {
        !matches!(self, Self::Deleting | Self::Gone)
    }
}

/// What an object puts out besides its identifier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Outputs(BTreeMap<String, Value>);

impl Outputs {
    /// Sets an output. A value that does not serialise counts as not known yet.
    pub fn set<K, T: Serialize>(&mut self, output: Output<K, T>, value: T) {
        if let Ok(value) = serde_json::to_value(value) {
            self.0.insert(output.name().to_owned(), value);
        }
    }

    /// An output as its type; `None` while it is not known.
    ///
    /// ```
    /// use kops_core::cloud::Outputs;
    /// use kops_core::resource::Address;
    ///
    /// let mut outputs = Outputs::default();
    /// outputs.set(Address::IP, "192.0.2.1".to_owned());
    /// assert_eq!(outputs.get(Address::IP)?.as_deref(), Some("192.0.2.1"));
    /// # Ok::<(), kops_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Internal` when the value is of another type.
    pub fn get<R, T: DeserializeOwned>(&self, output: Output<R, T>) -> Result<Option<T>> {
        let Some(value) = self.value(output.name()) else { return Ok(None) };
        T::deserialize(value).map(Some).map_err(|error| {
            Error::internal(format!("the output {:?} is of another type", output.name())).with_source(error)
        })
    }

    /// An output by its name, as JSON.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// All outputs, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}
