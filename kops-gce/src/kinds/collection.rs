//! What the kinds of Compute Engine have in common, which is nearly everything.
//!
//! An object has a name derived from its task's, a description that carries its
//! [`Mark`](kops_core::cloud::Mark), and a path that is its identifier here. It is created, changed and
//! deleted by operations ([`operations`](crate::operations)). A kind converts its specification to and from
//! the API's form ([`Collection`]); the rest is [`Compute`].
//!
//! **Finding.** One listing returns what carries the scope's mark: the server filters by description, and the
//! marks are checked again here. The holder of a name that a task requests takes a second listing, by name,
//! which a plan without new objects does not make; it also finds shared objects.

mod compute;
mod marks;

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use google_cloud_compute_v1::model::Operation;
use kops_core::cloud::{Context, Mutability, Object, Outputs, Replacement, Scope, State, Timing, Wanted};
use kops_core::graph::{Document, Reference};
use kops_core::resource::Resource;
use kops_core::{Error, ErrorKind, Result};

pub(crate) use self::compute::Compute;
pub(crate) use self::marks::{is_from, marked_by};
use crate::clients::{Clients, request_id};
use crate::names;
use crate::path::Path;

/// Where a collection's objects are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Global,
    Regional,
    Zonal,
}

/// The specification of a collection's kind.
pub(crate) type SpecOf<C> = <<C as Collection>::Kind as Resource>::Resolved;

/// The fields that every object has.
pub(crate) struct Header<'a> {
    pub(crate) self_link: Option<&'a str>,
    pub(crate) description: Option<&'a str>,
}

/// The properties of an object.
pub(crate) struct Facts<S> {
    pub(crate) spec: S,
    pub(crate) state: State,
    pub(crate) outputs: Outputs,
}

impl<S> Facts<S> {
    pub(crate) fn ready(spec: S) -> Self {
        Self { spec, state: State::Ready, outputs: Outputs::default() }
    }
}

/// The input of a change.
pub(crate) struct Changing<'a, C: Collection> {
    pub(crate) path: &'a Path,
    /// The current object, including fingerprints.
    pub(crate) model: C::Model,
    pub(crate) spec: &'a SpecOf<C>,
    pub(crate) changed: &'a BTreeSet<String>,
    /// The engine's token for the change.
    pub(crate) token: &'a str,
    pub(crate) cx: &'a Context,
}

/// A part of a change that was started.
pub(crate) struct Step {
    pub(crate) operation: Operation,
    /// Whether there is more to change.
    pub(crate) more: bool,
}

impl Step {
    /// The last step of a change.
    pub(crate) fn last(operation: Operation) -> Self {
        Self { operation, more: false }
    }
}

impl<C: Collection> Changing<'_, C> {
    /// The request identifier of one of the calls that a change consists of. They must differ: Compute Engine ignores
    /// a request whose identifier it knows, whatever it asks for.
    pub(crate) fn request_id(&self, call: &str) -> String {
        request_id(&format!("{} {call}", self.token), self.path)
    }
}

/// A collection of Compute Engine, and how its kind is converted.
#[async_trait]
pub(crate) trait Collection: Send + Sync + Sized + 'static {
    type Kind: Resource;
    type Model: Clone + Send + Sync + 'static;

    /// Its name in URLs: `networks`.
    const PLURAL: &'static str;
    const LEVEL: Level;
    /// The calls that create and delete, named after their permissions.
    const CREATE: &'static str;
    const DELETE: &'static str;
    const UPDATE: &'static str;

    fn mutability(_field: &str) -> Mutability {
        Mutability::Replace
    }

    fn replacement() -> Replacement {
        Replacement::DeleteFirst
    }

    fn delete_after() -> &'static [&'static str] {
        &[]
    }

    fn timing() -> Timing {
        Timing::new()
            .settle(Duration::from_secs(3))
            .vanish(Duration::from_secs(3))
            .poll(Duration::from_secs(3))
    }

    /// The name of a task's object; `None` if it cannot be derived from the task's name alone.
    fn cloud_name(task: &str) -> Option<String> {
        Some(names::cloud_name(task))
    }

    /// The name of an object that is about to be created.
    fn new_name(task: &str, _spec: &SpecOf<Self>) -> Result<String> {
        Ok(names::cloud_name(task))
    }

    /// The project of an object that is about to be created, if it is another than the connection's.
    fn project(_spec: &SpecOf<Self>) -> Option<&str> {
        None
    }

    /// Projects other than the connection's that may contain objects of the scope.
    async fn further_projects(
        _clients: &Clients,
        _wanted: &[Wanted<'_>],
        _cx: &Context,
    ) -> Result<BTreeSet<String>> {
        Ok(BTreeSet::new())
    }

    /// The zone of an object that is about to be created.
    fn zone(_spec: &SpecOf<Self>) -> Option<&str> {
        None
    }

    /// The objects of a project that match a filter, all pages.
    async fn list(clients: &Clients, project: &str, filter: &str, cx: &Context) -> Result<Vec<Self::Model>>;

    fn header(model: &Self::Model) -> Header<'_>;

    /// The properties of an object; `wanted` is the specification of its task, as far as it is known.
    fn facts(
        clients: &Clients,
        path: &Path,
        model: &Self::Model,
        wanted: Option<&Document>,
    ) -> Result<Facts<SpecOf<Self>>>;

    /// An object's specification right after its creation, without what the creating call does not set: labels of addresses and
    /// forwarding rules "can only be added or modified by the setLabels method".
    fn inserted(spec: &SpecOf<Self>) -> SpecOf<Self> {
        spec.clone()
    }

    /// The identifiers of objects that no task uses any longer but that cannot be deleted yet: they linger
    /// until their last user is gone, and a later plan deletes them. Only called if a task has several
    /// objects, or if a deletion was rejected.
    async fn lingering(_clients: &Clients, _scope: &Scope, _cx: &Context) -> Result<HashSet<String>> {
        Ok(HashSet::new())
    }

    /// Adds the fields that need further calls, for shared objects.
    async fn complete(_clients: &Clients, _object: &mut Object<SpecOf<Self>>, _cx: &Context) -> Result<()> {
        Ok(())
    }

    /// Objects that a specification refers to without naming their kinds.
    fn extra_references(_spec: &SpecOf<Self>) -> Vec<Reference> {
        Vec::new()
    }

    /// Outputs that an update of these members changes.
    fn volatile_outputs(_changed: &BTreeSet<String>) -> &'static [&'static str] {
        &[]
    }

    async fn insert(
        clients: &Clients,
        path: &Path,
        mark: String,
        request_id: String,
        spec: &SpecOf<Self>,
        cx: &Context,
    ) -> Result<Operation>;

    /// Changes the first field that differs. Several changes are made one by one: an object rejects changes
    /// while another one is in progress.
    async fn update(_clients: &Clients, change: Changing<'_, Self>) -> Result<Option<Step>> {
        let members: Vec<_> = change.changed.iter().map(String::as_str).collect();
        Err(Error::internal(format!("{} cannot be changed in place", members.join(", "))))
    }

    /// Whether the description of an object, which contains its mark, can be changed.
    const ADOPTS: bool = false;

    /// Writes an object back, with its description changed.
    async fn write(_clients: &Clients, _path: &Path, writing: Writing<'_, Self>) -> Result<Operation> {
        let Writing { model, .. } = writing;
        let link = Self::header(&model).self_link.unwrap_or_default().to_owned();
        Err(Error::new(ErrorKind::Unsupported, format!("the description of {link} cannot be changed")))
    }

    /// The object with another description.
    fn described(model: Self::Model, _description: String) -> Self::Model {
        model
    }

    async fn delete(clients: &Clients, path: &Path, cx: &Context) -> Result<Operation>;
}

/// An object to write back.
pub(crate) struct Writing<'a, C: Collection> {
    pub(crate) model: C::Model,
    /// Repeating a write without one writes the same again.
    pub(crate) request_id: Option<String>,
    pub(crate) cx: &'a Context,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use kops_core::graph::{Closed, Id};

    use super::*;
    use crate::kinds::subnetwork::{Subnetwork, Subnetworks};

    /// Google ignores a call whose identifier it knows, so the second part of a change would be lost.
    #[test]
    fn calls_of_a_change_have_identifiers_of_their_own() {
        let path = Path::parse("projects/p/regions/r/subnetworks/s").unwrap();
        let spec: Subnetwork<Closed> = Subnetwork {
            network: Id::new("projects/p/global/networks/n"),
            cidr: "10.0.0.0/20".parse().unwrap(),
            secondary_ranges: BTreeMap::default(),
            private_google_access: true,
        };
        let (changed, cx) = (BTreeSet::new(), Context::default());
        let mut seen = HashSet::new();
        for token in 0..1_000 {
            let token = token.to_string();
            let change: Changing<'_, Subnetworks> = Changing {
                path: &path,
                model: google_cloud_compute_v1::model::Subnetwork::new(),
                spec: &spec,
                changed: &changed,
                token: &token,
                cx: &cx,
            };
            assert_eq!(change.request_id("patch"), change.request_id("patch"));
            assert!(seen.insert(change.request_id("patch")) && seen.insert(change.request_id("resize")));
        }
    }
}
