//! What the host does not allow.

use std::sync::Arc;

use kops_core::apply::{EventKind, EventSink};
use kops_core::graph::TaskGraph;
use kops_core::plan::{Action, Plan};
use kops_core::testing::MemoryCloud;
use kops_core::{Engine, ErrorKind, Policy, Refusal, RunOptions};

use super::{engine, graph, key};

/// No deletions of some kinds.
struct Keep(&'static [&'static str]);

impl Policy for Keep {
    fn check(&self, plan: &Plan) -> Vec<Refusal> {
        let lost = plan.changes.iter().filter(|change| change.action == Action::Delete);
        lost.filter(|change| self.0.contains(&change.task.kind()))
            .map(|change| Refusal::new("keep", "it holds data").about(&change.task))
            .collect()
    }
}

fn at_most(changes: usize) -> Arc<dyn Policy> {
    Arc::new(move |plan: &Plan| -> Vec<Refusal> {
        let many = plan.changes.len() > changes;
        many.then(|| Refusal::new("size", format!("more than {changes} changes"))).into_iter().collect()
    })
}

async fn site() -> (MemoryCloud, Engine, Plan) {
    let cloud = MemoryCloud::new();
    let engine = engine(&cloud);
    engine.apply(&engine.plan(&graph()).await.unwrap()).await.unwrap().into_result().unwrap();
    let engine = engine.policy(Arc::new(Keep(&["Volume", "Subnet"])));
    let plan = engine.plan(&TaskGraph::default()).await.unwrap();
    cloud.heal();
    (cloud, engine, plan)
}

#[tokio::test]
async fn a_plan_that_is_not_allowed_is_refused_before_any_call_with_every_reason() {
    let (cloud, engine, plan) = site().await;
    assert_eq!(engine.refusals(&plan).len(), 2);
    let (sink, mut events) = EventSink::channel();
    let options = RunOptions::new().policy(at_most(2)).events(sink);
    let error = engine.apply_with(&plan, options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PolicyViolation);
    for line in ["Volume/data: keep: it holds data", "Subnet/front: keep: it", "size: more than 2 changes"] {
        assert!(error.to_string().contains(line), "{line}: {error}");
    }
    let tasks: Vec<_> = error.errors().iter().map(|it| it.task()).collect();
    assert_eq!(tasks.len(), 3);
    assert!(tasks.contains(&Some("Volume/data")) && tasks.contains(&None));
    assert!(engine.apply_now(&plan).await.is_err());
    assert_eq!(cloud.calls().total(), 0);

    let EventKind::Refused { error } = events.next().await.unwrap().kind else { panic!("not refused") };
    assert_eq!(error.kind(), ErrorKind::PolicyViolation);
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn what_is_allowed_is_applied() {
    let (cloud, _, _) = site().await;
    let engine = engine(&cloud).policy(Arc::new(Keep(&["Volume"])));
    let plan = engine.plan_deletion(&[key("Subnet/front")].into()).await.unwrap();
    engine.apply_with(&plan, RunOptions::new().policy(at_most(2))).await.unwrap().into_result().unwrap();
    assert_eq!(cloud.calls().mutating(), 1);
}
