//! What credentials lack, where access rules restrict them.

use kops_core::cloud::{Cloud as _, Context, Permissions as _, Scope};
use kops_core::graph::TaskGraph;
use kops_core::{Engine, ErrorKind};
use kops_openstack::kinds::ServerGroup;
use kops_openstack_lab::Lab;
use serde_json::json;

use crate::lab::{connect, connect_as};

#[tokio::test]
async fn what_access_rules_leave_out_is_told_and_is_refused() {
    let Some(lab) = Lab::start() else { return };
    let scope = Scope::new("ha.example.com");
    let mut graph = TaskGraph::builder();
    graph.add("apart", ServerGroup { policy: "anti-affinity".to_owned() });
    let graph = graph.build().unwrap();
    let (nothing, cx) = (TaskGraph::default(), Context::default());

    let anybody = connect_as(lab.entry()).await;
    assert_eq!(anybody.missing(&graph, &scope, &cx).await.unwrap(), []);
    assert_eq!(connect(&lab).await.missing(&graph, &scope, &cx).await.unwrap(), []);

    let mut rules = anybody.least(&scope);
    let left_out = json!({ "service": "compute", "method": "POST", "path": "/v2.1/os-server-groups" });
    let all = rules.as_array_mut().unwrap();
    assert!(all.contains(&left_out), "{all:#?}");
    all.retain(|rule| *rule != left_out);
    let some = connect_as(lab.restricted_entry(&rules)).await;
    assert_eq!(some.missing(&nothing, &scope, &cx).await.unwrap(), []);
    let missing = some.missing(&graph, &scope, &cx).await.unwrap();
    let [missing] = missing.as_slice() else { panic!("{missing:?}") };
    assert_eq!(missing.action, "compute POST /v2.1/os-server-groups");
    assert_eq!(missing.needed_for, ["ServerGroup"]);

    let engine = Engine::new(some.clone(), scope);
    let plan = engine.plan(&graph).await.unwrap();
    let error = engine.apply_now(&plan).await.unwrap().into_result().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
    assert!(error.to_string().contains("POST compute/os-server-groups"), "{error}");
    assert!(some.permissions().is_some());
}
