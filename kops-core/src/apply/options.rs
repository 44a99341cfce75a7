//! The options of a run.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::event::EventSink;
use crate::policy::{Policies, Policy};

/// The options of a run (observing, planning, applying). By default, it sends no events, is never cancelled and has
/// no deadline.
///
/// ```
/// # #[cfg(feature = "testing")]
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use kops_core::apply::{EventKind, EventSink};
/// use kops_core::cloud::Scope;
/// use kops_core::graph::TaskGraph;
/// use kops_core::resource::Network;
/// use kops_core::testing::MemoryCloud;
/// use kops_core::{Engine, RunOptions};
///
/// let engine = Engine::new(Arc::new(MemoryCloud::new()), Scope::new("demo"));
/// let mut graph = TaskGraph::builder();
/// graph.add("main", Network::new(["10.0.0.0/16".parse()?]));
/// let plan = engine.plan(&graph.build()?).await?;
///
/// let (sink, mut events) = EventSink::channel();
/// let options = RunOptions::new().events(sink).deadline(Duration::from_secs(600));
/// let (report, last) = tokio::join!(engine.apply_with(&plan, options), async {
///     let mut last = None;
///     while let Some(event) = events.next().await {
///         last = Some(event.kind);
///     }
///     last
/// });
/// assert!(report?.is_complete());
/// assert!(matches!(last, Some(EventKind::Ended { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RunOptions {
    pub(crate) events: EventSink,
    pub(crate) cancel: CancellationToken,
    pub(crate) deadline: Option<Duration>,
    pub(crate) policies: Policies,
}

impl RunOptions {
    /// The default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also sends the run's progress events to `sink`. Only applying has events.
    pub fn events(mut self, sink: EventSink) -> Self {
        self.events = self.events.and(sink);
        self
    }

    /// Ends the run when the token is cancelled: no further step is started, listings and waits are aborted, and
    /// changing calls in flight are allowed to finish, so that their result is known.
    pub fn cancel(mut self, token: CancellationToken) -> Self {
        self.cancel = token;
        self
    }

    /// Ends the run after this time, as if it were cancelled; the report's reason is
    /// [`DeadlineExceeded`](super::Stopped::DeadlineExceeded).
    pub fn deadline(mut self, time: Duration) -> Self {
        self.deadline = Some(time);
        self
    }

    /// Adds a policy that the plan has to pass, in addition to the engine's.
    pub fn policy(mut self, policy: Arc<dyn Policy>) -> Self {
        self.policies.add(policy);
        self
    }
}
