//! Objects as observed.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Scope;
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
    /// The name of the task it was created for, from its mark; `None` if it has none.
    pub name: Option<String>,
    /// Its owner.
    pub owner: Owner,
    /// Its state.
    pub state: State,
    /// Its specification. Members that the cloud does not return are set as desired or, if they cannot be known,
    /// declared [`Mutability::WriteOnly`](super::Mutability::WriteOnly).
    pub spec: S,
    /// Its outputs, other than the identifier.
    pub outputs: Outputs,
    /// Other names that a selector may use.
    pub aliases: Vec<String>,
    /// Whether it is marked as retained.
    pub retained: bool,
    /// Who created it, if it is owned by the scope but belongs to no task: a controller that runs on the
    /// scope's machines. Such a *dependent* is deleted only together with everything else, see
    /// [`Filter::Scope`](super::Filter::Scope).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependent: Option<String>,
    /// The reason why the scope cannot [adopt](super::Handler::adopt) it, if there is one: it has the mark of another
    /// scope, or it is where the scope's objects are not looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unadoptable: Option<String>,
}

impl<S> Object<S> {
    /// An object of the scope, created for the task `name`, ready.
    pub fn owned(id: impl Into<String>, name: impl Into<String>, spec: S) -> Self {
        Self { name: Some(name.into()), owner: Owner::Scope, ..Self::foreign(id, spec) }
    }

    /// A foreign object, ready.
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
            dependent: None,
            unadoptable: None,
        }
    }

    setters! {
        /// Sets the identifier.
        into id: String;
        /// Sets the name of the task it was created for.
        option name: String;
        /// Sets its owner.
        set owner: Owner;
        /// Sets its state.
        set state: State;
        /// Sets its specification.
        set spec: S;
        /// Sets its outputs.
        set outputs: Outputs;
        /// Adds names that a selector may use.
        texts aliases;
        /// Sets whether it is marked as retained.
        set retained: bool;
        /// Sets who created it, if it belongs to no task.
        option dependent: String;
        /// Sets the reason why the scope cannot adopt it.
        option unadoptable: String;
    }

    /// Records that it belongs to another scope, if it does, so that adopting it is rejected when planning.
    pub fn held_by(self, other: Option<Scope>) -> Self {
        match other {
            Some(other) => self.unadoptable(format!("it belongs to scope {other}")),
            None => self,
        }
    }

    /// Adds an output.
    pub fn output<K, T: Serialize>(mut self, output: Output<K, T>, value: T) -> Self {
        self.outputs.set(output, value);
        self
    }

    /// Adds a name that a selector may use.
    pub fn alias(mut self, alias: impl Into<String>) -> Self {
        self.aliases.push(alias.into());
        self
    }

    /// Converts its specification.
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
            dependent: self.dependent,
            unadoptable: self.unadoptable,
        }
    }

    /// Whether `selector` matches the object: its identifier or one of its aliases.
    pub fn matches(&self, selector: &str) -> bool {
        self.id == selector || self.aliases.iter().any(|alias| alias == selector)
    }
}

/// The owner of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Owner {
    /// The scope's.
    Scope,
    /// Someone else; the object must not be changed.
    Other,
    /// Not recorded in the object, but in the journal (see [`IdentityClass::Journal`](super::IdentityClass)).
    Unknown,
}

/// The state of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum State {
    /// It is ready for use.
    Ready,
    /// It is being created or updated.
    Pending,
    /// It failed, with the cloud's reason.
    Failed(String),
    /// It is being deleted.
    Deleting,
    /// It is deleted, but still listed.
    Gone,
}

impl State {
    /// Whether the object counts as existing.
    pub fn is_live(&self) -> bool {
        !matches!(self, Self::Deleting | Self::Gone)
    }
}

/// The outputs of an object, other than its identifier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Outputs(BTreeMap<String, Value>);

impl Outputs {
    /// Sets an output. A value that cannot be serialised counts as not known yet.
    pub fn set<K, T: Serialize>(&mut self, output: Output<K, T>, value: T) {
        if let Ok(value) = serde_json::to_value(value) {
            self.0.insert(output.name().to_owned(), value);
        }
    }

    /// An output in its type; `None` while it is not known.
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
    /// `Internal` if the value has another type.
    pub fn get<R, T: DeserializeOwned>(&self, output: Output<R, T>) -> Result<Option<T>> {
        let Some(value) = self.value(output.name()) else { return Ok(None) };
        T::deserialize(value).map(Some).map_err(|error| {
            Error::internal(format!("the output {:?} has another type", output.name())).with_source(error)
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
