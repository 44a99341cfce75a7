//! The contract of a native kind.

use async_trait::async_trait;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

use super::{Context, Mark, Object, Owner, Scope};
use crate::graph::{Document, Reference};
use crate::resource::Resource;
use crate::{Error, ErrorKind, Result, setters};

/// The closed specification of a handler's kind.
pub type Resolved<H> = <<H as Handler>::Kind as Resource>::Resolved;

/// Lists, creates, updates and deletes the objects of one kind.
///
/// Each method makes a few calls to the cloud's API and returns the first error unchanged: the engine
/// retries, paces and recovers. The metadata methods are pure.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// The kind.
    type Kind: Resource;

    /// How a second creation of an object is prevented.
    fn identity(&self) -> IdentityClass;

    /// How a field can be changed, by the name of the specification's member.
    fn mutability(&self, _field: &str) -> Mutability {
        Mutability::InPlace
    }

    /// How a change of a field can be made, where that depends on its values. They are those of the whole member, even
    /// if only a part of it changes, as a plan shows them: an output that is not known yet is text such as
    /// `${Kind/name.output}`.
    fn mutability_of(&self, field: &str, _before: &Value, _after: &Value) -> Mutability {
        self.mutability(field)
    }

    /// Whether creation or deletion comes first in a replacement.
    fn replacement(&self) -> Replacement {
        Replacement::DeleteFirst
    }

    /// Kinds whose objects must be gone before one of this kind can be deleted, although they do not refer to it. For
    /// example, addresses in use prevent detaching an internet gateway.
    fn delete_after(&self) -> &'static [&'static str] {
        &[]
    }

    /// Outputs that an update of these members changes, so that they are known only afterwards.
    fn volatile_outputs(&self, _changed: &BTreeSet<String>) -> &'static [&'static str] {
        &[]
    }

    /// Objects that a specification refers to without an [`Id`](crate::graph::Id).
    fn extra_references(&self, _spec: &Resolved<Self>) -> Vec<Reference>
    where
        Self: Sized,
    {
        Vec::new()
    }

    /// The typical and maximum durations.
    fn timing(&self) -> Timing {
        Timing::default()
    }

    /// Makes those calls of [`list`](Self::list) that depend only on the scope, before the graph is known, and stores
    /// their results in `cx.memo`, where `list` finds them.
    ///
    /// Useful for kinds whose listing makes several calls in sequence. By default, it does nothing.
    ///
    /// # Behavior
    /// - Changes nothing, and makes no call that `list` would not make.
    /// - A failure is ignored: `list` repeats the call, and reports its own failure.
    async fn prefetch(&self, _scope: &Scope, _cx: &Context) -> Result<()> {
        Ok(())
    }

    /// The objects that match the query.
    ///
    /// # Behavior
    /// - With [`Filter::Scope`]: every object owned by the scope, in any state except long gone; every object that
    ///   matches a selector; and, for named kinds, a foreign object with a requested name (as
    ///   [`Owner::Other`](super::Owner::Other), with that name). Other objects are not needed. A foreign object that
    ///   refers to one of the scope's keeps it from being deleted; so foreign parts that are deleted with it must not
    ///   be returned, unless they have a requested name.
    /// - With [`Filter::Ids`]: these objects, regardless of their owner; those missing in the result are gone.
    /// - Reads all pages. Except for paging, the number of calls does not grow with the number of objects.
    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Resolved<Self>>>>;

    /// Creates an object and returns its current state.
    ///
    /// # Behavior
    /// - Makes *one* creating call, which includes the marks if the cloud supports that.
    /// - Fields that the creating call cannot set are returned with the value that the cloud has chosen; the engine
    ///   then calls `update` for the difference. After a crash in between, the next run does the same.
    /// - Does not wait until the object is ready, but returns [`State::Pending`](super::State::Pending).
    async fn create(&self, request: Create<'_, Resolved<Self>>) -> Result<Object<Resolved<Self>>>;

    /// Updates an object in place and returns its new state.
    ///
    /// # Behavior
    /// - Repeating it after a partial failure is harmless.
    async fn update(&self, request: Update<'_, Resolved<Self>>) -> Result<Object<Resolved<Self>>>;

    /// Whether [`adopt`](Self::adopt) is implemented; used when planning.
    fn can_adopt(&self) -> bool {
        false
    }

    /// Marks an object as owned by the scope and created for the task: a foreign object that is taken over, or an
    /// object of the scope whose task was renamed. Returns its new state.
    ///
    /// # Behavior
    /// - Sets the marks, and changes nothing else.
    /// - From then on, [`list`](Self::list) returns the object as owned by the scope, with the task's name.
    /// - Repeating it is harmless.
    /// - An object with the mark of another scope is not changed; the error has kind
    ///   [`Conflict`](crate::ErrorKind::Conflict).
    ///
    /// # Errors
    /// By default `Unsupported`: objects of the kind carry no marks, or their names are derived from their tasks'
    /// names.
    async fn adopt(&self, _request: Adopt<'_, Resolved<Self>>) -> Result<Object<Resolved<Self>>> {
        Err(Error::new(ErrorKind::Unsupported, "objects of this kind cannot be taken over"))
    }

    /// Deletes an object.
    ///
    /// # Behavior
    /// - Deleting an object that is gone already succeeds.
    /// - Does not wait until it is gone, but returns [`Deletion::Pending`].
    async fn delete(&self, request: Delete<'_, Resolved<Self>>) -> Result<Deletion>;
}

/// How a second creation of an object is prevented if the first response was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityClass {
    /// The cloud rejects a second object of the same name with [`AlreadyExists`](crate::ErrorKind::AlreadyExists);
    /// the name is derived from scope and task.
    Named,
    /// The object carries scope and task from its creation, so that listing finds it.
    Tagged,
    /// The creating call takes a token; with the same token, the cloud returns the same object. The object is tagged
    /// on creation, too, so that the next run finds what a killed run created.
    Token,
    /// None of these: the engine records its intent in a journal first.
    Journal,
}

/// How a field can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mutability {
    /// By an update.
    InPlace,
    /// By replacing the object.
    Replace,
    /// Not at all, and a replacement would lose data: the plan is rejected.
    Immutable,
    /// The cloud does not return it, so it is not compared.
    WriteOnly,
}

/// The order of a replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replacement {
    /// The old object is deleted before the new one is created, because both cannot exist at once.
    DeleteFirst,
    /// The new object is created, users of the old one are updated, then the old one is deleted.
    CreateFirst,
}

/// The typical durations, which determine the order of steps, and the maximum durations.
///
/// More fields may be added: construct it with `Timing::new()` and setters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// The typical duration of a creating, updating or deleting call.
    pub call: Duration,
    /// The typical time from the response to the creation until the object is ready.
    pub settle: Duration,
    /// The typical time from the response to the deletion until the object is gone.
    pub vanish: Duration,
    /// The maximum interval between two polls of a pending object; the first polls come sooner.
    pub poll: Duration,
    /// The maximum time that one run waits until an object is ready or gone; then its step fails with
    /// [`DeadlineExceeded`](crate::ErrorKind::DeadlineExceeded). The next run waits for as long again.
    pub deadline: Duration,
}

impl Default for Timing {
    /// A call of 250 ms without waiting, and a deadline of half an hour: longer than virtual machines, disks,
    /// networks and load balancers take on any cloud. Databases and restored disks may take hours.
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
    /// A call of 250 ms without waiting.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// Sets the typical duration of a call.
        set call: Duration;
        /// Sets the typical time until the object is ready.
        set settle: Duration;
        /// Sets the typical time until the object is gone.
        set vanish: Duration;
        /// Sets the maximum interval between two polls.
        set poll: Duration;
    }
}

/// A query for objects.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Query<'a> {
    /// The scope.
    pub scope: &'a Scope,
    /// The objects to return.
    pub filter: Filter<'a>,
    /// The context of the call.
    pub cx: &'a Context,
}

impl<'a> Query<'a> {
    /// A query for the objects that match a filter.
    pub fn new(scope: &'a Scope, filter: Filter<'a>, cx: &'a Context) -> Self {
        Self { scope, filter, cx }
    }
}

/// The objects that a query returns.
///
/// Exhaustive: a handler has to implement each variant, and the compiler should tell it about new ones. Variants may
/// get more fields: match them with `..`.
#[derive(Clone, Copy, Debug)]
pub enum Filter<'a> {
    /// The objects owned by the scope, those that match `shared`, and those with the names of `wanted` tasks.
    #[non_exhaustive]
    Scope {
        /// The tasks of this kind in the graph that are not shared.
        wanted: &'a [Wanted<'a>],
        /// The selectors of the shared tasks of this kind.
        shared: &'a [&'a str],
        /// Whether the graph is empty, so that everything of the scope is to go. Only then are
        /// [dependents](super::Object::dependent) needed.
        dissolving: bool,
    },
    /// These objects.
    Ids(&'a [String]),
}

impl<'a> Filter<'a> {
    /// The objects owned by the scope, those that match `shared`, and those with the names of `wanted` tasks.
    pub fn scope(wanted: &'a [Wanted<'a>], shared: &'a [&'a str]) -> Self {
        Self::Scope { wanted, shared, dissolving: false }
    }
}

/// A task of the graph that requests an object.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Wanted<'a> {
    /// The task's name.
    pub name: &'a str,
    /// Its specification; outputs of other tasks may still be unknown.
    pub spec: &'a Document,
}

impl<'a> Wanted<'a> {
    /// A task and its specification.
    pub fn new(name: &'a str, spec: &'a Document) -> Self {
        Self { name, spec }
    }
}

/// A request to create an object.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Create<'a, S> {
    /// The scope that will own it.
    pub scope: &'a Scope,
    /// The task's name.
    pub name: &'a str,
    /// Its specification.
    pub spec: &'a S,
    /// Whether to mark it as retained.
    pub retained: bool,
    /// An idempotency token: 64 lower-case hexadecimal digits, the same for all retries of this creation in this run,
    /// and different in every other run.
    pub token: &'a str,
    /// The context of the call.
    pub cx: &'a Context,
}

impl<'a, S> Create<'a, S> {
    /// A request to create the object of a task.
    pub fn new(scope: &'a Scope, name: &'a str, spec: &'a S, token: &'a str, cx: &'a Context) -> Self {
        Self { scope, name, spec, retained: false, token, cx }
    }

    setters! {
        /// Sets whether to mark it as retained.
        set retained: bool;
    }
}

/// A request to update an object in place.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Update<'a, S> {
    /// The scope that owns the object.
    pub scope: &'a Scope,
    /// The task's name.
    pub name: &'a str,
    /// The observed object.
    pub object: &'a Object<S>,
    /// Its new specification.
    pub spec: &'a S,
    /// The members of the specification that differ.
    pub changed: &'a BTreeSet<String>,
    /// An idempotency token, as for [`Create`].
    pub token: &'a str,
    /// The context of the call.
    pub cx: &'a Context,
}

impl<'a, S> Update<'a, S> {
    /// A request to update a task's object to its specification.
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

/// A request to mark an object as owned by the scope.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Adopt<'a, S> {
    /// The scope that will own it.
    pub scope: &'a Scope,
    /// The task's name.
    pub name: &'a str,
    /// The observed object.
    pub object: &'a Object<S>,
    /// Whether to mark it as retained.
    pub retained: bool,
    /// The context of the call.
    pub cx: &'a Context,
}

impl<'a, S> Adopt<'a, S> {
    /// A request to mark an object as owned by the scope and created for the task `name`.
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

impl<S> Adopt<'_, S> {
    /// The mark to set on the object. `other` is another scope whose mark it has now, which the observation that was
    /// planned with may not have shown yet.
    ///
    /// # Errors
    /// `Conflict` if the object belongs to another scope.
    pub fn mark(&self, other: Option<Scope>) -> Result<Mark> {
        match other.filter(|_| self.object.owner != Owner::Scope) {
            Some(other) => {
                Err(Error::new(ErrorKind::Conflict, format!("{} belongs to scope {other}", self.object.id))
                    .with_hint("have that scope give it up first, and remove its marks"))
            }
            None => Ok(Mark { retained: self.retained, ..Mark::new(self.scope, self.name) }),
        }
    }
}

impl<S: Clone> Adopt<'_, S> {
    /// The object with the requested marks, to return once they are set.
    pub fn adopted(&self) -> Object<S> {
        Object {
            name: Some(self.name.to_owned()),
            owner: Owner::Scope,
            retained: self.retained,
            unadoptable: None,
            ..self.object.clone()
        }
    }
}

/// A request to delete an object.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Delete<'a, S> {
    /// The scope that owns it.
    pub scope: &'a Scope,
    /// The observed object.
    pub object: &'a Object<S>,
    /// The context of the call.
    pub cx: &'a Context,
}

impl<'a, S> Delete<'a, S> {
    /// A request to delete an object that the scope owns.
    pub fn new(scope: &'a Scope, object: &'a Object<S>, cx: &'a Context) -> Self {
        Self { scope, object, cx }
    }
}

/// The progress of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deletion {
    /// The object is gone.
    Done,
    /// The object will be gone later.
    Pending,
}
