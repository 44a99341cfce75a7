//! Observing the cloud before the graph is known.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio_util::task::AbortOnDropHandle;

use crate::cloud::{Cloud, Context, Memo, Scope};
use crate::{Error, Result};

/// An observation that was started before the graph is known, with [`Engine::prefetch`](crate::Engine::prefetch).
///
/// Some listings need several calls in sequence, and the graph often needs a file or a state store: both can be read
/// concurrently. The plan of [`Engine::plan_prefetched`](crate::Engine::plan_prefetched) shows the cloud as it was
/// since the prefetch started, so start late and plan soon.
///
/// ```
/// # #[cfg(feature = "testing")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kops_core::Result<()> {
/// # use std::sync::Arc;
/// # use kops_core::{Engine, RunOptions, cloud::Scope, graph::TaskGraph, testing::MemoryCloud};
/// # async fn read_the_graph() -> TaskGraph { TaskGraph::default() }
/// # let engine = Engine::new(Arc::new(MemoryCloud::new()), Scope::new("demo"));
/// let prefetch = engine.prefetch();
/// let graph = read_the_graph().await;
/// let plan = engine.plan_prefetched(&graph, prefetch, RunOptions::new()).await?;
/// # assert!(plan.is_empty());
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "testing"))]
/// # fn main() {}
/// ```
///
/// Dropping it aborts the calls.
#[derive(Debug)]
#[must_use = "its calls are aborted when it is dropped"]
pub struct Prefetch {
    cloud: Arc<dyn Cloud>,
    scope: Scope,
    memo: Memo,
    _calls: AbortOnDropHandle<()>,
}

impl Prefetch {
    pub(crate) fn start(cloud: Arc<dyn Cloud>, scope: Scope, cx: Context) -> Self {
        let (of, within, memo) = (cloud.clone(), scope.clone(), cx.memo.clone());
        let calls = async move {
            let kinds = of.handlers().iter().map(|handler| handler.prefetch(&within, &cx));
            // Failed calls are repeated by the listing, with retries and error messages.
            drop(join_all(kinds).await);
        };
        Self { cloud, scope, memo, _calls: AbortOnDropHandle::new(tokio::spawn(calls)) }
    }

    /// The memo with the results: a listing whose call is in flight waits for it.
    ///
    /// Results are stored by call, not by caller, so they are only used for this cloud and scope.
    pub(crate) fn memo_for(&self, cloud: &Arc<dyn Cloud>, scope: &Scope) -> Result<Memo> {
        if !Arc::ptr_eq(&self.cloud, cloud) || self.scope != *scope {
            return Err(Error::invalid(format!(
                "the prefetch is for {} on {}, but the plan is for {} on {}",
                self.scope.name(),
                self.cloud.name(),
                scope.name(),
                cloud.name()
            )));
        }
        Ok(self.memo.clone())
    }
}
