//! The contract between a cloud and the engine.
//!
//! A provider implements [`Cloud`]: it has a [`Handler`] for each of its kinds, and *lowers* a graph of agnostic
//! tasks to a graph of those kinds. The engine does everything else: observing, planning, applying, retrying, pacing,
//! recovering from a crash.
//!
//! The guide `kops_core::guide` (feature `testing`) documents the contract rule by rule.
//!
//! A provider is a plain value, created by a builder of its own crate and passed to the engine:
//! `Engine::new(Arc::new(cloud), scope)`.

mod account_wide;
mod capabilities;
mod causes;
mod context;
mod erased;
mod handler;
mod limits;
mod lookup;
mod machines;
mod mark;
mod mark_tags;
mod names;
mod native;
mod object;
mod paging;
mod permissions;
mod scope;
mod security_group_rules;
mod wanted;
mod with;

use std::fmt;
use std::sync::Arc;

use crate::Result;
use crate::clock::Clock;
use crate::graph::TaskGraph;

pub use crate::domain::{bare_domain, is_in_domain};
#[doc(no_inline)]
pub use crate::resource::Class;
pub use account_wide::AccountWide;
pub use capabilities::Capabilities;
pub use causes::{causes, find_cause, innermost};
pub use context::{Context, Memo, Priority};
pub use erased::{DynHandler, Observed};
pub use handler::{
    Adopt, Create, Delete, Deletion, Filter, Handler, IdentityClass, Mutability, Query, Replacement,
    Resolved, Timing, Update, Wanted,
};
pub use limits::{Limiter, Permit, TokenBucket};
pub use lookup::{Lookup, lookup};
pub use machines::{Machine, MachineState, Machines};
pub use mark::Mark;
pub use mark_tags::MarkTags;
pub use names::{HASH_DIGITS, name_hash, shortened};
pub use native::Native;
pub(crate) use native::StandIn;
pub use object::{Object, Outputs, Owner, State};
pub use paging::pages;
pub use permissions::{Actions, MissingPermission, Permissions};
pub use scope::Scope;
pub use security_group_rules::{RulePeer, SecurityGroupRule, SecurityGroupRules};
pub use wanted::refers_to;
pub use with::With;

/// A cloud that graphs can be applied to.
///
/// # Behavior
/// - Every kind that `lower` emits has a handler in `handlers`.
/// - `lower` is pure: no I/O, the same graph for the same input, and all problems of the input reported at once.
///   Whatever the cloud does not support is an `Unsupported` error here, never a surprise while applying.
/// - Lowering preserves the lifecycle of tasks, and their dependencies.
/// - Every kind has a class.
///
/// A cloud that wraps another one forwards everything. Put `#[deny(clippy::missing_trait_methods)]` on the `impl`: a
/// method that is not forwarded (`machines`, or a future one) would silently be lost. [`With`] is such a wrapper,
/// which adds kinds.
pub trait Cloud: fmt::Debug + Send + Sync {
    /// The provider's name, in lower case: `aws`.
    fn name(&self) -> &str;

    /// The account and region that it is connected to, as far as they are known without a call and are the same in
    /// every process with the same connection: `my-project/europe-west1`, on AWS the region alone. Empty if there is
    /// only one. A plan is not applied at another location.
    fn location(&self) -> String;

    /// Its capabilities.
    fn capabilities(&self) -> Capabilities;

    /// One handler for each native kind.
    fn handlers(&self) -> &[Arc<dyn DynHandler>];

    /// The class of a native kind; `None` for kinds that it does not have. Policies and readers of plans use it, also
    /// for objects that are no longer in any graph.
    fn class(&self, kind: &str) -> Option<Class>;

    /// Lowers agnostic tasks to native ones. Tasks of native kinds are kept, and so are those of the kinds in `own`:
    /// custom kinds whose handlers belong to a wrapper such as [`With`]. References of all of them to agnostic tasks
    /// are converted to references to native ones.
    ///
    /// # Errors
    /// `Unsupported` for what the cloud does not support, `Invalid` for what is wrong there; all problems at once.
    fn lower(&self, graph: &TaskGraph, scope: &Scope, own: &[&str]) -> Result<Native>;

    /// The clock that the engine uses.
    fn clock(&self) -> Arc<dyn Clock>;

    /// Operations on the machines of instance groups, if the provider supports them.
    fn machines(&self) -> Option<&dyn Machines> {
        None
    }

    /// Checks of the credentials' permissions, if the provider supports them.
    fn permissions(&self) -> Option<&dyn Permissions> {
        None
    }
}

/// The handler of a kind.
pub(crate) fn handler_of<'a>(cloud: &'a dyn Cloud, kind: &str) -> Option<&'a Arc<dyn DynHandler>> {
    cloud.handlers().iter().find(|handler| handler.kind() == kind)
}
