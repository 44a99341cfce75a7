//! The baseline: the same work in waves, each waiting for its slowest member, as schedulers with a barrier do.

use std::collections::HashMap;
use std::time::Duration;

use kops_core::Engine;
use kops_core::graph::{Key, TaskGraph};

/// Applies the graph wave by wave: first the tasks that need nothing, then those that need only them …
/// Returns how long the applications took, without the planning in between.
pub(crate) async fn apply(engine: &Engine, graph: &TaskGraph) -> Duration {
    let mut depth: HashMap<&Key, usize> = HashMap::new();
    for task in graph.tasks() {
        let wave = task.edges.iter().map(|edge| depth[&edge.on] + 1).max().unwrap_or(0);
        depth.insert(&task.key, wave);
    }
    let waves = depth.values().max().map_or(0, |deepest| deepest + 1);
    let mut took = Duration::ZERO;
    for wave in 0..waves {
        let mut part = TaskGraph::builder();
        graph.tasks().filter(|task| depth[&task.key] <= wave).for_each(|task| part.insert(task.clone()));
        let plan = engine.plan(&part.build().unwrap()).await.unwrap();
        took += engine.apply_now(&plan).await.unwrap().into_result().unwrap().took;
    }
    took
}
