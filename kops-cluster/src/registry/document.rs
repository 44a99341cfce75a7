//! One specification in the store: read leniently, written under its version and generation.

use std::fmt;
use std::ops::Deref;

use jiff::{Timestamp, Unit};

use crate::spec::{ApiObject, Cluster, InstanceGroup, Mode, ObjectMeta, Problem};
use kops_core::store::{Precondition, StateStore, StoreKey, StoredObject, Version};
use kops_core::{Error, ErrorKind, Result};

/// A kind of specification that has a file of its own in the store.
pub trait Stored: ApiObject + Clone + PartialEq + fmt::Debug + Send + Sync {
    /// Parses a text; unknown fields are kept, with a warning.
    ///
    /// # Errors
    /// Why the text cannot be read, with the location.
    fn parse(text: &str) -> Result<(Self, Vec<Problem>)>;
    /// Name, labels and history.
    fn metadata_mut(&mut self) -> &mut ObjectMeta;
    /// Whether both have the same specification.
    fn same_spec(&self, other: &Self) -> bool;
}

macro_rules! stored {
    ($($type:ident),*) => { $(
        impl Stored for $type {
            fn parse(text: &str) -> Result<(Self, Vec<Problem>)> {
                Self::from_yaml(text, Mode::Lenient)
            }

            fn metadata_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }

            fn same_spec(&self, other: &Self) -> bool {
                self.spec == other.spec
            }
        }
    )* };
}

stored!(Cluster, InstanceGroup);

/// A specification and the version at which it was read, which a later write replaces. It dereferences to the
/// specification: `versioned.spec`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Versioned<T> {
    /// Boxed, because that of a cluster has several thousand bytes, which is too much for futures.
    object: Box<T>,
    /// Its version in the store.
    pub version: Version,
    /// Warnings from reading it: unknown fields, which are preserved.
    pub warnings: Vec<Problem>,
}

impl<T> Versioned<T> {
    /// The specification, without its version.
    pub fn into_inner(self) -> T {
        *self.object
    }
}

impl<T> Deref for Versioned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.object
    }
}

impl<T: Stored> Versioned<T> {
    /// How often the specification was changed.
    pub fn generation(&self) -> i64 {
        self.object.metadata().generation.unwrap_or_default()
    }

    pub(super) fn from_object(store: &dyn StateStore, key: &StoreKey, stored: StoredObject) -> Result<Self> {
        let place = format!("{}/{key}", store.location());
        let text = String::from_utf8(stored.bytes).map_err(|_| {
            Error::invalid(format!("{place} is not a text")).with_hint("restore it from a backup")
        })?;
        let (mut object, warnings) = T::parse(&text).map_err(|error| {
            let message = format!("{place}: {}", error.message());
            let hint = error.hint().unwrap_or("correct the file in the state store").to_owned();
            Error::new(error.kind(), message).with_hint(hint)
        })?;
        // The file's name counts, because other objects refer to it. `config` has the name of its directory.
        let name = match key.name() {
            super::CONFIG => key.as_str().split('/').next().unwrap_or_default(),
            name => name,
        };
        let metadata = object.metadata_mut();
        if metadata.name.is_empty() {
            name.clone_into(&mut metadata.name);
        } else if metadata.name != name {
            let other = &metadata.name;
            return Err(Error::invalid(format!("{place} holds the {} {other}, not {name}", T::KIND))
                .with_hint("move the file to where it belongs, or correct metadata.name"));
        }
        Ok(Self { object: Box::new(object), version: stored.version, warnings })
    }
}

/// Writes a new specification, replacing `leftover` of an interrupted write.
pub(super) async fn create<T: Stored>(
    store: &dyn StateStore,
    key: &StoreKey,
    object: &T,
    now: Timestamp,
    leftover: Option<Version>,
) -> Result<Versioned<T>> {
    let title = title(object);
    let mut object = Box::new(object.clone());
    object.metadata_mut().creation_timestamp.get_or_insert_with(|| seconds(now));
    let bytes = object.to_yaml()?.into_bytes();
    match store.put(key, bytes, leftover.map_or(Precondition::Absent, Precondition::Match)).await {
        Ok(version) => Ok(Versioned { object, version, warnings: Vec::new() }),
        Err(error) if error.kind() == ErrorKind::Conflict => Err(exists(store, &title).with_source(error)),
        Err(error) => Err(error),
    }
}

/// The error for an object that exists already.
pub(super) fn exists(store: &dyn StateStore, title: &str) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        format!("{title} already exists in state store {}", store.location()),
    )
    .with_hint("update it, or choose another name")
}

/// Replaces the version that the edit is based on.
pub(super) async fn update<T: Stored>(
    store: &dyn StateStore,
    key: &StoreKey,
    base: &Versioned<T>,
    object: &T,
) -> Result<Versioned<T>> {
    let before = base.object.metadata();
    if object.metadata().name != before.name {
        let title = title(&*base.object);
        return Err(Error::invalid(format!("{title} cannot be renamed to {}", object.metadata().name))
            .with_hint("create a new one, and delete this one"));
    }
    let created = before.creation_timestamp.clone();
    let mut object = Box::new(object.clone());
    let same_spec = object.same_spec(&base.object);
    let metadata = object.metadata_mut();
    metadata.creation_timestamp = metadata.creation_timestamp.take().or(created);
    metadata.generation = if same_spec { before.generation } else { Some(base.generation() + 1) };
    if object == base.object {
        return Ok(base.clone());
    }
    let bytes = object.to_yaml()?.into_bytes();
    match store.put(key, bytes, Precondition::Match(base.version.clone())).await {
        Ok(version) => Ok(Versioned { object, version, warnings: base.warnings.clone() }),
        Err(error) if error.kind() == ErrorKind::Conflict => Err(overtaken(store, key, base, error).await),
        Err(error) => Err(error),
    }
}

/// Rejects an edit if the version it is based on is no longer the store's.
pub(super) async fn is_current<T: Stored>(
    store: &dyn StateStore,
    key: &StoreKey,
    base: &Versioned<T>,
    now: Option<&Version>,
) -> Result<()> {
    if now == Some(&base.version) {
        return Ok(());
    }
    Err(overtaken(store, key, base, Precondition::Match(base.version.clone()).refusal(store, key)).await)
}

/// Reports the two states of a specification between which an edit was overtaken.
async fn overtaken<T: Stored>(
    store: &dyn StateStore,
    key: &StoreKey,
    base: &Versioned<T>,
    error: Error,
) -> Error {
    let title = title(&*base.object);
    let began = format!("generation {} (version {})", base.generation(), base.version);
    let now = match store.get(key).await {
        Ok(None) => "it was deleted".to_owned(),
        Ok(Some(object)) => {
            let version = object.version.clone();
            match Versioned::<T>::from_object(store, key, object) {
                Ok(now) => format!("the state store has generation {} (version {version})", now.generation()),
                Err(_) => format!("the state store has version {version}, which cannot be read"),
            }
        }
        Err(_) => "the state store has another one".to_owned(),
    };
    Error::new(
        ErrorKind::Conflict,
        format!("{title} was changed in the meantime: this change is based on {began}, but {now}"),
    )
    .with_hint("nothing was written; read it again and retry the change")
    .with_source(error)
}

pub(super) fn title<T: Stored>(object: &T) -> String {
    format!("{}/{}", T::KIND, object.metadata().name)
}

/// A time as Kubernetes writes it.
fn seconds(time: Timestamp) -> String {
    time.round(Unit::Second).unwrap_or(time).to_string()
}

/// Reads one specification, if it exists.
pub(super) async fn read<T: Stored>(store: &dyn StateStore, key: &StoreKey) -> Result<Option<Versioned<T>>> {
    store.get(key).await?.map(|object| Versioned::from_object(store, key, object)).transpose()
}
