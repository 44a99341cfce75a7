//! Policies, which restrict the plans that may be applied.

use std::fmt;
use std::sync::Arc;

use crate::graph::Key;
use crate::{Error, ErrorKind, Plan, Result};

/// Decides whether a plan may be applied.
///
/// An [`Engine`](crate::Engine) checks its policies, and those of the run, in every `apply…` before any call. A
/// function from a plan to objections is a policy:
///
/// ```
/// # #[cfg(feature = "testing")]
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use std::sync::Arc;
///
/// use kops_core::cloud::Scope;
/// use kops_core::graph::TaskGraph;
/// use kops_core::plan::{Action, Plan};
/// use kops_core::resource::Network;
/// use kops_core::testing::MemoryCloud;
/// use kops_core::{Engine, ErrorKind, Refusal};
///
/// let keep = |plan: &Plan| -> Vec<Refusal> {
///     let lost = plan.changes.iter().filter(|change| matches!(change.action, Action::Delete | Action::Replace));
///     lost.map(|change| Refusal::new("keep", "nothing is deleted in production").about(&change.task)).collect()
/// };
/// let engine = Engine::new(Arc::new(MemoryCloud::new()), Scope::new("production")).policy(Arc::new(keep));
///
/// let mut graph = TaskGraph::builder();
/// graph.add("main", Network::new(["10.0.0.0/16".parse()?]));
/// engine.apply(&engine.plan(&graph.build()?).await?).await?.into_result()?;
///
/// let error = engine.apply(&engine.plan(&TaskGraph::default()).await?).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::PolicyViolation);
/// assert!(error.to_string().contains("Network/main: keep: nothing is deleted in production"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub trait Policy: Send + Sync {
    /// All objections to the plan; empty if it may be applied.
    fn check(&self, plan: &Plan) -> Vec<Refusal>;
}

impl<F: Fn(&Plan) -> Vec<Refusal> + Send + Sync> Policy for F {
    fn check(&self, plan: &Plan) -> Vec<Refusal> {
        self(plan)
    }
}

/// An objection of a policy to a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The name of the policy.
    pub policy: String,
    /// The task, if it concerns a single one.
    pub task: Option<Key>,
    /// The reason, for the user.
    pub reason: String,
}

impl Refusal {
    /// An objection by the policy with a name.
    pub fn new(policy: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { policy: policy.into(), task: None, reason: reason.into() }
    }

    /// Sets the task that the objection concerns.
    pub fn about(mut self, task: &Key) -> Self {
        self.task = Some(task.clone());
        self
    }
}

/// As `Kind/name: policy: reason`, without the task if it concerns no single one.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(task) = &self.task {
            write!(f, "{task}: ")?;
        }
        write!(f, "{}: {}", self.policy, self.reason)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let error = Self::new(ErrorKind::PolicyViolation, format!("{}: {}", refusal.policy, refusal.reason));
        match &refusal.task {
            Some(task) => error.with_task(task),
            None => error,
        }
    }
}

/// The policies that a plan has to pass.
#[derive(Clone, Default)]
pub(crate) struct Policies(Vec<Arc<dyn Policy>>);

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} policies", self.0.len())
    }
}

impl Policies {
    pub(crate) fn add(&mut self, policy: Arc<dyn Policy>) {
        self.0.push(policy);
    }

    /// These policies and others.
    pub(crate) fn and(&self, others: &Self) -> Self {
        Self(self.0.iter().chain(&others.0).cloned().collect())
    }

    pub(crate) fn refusals(&self, plan: &Plan) -> Vec<Refusal> {
        self.0.iter().flat_map(|policy| policy.check(plan)).collect()
    }

    /// # Errors
    /// `PolicyViolation`, with all objections.
    pub(crate) fn check(&self, plan: &Plan) -> Result<()> {
        let refusals = self.refusals(plan);
        if refusals.is_empty() {
            return Ok(());
        }
        let lines: Vec<_> = refusals.iter().map(ToString::to_string).collect();
        Err(Error::new(ErrorKind::PolicyViolation, lines.join("\n  "))
            .with_hint("change the graph, or ask the owner of the policy")
            .with_errors(refusals.into_iter().map(Error::from).collect()))
    }
}
