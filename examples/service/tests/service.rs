//! The service, as used by its clients.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests, under tokio's paused clock")]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use kops_cluster::registry::ClusterRegistry;
use kops_core::clock::SystemClock;
use kops_core::store::{MemoryStore, StateStore};
use kops_core::testing::{Fault, Latencies, MemoryCloud, Op};
use serde_json::{Value, json};
use service::Service;
use tower::ServiceExt as _;

const CLUSTER: &str = "demo.example.com";

fn router(cloud: &MemoryCloud) -> Router {
    let store: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
    let registry = ClusterRegistry::new(store, Arc::new(SystemClock::new()));
    Service::new(registry, Arc::new(cloud.clone())).router()
}

fn post(path: &str, body: &Value) -> Request<Body> {
    let request = Request::post(path).header("content-type", "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

fn approval(fingerprint: &Value, by: &str) -> Request<Body> {
    post(&format!("/clusters/{CLUSTER}/apply"), &json!({ "fingerprint": fingerprint, "by": by }))
}

async fn answer(router: &Router, request: Request<Body>) -> (StatusCode, String) {
    let answer = router.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn get(router: &Router, path: &str) -> (StatusCode, String) {
    answer(router, Request::get(path).body(Body::empty()).unwrap()).await
}

async fn created(router: &Router) {
    let order = json!({ "name": CLUSTER, "zones": ["zone-a"] });
    assert_eq!(answer(router, post("/clusters", &order)).await.0, StatusCode::CREATED);
}

async fn plan(router: &Router) -> Value {
    let (status, text) = get(router, &format!("/clusters/{CLUSTER}/plan")).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    serde_json::from_str(&text).unwrap()
}

fn events(text: &str) -> Vec<Value> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_cluster_is_ordered_planned_and_applied_as_shown() {
    let router = router(&MemoryCloud::new());
    created(&router).await;
    let again = json!({ "name": CLUSTER, "zones": ["zone-a"] });
    assert_eq!(answer(&router, post("/clusters", &again)).await.0, StatusCode::CONFLICT);

    let shown = plan(&router).await;
    let (status, text) = answer(&router, approval(&shown["fingerprint"], "ann")).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let events = events(&text);
    assert_eq!(events[0]["event"], "run_started");
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["report"]["complete"]), (&json!("ended"), &json!(true)));
    let done = last["report"]["done"].as_array().unwrap().len();
    assert_eq!(done, shown["changes"].as_array().unwrap().len());

    assert_eq!(plan(&router).await["changes"], json!([]));
    let (_, metrics) = get(&router, "/metrics").await;
    let line = format!("clusters_steps_total{{action=\"create\",outcome=\"done\"}} {done}");
    assert!(metrics.contains(&line), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn another_plan_than_the_approved_one_is_not_applied() {
    let cloud = MemoryCloud::new();
    let router = router(&cloud);
    created(&router).await;
    let (status, text) = answer(&router, approval(&json!("another"), "ann")).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(text.contains("no longer the one that was approved"), "{text}");
    assert!(cloud.objects().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_two_requests_for_one_cluster_the_second_names_the_holder() {
    let cloud = MemoryCloud::builder().latencies(Latencies::realistic()).build();
    let router = router(&cloud);
    created(&router).await;
    let shown = plan(&router).await;
    let first = router.clone().oneshot(approval(&shown["fingerprint"], "ann")).await.unwrap();
    assert_eq!(first.status(), StatusCode::OK);
    let (status, text) = answer(&router, approval(&shown["fingerprint"], "bob")).await;
    assert_eq!(status, StatusCode::LOCKED);
    assert!(text.contains("ann"), "{text}");
    // The first is not disturbed.
    let body = first.into_body().collect().await.unwrap().to_bytes();
    let events = events(std::str::from_utf8(&body).unwrap());
    assert_eq!(events.last().unwrap()["report"]["complete"], true);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_disconnects_cancels_its_run_and_frees_the_cluster() {
    let cloud = MemoryCloud::builder().latencies(Latencies::realistic()).build();
    let router = router(&cloud);
    created(&router).await;
    let shown = plan(&router).await;
    let running = router.clone().oneshot(approval(&shown["fingerprint"], "ann")).await.unwrap();
    let mut body = running.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);

    // Calls in flight are allowed to finish; then the cluster can be locked again.
    tokio::time::sleep(Duration::from_secs(30)).await;
    let some = cloud.objects().unwrap().len();
    assert!(some < shown["changes"].as_array().unwrap().len(), "{some} objects");
    let rest = plan(&router).await;
    let (status, text) = answer(&router, approval(&rest["fingerprint"], "bob")).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert_eq!(events(&text).last().unwrap()["report"]["complete"], true);
}

#[tokio::test(start_paused = true)]
async fn nobody_deletes_data() {
    let cloud = MemoryCloud::new();
    // A disk of etcd is created failed: the next plan would replace it.
    let mut broken = false;
    cloud.inject(move |call| {
        let breaks = call.kind == "Volume" && call.op == Op::Create && !std::mem::replace(&mut broken, true);
        breaks.then_some(Fault::Break)
    });
    let router = router(&cloud);
    created(&router).await;
    let shown = plan(&router).await;
    answer(&router, approval(&shown["fingerprint"], "ann")).await;
    let replacing = plan(&router).await;
    assert_eq!(replacing["summary"]["replace"], 1);
    let (status, text) = answer(&router, approval(&replacing["fingerprint"], "ann")).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{text}");
    assert!(text.contains("it contains data"), "{text}");
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_path() {
    let router = router(&MemoryCloud::new());
    let (status, text) = get(&router, "/clusters/none.example.com/plan").await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{text}");
    let (status, text) = answer(&router, post("/clusters", &json!({ "name": "a..b", "zones": [] }))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let body: Value = serde_json::from_str(&text).unwrap();
    assert!(!body["problems"].as_array().unwrap().is_empty(), "{text}");
}
