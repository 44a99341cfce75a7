//! Looking at the cloud before the graph is known.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio_util::task::AbortOnDropHandle;

use crate::cloud::{Cloud, Context, Memo, Scope};
use crate::{Error, Result};

/// A look at the cloud that was begun before the graph is known, by [`Engine::prefetch`](crate::Engine::prefetch).
///
/// Some listings wait for one call after another, and the graph often waits for a file or a state store: the two can
/// wait at the same time. The plan that [`Engine::plan_prefetched`](crate::Engine::plan_prefetched) makes of it shows
/// the cloud as it was in between, so start late and plan soon.
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
/// Dropping it breaks the calls off.
#[derive(Debug)]
#[must_use = "calls are broken off when it is dropped"]
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
            // What failed is asked for again by the listing, which retries and tells why.
            drop(join_all(kinds).await);
        };
        Self { cloud, scope, memo, _calls: AbortOnDropHandle::new(tokio::spawn(calls)) }
    }

    /// What was found, or will be: whoever asks for what is under way waits for it.
    ///
    /// Answers are filed by what was called, not by whose they are; so they serve nobody else.
    pub(crate) fn memo_for(&self, cloud: &Arc<dyn Cloud>, scope: &Scope) -> Result<Memo> {
        if !Arc::ptr_eq(&self.cloud, cloud) || self.scope != *scope {
            return Err(Error::invalid(format!(
                "what was fetched ahead is for {} on {}, the plan for {} on {}",
                self.scope.name(),
                self.cloud.name(),
                scope.name(),
                cloud.name()
            )));
        }
        Ok(self.memo.clone())
    }
}
