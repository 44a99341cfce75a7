//! What a kind of objects is.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Id, Stage};

/// A kind of object that a graph can hold.
///
/// A kind is a plain struct with serde's derives and an `impl` of `Resource`; the struct takes a
/// [`Stage`](super::Stage) so that a field can refer to another task's output. A whole kind:
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
///     /// The far end's address, known when the line is up.
///     const PEER: Output<Self, String> = Output::new("peer");
/// }
/// ```
///
/// How documents compare follows from the types: a member that is absent (a
/// [`Setting`](crate::graph::Setting) left unmanaged) is not compared; a map's members are compared one by
/// one, and members only the cloud has are left alone; a `BTreeSet` compares as a set, a `Vec` in order.
///
/// Implemented for the open stage of a struct; `Resolved` is the same struct closed.
pub trait Resource:
    Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The kind's name, unique within a provider, in UpperCamelCase.
    const KIND: &'static str;

    /// The names of its outputs besides the identifier, which every object has as `id`. A reference to an output that
    /// is not listed is refused when the graph is built or planned.
    const OUTPUTS: &'static [&'static str] = &[];

    /// The kind with every value known: what a handler creates from, and what it observes.
    type Resolved: Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;
}

/// A value that objects of kind `R` put out: declared as a constant beside the kind.
pub struct Output<R, T> {
    name: &'static str,
    types: PhantomData<fn() -> (R, T)>,
}

impl<R, T> Output<R, T> {
    /// The output called `name`; `id` is every kind's identifier.
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

/// A value at a stage: shorthand for the kinds' fields.
pub type At<S, T> = <S as Stage>::Of<T>;
