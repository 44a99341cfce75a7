//! The contract of one native kind.

use async_trait::async_trait;
use std::collections::BTreeSet;
use std::time::Duration;

use super::{Context, Object, Owner, Scope};
use crate::graph::{Document, Reference};
use crate::resource::Resource;
use crate::{Error, ErrorKind, Result, setters};

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
    fn extra_references(&self, _spec: &Resolved<Self>) -> Vec<Reference>
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

    /// Whether [`adopt`](Self::adopt) is there: asked when planning.
    fn can_adopt(&self) -> bool {
        false
    }

    /// Marks an object as the scope's, made for the task: an object of somebody else's that is taken over, or one of the
    /// scope's whose task has another name now. Returns it as it is then.
    ///
    /// # Behavior
    /// - Sets the marks of ownership, and changes nothing else.
    /// - From then on [`list`](Self::list) shows the object as the scope's, with the task's name.
    /// - Repeating it is harmless.
    /// - An object that bears the mark of another scope is left alone, with an error of the kind
    ///   [`Conflict`](crate::ErrorKind::Conflict).
    ///
    /// # Errors
    /// By default `Unsupported`: objects of the kind bear no marks, or their names follow from their tasks'.
    async fn adopt(&self, _request: Adopt<'_, Resolved<Self>>) -> Result<Object<Resolved<Self>>> {
        Err(Error::new(ErrorKind::Unsupported, "objects of this kind cannot be taken over"))
    }

    /// Deletes an object.
    ///
    /// # Behavior
    /// - Deleting what is gone already succeeds.
    /// - Does not wait until it is gone: it returns [`Deletion::Pending`].
    async fn delete(&self, request: Delete<'_, Resolved<Self>>) -> Result<Deletion>;
}

/// How a create is kept from making a second object when the first answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
#[non_exhaustive]
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
#[non_exhaustive]
pub enum Replacement {
    /// The old one goes before the new one comes: they cannot exist side by side.
    DeleteFirst,
    /// The new one comes, whoever used the old one moves, the old one goes.
    CreateFirst,
}

/// How long things usually take, from which the order of work follows, and how long they may take at most.
///
/// Fields may come: write `..Timing::default()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// A creating, changing or deleting call.
    pub call: Duration,
    /// From the answer to the create until the object works.
    pub settle: Duration,
    /// From the answer to the delete until the object is gone.
    pub vanish: Duration,
    /// The longest pause between two looks whether it works or is gone; the first looks come sooner.
    pub poll: Duration,
    /// The longest that one run waits until an object works, or is gone; then its step fails with
    /// [`DeadlineExceeded`](crate::ErrorKind::DeadlineExceeded). The next run waits as long again.
    pub deadline: Duration,
}

impl Default for Timing {
    /// A call of 250 ms that is done when it is answered, and half an hour for what is not: longer than virtual
    /// machines, disks, networks and load balancers take on any cloud. Databases, managed control planes and restored
    /// disks may take hours.
    fn default() -> Self {
        Self {
            call: Duration::from_millis(250),
            settle: Duration::ZERO,
            vanish: Duration::ZERO,
            poll: Duration::from_secs(5),
            deadline: Duration::from_mins(30),
        }
    }
}

impl Timing {
    /// A call of 250 ms that is done when it is answered.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// Sets how long a call takes.
        set call: Duration;
        /// Sets how long it takes until the object works.
        set settle: Duration;
        /// Sets how long it takes until the object is gone.
        set vanish: Duration;
        /// Sets the longest pause between two looks.
        set poll: Duration;
    }
}

/// Which objects are asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Query<'a> {
    /// The scope.
    pub scope: &'a Scope,
    /// Which objects.
    pub filter: Filter<'a>,
    /// What the call takes along.
    pub cx: &'a Context,
}

impl<'a> Query<'a> {
    /// Asks for the objects of a filter.
    pub fn new(scope: &'a Scope, filter: Filter<'a>, cx: &'a Context) -> Self {
        Self { scope, filter, cx }
    }
}

/// Which objects are asked for.
///
/// Exhaustive: a handler answers each of them, and is to be told by the compiler when another comes. What is asked along
/// with one can grow: match it with `..`.
#[derive(Clone, Copy, Debug)]
pub enum Filter<'a> {
    /// What the scope owns, what `shared` selects, and who holds the names of what is `wanted`.
    #[non_exhaustive]
    Scope {
        /// The tasks of this kind in the graph that are not shared.
        wanted: &'a [Wanted<'a>],
        /// The selectors of the shared tasks of this kind.
        shared: &'a [&'a str],
    },
    /// These objects.
    Ids(&'a [String]),
}

impl<'a> Filter<'a> {
    /// What the scope owns, what `shared` selects, and who holds the names of what is `wanted`.
    pub fn scope(wanted: &'a [Wanted<'a>], shared: &'a [&'a str]) -> Self {
        Self::Scope { wanted, shared }
    }
}

/// A task that wants an object to exist.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Wanted<'a> {
    /// The task's name.
    pub name: &'a str,
    /// Its specification, in which outputs of other tasks may still be unknown.
    pub spec: &'a Document,
}

impl<'a> Wanted<'a> {
    /// A task and its specification.
    pub fn new(name: &'a str, spec: &'a Document) -> Self {
        Self { name, spec }
    }
}

/// Asks for an object.
#[derive(Clone, Debug)]
#[non_exhaustive]
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

impl<'a, S> Create<'a, S> {
    /// Asks for the object of a task.
    pub fn new(scope: &'a Scope, name: &'a str, spec: &'a S, token: &'a str, cx: &'a Context) -> Self {
        Self { scope, name, spec, retained: false, token, cx }
    }

    setters! {
        /// Sets whether to mark it never to be deleted.
        set retained: bool;
    }
}

/// Asks for a change in place.
#[derive(Clone, Debug)]
#[non_exhaustive]
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

impl<'a, S> Update<'a, S> {
    /// Asks for a task's object to become what the specification says.
    pub fn new(
        scope: &'a Scope,
        name: &'a str,
        object: &'a Object<S>,
        spec: &'a S,
        changed: &'a BTreeSet<String>,
        token: &'a str,
        cx: &'a Context,
    ) -> Self {
        Self { scope, name, object, spec, changed, token, cx }
    }
}

/// Asks for an object to be marked as the scope's.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Adopt<'a, S> {
    /// The scope that will own it.
    pub scope: &'a Scope,
    /// The task's name.
    pub name: &'a str,
    /// The object as it is.
    pub object: &'a Object<S>,
    /// Whether to mark it never to be deleted.
    pub retained: bool,
    /// What the call takes along.
    pub cx: &'a Context,
}

impl<'a, S> Adopt<'a, S> {
    /// Asks for an object to be marked as the scope's, made for the task `name`.
    pub fn new(
        scope: &'a Scope,
        name: &'a str,
        object: &'a Object<S>,
        retained: bool,
        cx: &'a Context,
    ) -> Self {
        Self { scope, name, object, retained, cx }
    }
}

impl<S: Clone> Adopt<'_, S> {
    /// The object with the marks that are asked for, for answering when they have been set.
    pub fn adopted(&self) -> Object<S> {
        Object {
            name: Some(self.name.to_owned()),
            owner: Owner::Scope,
            retained: self.retained,
            ..self.object.clone()
        }
    }
}

/// Asks for an object's end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Delete<'a, S> {
    /// The scope that owns it.
    pub scope: &'a Scope,
    /// The object as it is.
    pub object: &'a Object<S>,
    /// What the call takes along.
    pub cx: &'a Context,
}

impl<'a, S> Delete<'a, S> {
    /// Asks for the end of an object that the scope owns.
    pub fn new(scope: &'a Scope, object: &'a Object<S>, cx: &'a Context) -> Self {
        Self { scope, object, cx }
    }
}

/// How far a deletion has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deletion {
    /// The object is gone.
    Done,
    /// It will be gone.
    Pending,
}
