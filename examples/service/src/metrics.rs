//! Metrics for Prometheus.

use std::fmt;
use std::sync::Arc;

use kops_core::apply::{Event, EventKind};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counts steps by action and outcome, and retried calls.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    steps: Family<Step, Counter>,
    retries: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Step {
    action: String,
    outcome: &'static str,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let (steps, retries) = (Family::default(), Counter::default());
        let mut registry = Registry::with_prefix("clusters");
        registry.register("steps", "Steps of plans, by action and outcome", Family::clone(&steps));
        registry.register(
            "retries",
            "Calls to the cloud that failed and were retried",
            Counter::clone(&retries),
        );
        Self { registry: Arc::new(registry), steps, retries }
    }

    /// Counts an event of a run.
    pub(crate) fn count(&self, event: &Event) {
        let (action, outcome) = match &event.kind {
            EventKind::Finished { action, .. } => (action, "done"),
            EventKind::Failed { action, .. } => (action, "failed"),
            EventKind::Cancelled { action, .. } => (action, "cancelled"),
            EventKind::Blocked { action, .. } => (action, "blocked"),
            EventKind::Retrying { .. } => {
                self.retries.inc();
                return;
            }
            _ => return,
        };
        self.steps.get_or_create(&Step { action: action.to_string(), outcome }).inc();
    }

    /// The metrics in Prometheus' text format.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string never fails.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
