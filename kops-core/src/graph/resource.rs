//! The trait of a kind of objects.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Id, Stage};

/// A kind of objects that a graph can contain.
///
/// A kind is a plain struct with serde's derives and an implementation of `Resource`; the struct has a
/// [`Stage`](super::Stage) parameter so that fields can refer to outputs of other tasks. A complete kind:
///
/// ```
/// use kops_core::graph::{Closed, Id, Open, Output, Resource, Stage};
/// use kops_core::resource::Network;
/// use serde::{Deserialize, Serialize};
///
/// /// A private line into a network.
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// #[serde(bound = "")]
/// struct PrivateLine<S: Stage = Open> {
///     network: S::Of<Id<Network>>,
///     megabits: u32,
/// }
///
/// impl Resource for PrivateLine {
///     const KIND: &'static str = "PrivateLine";
///     const OUTPUTS: &'static [&'static str] = &[Self::PEER.name()];
///     type Resolved = PrivateLine<Closed>;
/// }
///
/// impl PrivateLine {
///     /// The address of the remote end, known once the line is up.
///     const PEER: Output<Self, String> = Output::new("peer");
/// }
/// ```
///
/// The types determine how documents are compared: an absent member (a [`Setting`](crate::graph::Setting) that is
/// unmanaged) is not compared; a map is compared member by member, ignoring those that only the cloud has; a
/// `BTreeSet` is compared as a set, a `Vec` in order.
///
/// Implement it for the open stage of a struct; `Resolved` is the same struct with the closed stage.
pub trait Resource:
    Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The kind's name, unique within a provider, in UpperCamelCase.
    const KIND: &'static str;

    /// The names of its outputs other than the identifier, which every object has as `id`. References to other
    /// outputs are rejected when the graph is built or planned.
    const OUTPUTS: &'static [&'static str] = &[];

    /// The kind with all values known: what a handler creates objects from, and what it observes.
    type Resolved: Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;
}

/// An output of objects of kind `R`, declared as a constant of the kind.
pub struct Output<R, T> {
    name: &'static str,
    types: PhantomData<fn() -> (R, T)>,
}

impl<R, T> Output<R, T> {
    /// The output with a name; `id` is the identifier of every kind.
    pub const fn new(name: &'static str) -> Self {
        Self { name, types: PhantomData }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<R> Output<R, Id<R>> {
    /// The identifier, which every object has.
    pub const ID: Self = Self::new("id");
}

impl<R, T> Clone for Output<R, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, T> Copy for Output<R, T> {}

impl<R, T> fmt::Debug for Output<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A value at a stage: a shorthand for fields of kinds.
pub type At<S, T> = <S as Stage>::Of<T>;
