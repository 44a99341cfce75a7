//! What a cloud is to the engine.
//!
//! A provider implements [`Cloud`]: it names its kinds by their [`Handler`]s and *lowers* a graph of
//! agnostic tasks to a graph of those kinds. Everything else, observing, planning, applying, retrying,
//! pacing, recovering from a crash, is the engine's.
//!
//! How to write one, rule by rule, is in `kops_core::guide` (feature `testing`).
//!
//! A provider is a plain value, made by a builder of its own crate and handed to the engine:
//! `Engine::new(Arc::new(cloud), scope)`.

mod account_wide;
mod capabilities;
mod causes;
mod class;
mod context;
mod erased;
mod handler;
mod limits;
mod lookup;
mod machines;
mod mark;
mod mark_tags;
mod names;
mod object;
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
use crate::lower::Native;

pub use account_wide::AccountWide;
pub use capabilities::Capabilities;
pub use causes::{causes, find_cause, innermost};
pub use class::Class;
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
pub use names::{HASH_DIGITS, bare_domain, name_hash, shortened};
pub use object::{Object, Outputs, Owner, State};
pub use permissions::{Actions, MissingPermission, Permissions};
pub use scope::Scope;
pub use security_group_rules::{RulePeer, SecurityGroupRule, SecurityGroupRules};
pub use wanted::refers_to;
pub use with::With;

/// A cloud that graphs can be applied to.
///
/// # Behavior
/// - Every kind that `lower` emits has a handler in `handlers`.
/// - `lower` is pure: no I/O, the same graph for the same input, and every problem of the input reported at
///   once. What the cloud cannot do is an `Unsupported` error here, never a surprise while applying.
/// - A task's lifecycle, and what waits for what, survive lowering.
/// - Every kind has a class.
///
/// A cloud that stands in front of another passes everything on. Have `#[deny(clippy::missing_trait_methods)]` on the
/// `impl`: what it forgets (`machines`, or what is to come) would silently be lost. For further kinds [`With`] is such a
/// cloud.
pub trait Cloud: fmt::Debug + Send + Sync {
    /// The provider's name, lower case: `aws`.
    fn name(&self) -> &str;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// One handler for each native kind.
    fn handlers(&self) -> &[Arc<dyn DynHandler>];

    /// What objects of a native kind are for; `None` for kinds that it does not have. Policies and readers of plans
    /// go by it, also for objects that no graph knows any more.
    fn class(&self, kind: &str) -> Option<Class>;

    /// Turns agnostic tasks into native ones. Tasks of native kinds pass through, and so do those of the kinds in
    /// `own`: kinds of somebody else's that a wrapper such as [`With`] has the handlers of. References of all of them to
    /// agnostic tasks become references to the native ones.
    ///
    /// # Errors
    /// `Unsupported` for what the cloud cannot do, `Invalid` for what makes no sense there; all problems at once.
    fn lower(&self, graph: &TaskGraph, scope: &Scope, own: &[&str]) -> Result<Native>;

    /// The clock by which the engine waits.
    fn clock(&self) -> Arc<dyn Clock>;

    /// The machines of instance groups, if the provider can show them.
    fn machines(&self) -> Option<&dyn Machines> {
        None
    }

    /// What the credentials may do, if the provider can find out.
    fn permissions(&self) -> Option<&dyn Permissions> {
        None
    }
}

/// The handler of a kind.
pub(crate) fn handler_of<'a>(cloud: &'a dyn Cloud, kind: &str) -> Option<&'a Arc<dyn DynHandler>> {
    cloud.handlers().iter().find(|handler| handler.kind() == kind)
}
