//! Connecting.

use std::net::TcpListener;

use kops_core::cloud::Scope;
use kops_core::graph::TaskGraph;
use kops_core::{Engine, ErrorKind, RetryPolicy};
use kops_gce::Gce;

#[tokio::test]
async fn an_endpoint_that_does_not_answer_is_told() {
    // A port that nobody listens on: it was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap().port();
    let builder =
        Gce::builder().install_ring().project("p").region("r").endpoint(format!("http://127.0.0.1:{port}"));
    let gce = builder.anonymous().build().await.unwrap();
    let retry = RetryPolicy::new().deadline(std::time::Duration::from_millis(100));
    let engine = Engine::new(std::sync::Arc::new(gce), Scope::new("ha.example.com")).retry(retry);
    let error = engine.plan(&TaskGraph::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("Connection refused"), "{error}");
}
