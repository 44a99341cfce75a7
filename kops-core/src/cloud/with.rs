//! Custom kinds, in addition to those of a provider.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{Capabilities, Class, Cloud, DynHandler, Machines, Permissions, Scope};
use crate::clock::Clock;
use crate::cloud::Native;
use crate::graph::TaskGraph;
use crate::{Error, Result, resource};

/// A cloud with additional kinds: users of a database on AWS's machines, or inventory entries for any cloud's
/// addresses.
///
/// Tasks of custom kinds are in the same graph as all others. They may refer to outputs of agnostic tasks, and vice
/// versa; lowering converts these references to references to the native tasks. Their objects are listed, created,
/// updated and deleted by the handlers passed here, in the same plan as the cloud's. Everything else is the cloud's:
/// its name, capabilities, machines, clock.
///
/// ```
/// use std::sync::Arc;
/// # use kops_core::Result;
/// # use kops_core::cloud::*;
/// # use kops_core::graph::{Closed, Open, Output, Stage};
/// # use kops_core::testing::MemoryCloud;
/// use kops_core::resource::{Address, At, Resource};
/// use kops_core::graph::TaskGraph;
/// # use serde::{Deserialize, Serialize};
///
/// /// An entry of the inventory.
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// #[serde(bound = "")]
/// struct Entry<S: Stage = Open> {
///     ip: At<S, String>,
/// }
///
/// impl Resource for Entry {
///     const KIND: &'static str = "Entry";
///     type Resolved = Entry<Closed>;
/// }
/// # struct Inventory;
/// # #[async_trait::async_trait]
/// # impl Handler for Inventory {
/// #     type Kind = Entry;
/// #     fn identity(&self) -> IdentityClass { IdentityClass::Named }
/// #     async fn list(&self, _: &Query<'_>) -> Result<Vec<Object<Entry<Closed>>>> { Ok(Vec::new()) }
/// #     async fn create(&self, request: Create<'_, Entry<Closed>>) -> Result<Object<Entry<Closed>>> {
/// #         Ok(Object::owned(request.name, request.name, request.spec.clone()))
/// #     }
/// #     async fn update(&self, request: Update<'_, Entry<Closed>>) -> Result<Object<Entry<Closed>>> {
/// #         Ok(request.object.clone())
/// #     }
/// #     async fn delete(&self, _: Delete<'_, Entry<Closed>>) -> Result<Deletion> { Ok(Deletion::Done) }
/// # }
///
/// // `Inventory` is a handler of `Entry`; the cloud could be any other.
/// let inventory: Arc<dyn DynHandler> = Arc::new(Inventory);
/// let cloud = With::new(MemoryCloud::new(), [inventory])?.class("Entry", Class::Data);
///
/// let mut graph = TaskGraph::builder();
/// let door = graph.add("door", Address::new());
/// graph.add("door", Entry { ip: door.get(Address::IP) });
/// let native = cloud.lower(&graph.build()?, &Scope::new("demo"), &[])?;
/// assert_eq!(native.graph().len(), 2);
/// # Ok::<(), kops_core::Error>(())
/// ```
#[derive(Clone)]
pub struct With<C> {
    cloud: C,
    /// The names of the custom kinds.
    own: Vec<&'static str>,
    classes: BTreeMap<&'static str, Class>,
    /// The cloud's handlers, then those of the custom kinds.
    handlers: Arc<[Arc<dyn DynHandler>]>,
}

impl<C: Cloud> With<C> {
    /// A cloud with the kinds of these handlers in addition to its own.
    ///
    /// # Errors
    /// `Invalid` if a kind has the name of one of the cloud's, of an agnostic kind or of another custom kind: names
    /// of kinds must be unique. Future agnostic kinds may use more names; a prefix of your own (`AcmeDatabaseUser`)
    /// avoids conflicts.
    pub fn new(cloud: C, handlers: impl IntoIterator<Item = Arc<dyn DynHandler>>) -> Result<Self> {
        let mut all = cloud.handlers().to_vec();
        let (mut own, mut problems) = (Vec::new(), Vec::new());
        for handler in handlers {
            let kind = handler.kind();
            let holder = if own.contains(&kind) {
                Some("another custom kind".to_owned())
            } else if resource::kinds().any(|agnostic| agnostic == kind) {
                Some("an agnostic kind".to_owned())
            } else if all.iter().any(|other| other.kind() == kind) {
                Some(format!("a kind of {}", cloud.name()))
            } else {
                None
            };
            if let Some(holder) = holder {
                problems.push(
                    Error::invalid(format!("kind {kind} already exists: it is {holder}"))
                        .with_hint("use a unique prefix for the custom kind"),
                );
            } else if kind.is_empty() || kind.contains('/') {
                problems.push(
                    Error::invalid(format!("{kind:?} is not a valid kind name"))
                        .with_hint("use UpperCamelCase, without a slash"),
                );
            } else {
                own.push(kind);
                all.push(handler);
            }
        }
        if !problems.is_empty() {
            return Err(Error::from_many(problems));
        }
        Ok(Self { cloud, own, classes: BTreeMap::new(), handlers: all.into() })
    }

    /// Sets the class of a custom kind; [`Class::Other`] by default.
    pub fn class(mut self, kind: &'static str, class: Class) -> Self {
        self.classes.insert(kind, class);
        self
    }

    /// The cloud without the custom kinds.
    pub fn cloud(&self) -> &C {
        &self.cloud
    }
}

impl<C: fmt::Debug> fmt::Debug for With<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("With").field("cloud", &self.cloud).field("own", &self.own).finish_non_exhaustive()
    }
}

#[deny(clippy::missing_trait_methods, reason = "methods that are not forwarded would be lost")]
impl<C: Cloud> Cloud for With<C> {
    fn name(&self) -> &str {
        self.cloud.name()
    }

    fn location(&self) -> String {
        self.cloud.location()
    }

    fn capabilities(&self) -> Capabilities {
        self.cloud.capabilities()
    }

    fn handlers(&self) -> &[Arc<dyn DynHandler>] {
        &self.handlers
    }

    fn class(&self, kind: &str) -> Option<Class> {
        if !self.own.contains(&kind) {
            return self.cloud.class(kind);
        }
        Some(self.classes.get(kind).copied().unwrap_or_default())
    }

    fn lower(&self, graph: &TaskGraph, scope: &Scope, own: &[&str]) -> Result<Native> {
        let all: Vec<&str> = self.own.iter().copied().chain(own.iter().copied()).collect();
        self.cloud.lower(graph, scope, &all)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.cloud.clock()
    }

    fn machines(&self) -> Option<&dyn Machines> {
        self.cloud.machines()
    }

    fn permissions(&self) -> Option<&dyn Permissions> {
        self.cloud.permissions()
    }
}

#[deny(clippy::missing_trait_methods, reason = "methods that are not forwarded would be lost")]
impl<C: Cloud + ?Sized> Cloud for Arc<C> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn location(&self) -> String {
        (**self).location()
    }

    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    fn handlers(&self) -> &[Arc<dyn DynHandler>] {
        (**self).handlers()
    }

    fn class(&self, kind: &str) -> Option<Class> {
        (**self).class(kind)
    }

    fn lower(&self, graph: &TaskGraph, scope: &Scope, own: &[&str]) -> Result<Native> {
        (**self).lower(graph, scope, own)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        (**self).clock()
    }

    fn machines(&self) -> Option<&dyn Machines> {
        (**self).machines()
    }

    fn permissions(&self) -> Option<&dyn Permissions> {
        (**self).permissions()
    }
}
