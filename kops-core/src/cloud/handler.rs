//! The contract of one native kind.

use async_trait::async_trait;
use std::collections::BTreeSet;
use std::time::Duration;

use super::{Context, Object, Scope};
use crate::Result;
use crate::graph::{Document, Reference};
use crate::resource::Resource;

/// The closed specification of a handler's kind.
pub type Resolved<H> = <<H as Handler>::Kind as Resource>::Resolved;

/// Makes, lists, changes and deletes the objects of one kind.
///
/// Each method is at most a few calls of the cloud's API and returns its first error as it is: retrying,
/// pacing between tasks, and recovery are the engine's. The metadata methods are pure.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// The kind.
    type Kind: Resource;

    /// How a create is kept from making a second object.
    fn identity(&self) -> IdentityClass;

    /// What it takes to change a field, by the name of the specification's member.
    fn mutability(&self, _field: &str) -> Mutability {
        Mutability::InPlace
    }

    /// What comes first when an object is replaced.
    fn replacement(&self) -> Replacement {
        Replacement::DeleteFirst
    }

    /// Kinds whose objects must be gone before one of this kind can be deleted, although they do not refer
    /// to it: addresses in use keep an internet gateway attached.
    fn delete_after(&self) -> &'static [&'static str] {
        &[]
    }

    /// Outputs that an update of these members changes: known only after it.
    fn volatile_outputs(&self, _changed: &BTreeSet<String>) -> &'static [&'static str] {
        &[]
    }

    /// Objects that a specification refers to by other means than an [`Id`](crate::graph::Id).
    fn further_references(&self, _spec: &Resolved<Self>) -> Vec<Reference>
    where
        Self: Sized,
    {
        Vec::new()
    }

    /// How long things usually take.
    fn timing(&self) -> Timing {
        Timing::default()
    }

    /// Makes the calls of [`list`](Self::list) that depend on nothing but the scope, before the graph is known, and
    /// keeps their answers in `cx.memo`, where `list` finds them.
    ///
    /// Worth it for kinds whose listing waits for one call after another. Most need none: the default does nothing.
    ///
    /// # Behavior
    /// - Changes nothing, and makes no call that `list` would not make.
    /// - A failure is not the end: `list` makes the call again, and tells its own.
    async fn prefetch(&self, _scope: &Scope, _cx: &Context) -> Result<()> {
        Ok(())
    }

    /// The objects that the query asks for.
    ///
    /// # Behavior
    /// - With [`Filter::Scope`]: every object that the scope owns, in any state but long gone; every object
    ///   that a selector means; and, for named kinds, an object of somebody else's that holds a wanted name
    ///   (as [`Owner::Other`](super::Owner::Other), with that name). Nothing else is needed.
    /// - With [`Filter::Ids`]: those objects, whoever's they are; what is missing in the answer is gone.
    /// - All pages are read. The number of calls does not grow with the number of objects, pages aside.
    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Resolved<Self>>>>;

    /// Makes an object and returns it as it is now.
    ///
    /// # Behavior
    /// - Makes *one* creating call, with the marks of ownership in that call wherever the cloud can.
    /// - What the creating call cannot set is left as the cloud has set it, and shown so in the returned
    ///   specification: the engine then calls `update` for the difference. A crash in between is mended by
    ///   the next run in the same way.
    /// - Does not wait until the object works: it returns [`State::Pending`](super::State::Pending).
    async fn create(&self, request: Create<'_, Resolved<Self>>) -> Result<Object<Resolved<Self>>>;

    /// Changes an object in place and returns it as it is then.
    ///
    /// # Behavior
    /// - Repeating it after a failure half way is harmless.
    async fn update(&self, request: Update<'_, Resolved<Self>>) -> Result<Object<Resolved<Self>>>;

    /// Deletes an object.
    ///
    /// # Behavior
    /// - Deleting what is gone already succeeds.
    /// - Does not wait until it is gone: it returns [`Deletion::Pending`].
    async fn delete(&self, request: Delete<'_, Resolved<Self>>) -> Result<Deletion>;
}

/// How a create is kept from making a second object when the first answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityClass {
    /// The cloud refuses a second object of the same name with
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists); the name follows from scope and task.
    Named,
    /// The object carries scope and task from the moment it exists, so that listing finds it.
    Tagged,
    /// The create takes a token; the cloud answers the same token with the same object. The object is
    /// tagged at creation too: that is how the next run finds what a killed one made.
    Token,
    /// None of these: the engine writes what it intends to a journal first.
    Journal,
}

/// What it takes to change a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutability {
    /// An update.
    InPlace,
    /// Another object.
    Replace,
    /// It cannot be done, and another object would lose what this one holds: the plan is refused.
    Immutable,
    /// The cloud does not show it, so it is not compared.
    WriteOnly,
}

/// What comes first when an object is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// The old one goes before the new one comes: they cannot exist side by side.
    DeleteFirst,
    /// The new one comes, whoever used the old one moves, the old one goes.
    CreateFirst,
}

/// How long things usually take; only the order of work follows from it, never a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A creating, changing or deleting call.
    pub call: Duration,
    /// From the answer to the create until the object works.
    pub settle: Duration,
    /// From the answer to the delete until the object is gone.
    pub vanish: Duration,
    /// The longest pause between two looks whether it works or is gone; the first looks come sooner.
    pub poll: Duration,
}

impl Default for Timing {
    /// A call of 250 ms that is done when it is answered.
    fn default() -> Self {
        Self {
            call: Duration::from_millis(250),
            settle: Duration::ZERO,
            vanish: Duration::ZERO,
            poll: Duration::from_secs(5),
        }
    }
}

/// Which objects are asked for.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// The scope.
    pub scope: &'a Scope,
    /// Which objects.
    pub filter: Filter<'a>,
    /// What the call takes along.
    pub cx: &'a Context,
}

/// Which objects are asked for.
#[derive(Clone, Copy, Debug)]
pub enum Filter<'a> {
    /// What the scope owns, what `shared` selects, and who holds the names of what is `wanted`.
    Scope {
        /// The tasks of this kind in the graph that are not shared.
        wanted: &'a [Wanted<'a>],
        /// The selectors of the shared tasks of this kind.
        shared: &'a [&'a str],
    },
    /// These objects.
    Ids(&'a [String]),
}

/// A task that wants an object to exist.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The task's name.
    pub name: &'a str,
    /// Its specification, in which outputs of other tasks may still be unknown.
    pub spec: &'a Document,
}

/// Asks for an object.
#[derive(Clone, Debug)]
pub struct Create<'a, S> {
    /// The scope that will own it.
    pub scope: &'a Scope,
    /// The task's name.
    pub name: &'a str,
    /// What it shall be like.
    pub spec: &'a S,
    /// Whether to mark it never to be deleted.
    pub retained: bool,
    /// An idempotency token: 64 lower-case hexadecimal digits, the same however often this creation is repeated
    /// in this run, and another in every other run.
    pub token: &'a str,
    /// What the call takes along.
    pub cx: &'a Context,
}

/// Asks for a change in place.
#[derive(Clone, Debug)]
pub struct Update<'a, S> {
    /// The scope that owns the object.
    pub scope: &'a Scope,
    /// The task's name.
    pub name: &'a str,
    /// The object as it is.
    pub object: &'a Object<S>,
    /// What it shall be like.
    pub spec: &'a S,
    /// The members of the specification that differ.
    pub changed: &'a BTreeSet<String>,
    /// An idempotency token, as for [`Create`].
    pub token: &'a str,
    /// What the call takes along.
    pub cx: &'a Context,
}

/// Asks for an object's end.
#[derive(Clone, Debug)]
pub struct Delete<'a, S> {
    /// The scope that owns it.
    pub scope: &'a Scope,
    /// The object as it is.
    pub object: &'a Object<S>,
    /// What the call takes along.
    pub cx: &'a Context,
}

/// How far a deletion has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// The object is gone.
    Done,
    /// It will be gone.
    Pending,
}
