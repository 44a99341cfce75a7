//! The permissions of credentials.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Context, Scope};
use crate::Result;
use crate::graph::{Lifecycle, TaskGraph};

/// Checks the permissions of credentials, before anything is created.
#[async_trait]
pub trait Permissions: Send + Sync {
    /// The actions that applying the native `graph` needs, but the credentials lack.
    async fn missing(&self, graph: &TaskGraph, scope: &Scope, cx: &Context)
    -> Result<Vec<MissingPermission>>;

    /// The least permissions that a scope needs, in the cloud's policy language.
    fn least(&self, scope: &Scope) -> Value;

    /// What [adopting](super::Handler::adopt) objects needs in addition to the least permissions, in the cloud's policy
    /// language; by default nothing. On clouds whose policies confine a scope to its own objects, it allows to mark
    /// others', so grant it only as long as objects are adopted.
    fn adopting(&self, _scope: &Scope) -> Option<Value> {
        None
    }
}

/// An action that the credentials may not perform.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MissingPermission {
    /// The action, as named in the cloud's policies.
    pub action: String,
    /// The kinds of objects that need it.
    pub needed_for: Vec<String>,
}

impl MissingPermission {
    /// An action, and the kinds of objects that need it.
    pub fn new<K: Into<String>>(action: impl Into<String>, needed_for: impl IntoIterator<Item = K>) -> Self {
        Self { action: action.into(), needed_for: needed_for.into_iter().map(Into::into).collect() }
    }

    /// The needed actions, as returned by [`Actions::needed`], that are not allowed.
    ///
    /// ```
    /// use kops_core::cloud::MissingPermission;
    ///
    /// let needed = [("ec2:CreateVpc", vec!["Vpc"]), ("ec2:DescribeVpcs", vec!["Vpc"])];
    /// let missing = MissingPermission::among(needed, |action| action.contains("Describe"));
    /// assert_eq!(missing, [MissingPermission::new("ec2:CreateVpc", ["Vpc"])]);
    /// ```
    pub fn among<A: ToString>(
        needed: impl IntoIterator<Item = (A, Vec<&'static str>)>,
        is_allowed: impl Fn(&A) -> bool,
    ) -> Vec<Self> {
        let missing = needed.into_iter().filter(|(action, _)| !is_allowed(action));
        missing.map(|(action, kinds)| Self::new(action.to_string(), kinds)).collect()
    }
}

/// The actions that a kind of objects needs: a row of a provider's table of permissions.
///
/// Exhaustive: providers write their tables as constants.
#[derive(Clone, Copy, Debug)]
pub struct Actions {
    /// The native kind, or a unique name for other calls.
    pub kind: &'static str,
    /// For observing.
    pub read: &'static [&'static str],
    /// For creating, updating and deleting, and for referring to objects created by others.
    pub write: &'static [&'static str],
}

impl Actions {
    /// The actions that applying a native graph needs, with the kinds that need them, in the order of the table.
    /// Every kind is observed, whether it is in the graph or not, to find objects that are no longer in the graph.
    /// Kinds with tasks in the graph that are not shared, and those in `always`, are changed; rows named in
    /// `left_out` are ignored.
    ///
    /// ```
    /// use kops_core::cloud::Actions;
    /// use kops_core::graph::TaskGraph;
    ///
    /// let all = [Actions { kind: "Vpc", read: &["ec2:DescribeVpcs"], write: &["ec2:CreateVpc"] }];
    /// let needed = Actions::needed(&all, &TaskGraph::default(), &[], &[]);
    /// assert_eq!(needed.into_keys().collect::<Vec<_>>(), ["ec2:DescribeVpcs"]);
    /// ```
    pub fn needed(
        all: &[Self],
        graph: &TaskGraph,
        always: &[&str],
        left_out: &[&str],
    ) -> BTreeMap<&'static str, Vec<&'static str>> {
        let managed = graph.tasks().filter(|task| !matches!(task.lifecycle, Lifecycle::Shared { .. }));
        let managed: BTreeSet<_> =
            managed.map(|task| task.key.kind()).chain(always.iter().copied()).collect();
        let mut needed = BTreeMap::<_, Vec<_>>::new();
        for Self { kind, read, write } in all.iter().filter(|row| !left_out.contains(&row.kind)) {
            let write: &[&str] = if managed.contains(kind) { write } else { &[] };
            for action in read.iter().chain(write).copied() {
                let kinds = needed.entry(action).or_default();
                // An action may be in both columns of a row.
                if kinds.last() != Some(kind) {
                    kinds.push(*kind);
                }
            }
        }
        needed
    }

    /// The names of all actions, each once, sorted.
    pub fn names(all: &[Self]) -> BTreeSet<&'static str> {
        all.iter().flat_map(|row| row.read.iter().chain(row.write)).copied().collect()
    }
}
