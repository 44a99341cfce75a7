//! The Kubernetes API: what both implementations do, and what a real API server says.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test's harness waits for real processes, and can do no better than panic"
)]

mod apiserver;

use std::sync::Arc;
use std::time::Duration;

use apiserver::ApiServer;
use kops_cluster::kube::client::KubeClient;
use kops_cluster::kube::{Eviction, Kube as _, KubeExt as _, ObjectRef};
use kops_cluster::kubeconfig::{Kubeconfig, KubeconfigEntry};
use kops_cluster::pki::{Client, Keyset};
use kops_cluster::testing::{MemoryKube, kube_conformance};
use kops_core::ErrorKind;
use kops_core::clock::SystemClock;
use serde_json::json;

#[tokio::test]
async fn memory_conforms() {
    kube_conformance(&MemoryKube::new(Arc::new(SystemClock::new()))).await.unwrap();
}

#[tokio::test]
async fn memory_heeds_budgets() {
    let kube = MemoryKube::new(Arc::new(SystemClock::new()));
    let pod = |name: &str, phase: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "status": {"phase": phase},
            "metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}}})
    };
    for name in ["a", "b"] {
        kube.put(pod(name, "Running")).unwrap();
    }
    kube.put(pod("c", "Pending")).unwrap();
    kube.put(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}}, "status": {"disruptionsAllowed": 1}}))
        .unwrap();
    assert_eq!(kube.evict("default", "a", None).await.unwrap(), Eviction::Accepted);
    let second = kube.evict("default", "b", None).await.unwrap();
    assert!(matches!(&second, Eviction::Blocked { reason } if reason.contains("web")), "{second:?}");
    assert_eq!(kube.evict("default", "c", None).await.unwrap(), Eviction::Accepted, "it does not serve");
}

#[tokio::test]
async fn a_real_api_server_conforms_and_its_errors_are_told_apart() {
    let Some(server) = ApiServer::start() else { return };
    let admin = Client::new("ann").group("system:masters").lifetime(Duration::from_hours(1));
    let kube = KubeClient::new(&server.kubeconfig(&admin)).unwrap();
    ready(&kube, &server).await;
    kube_conformance(&kube).await.unwrap_or_else(|error| panic!("{error}\n{}", server.log()));

    // A kind that is not there, and a document that is wrong.
    let unknown = ObjectRef::new("example.com/v1", "Thing", "a").in_namespace("default");
    let error = kube.get(&unknown).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("no kind Thing in example.com/v1"), "{error}");
    let wrong =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a_b", "namespace": "default"}});
    let error = kube.apply(&wrong, "test", false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");

    // Whoever has no rights, whom nobody knows, whose certificate is over.
    let stranger = KubeClient::new(&server.kubeconfig(&Client::new("eve"))).unwrap();
    let error = stranger.nodes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    let mut entry = KubeconfigEntry::new("lab", server.url());
    entry.authorities = server.serving();
    let foreign = Keyset::generate("kubernetes-ca", jiff::Timestamp::now()).unwrap();
    entry.credentials = Some(foreign.primary().sign(&admin, jiff::Timestamp::now()).unwrap());
    let error = connected(&entry).nodes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
    let past = "2020-01-01T00:00:00Z".parse().unwrap();
    entry.credentials = Some(server.authority().primary().sign(&admin, past).unwrap());
    let error = connected(&entry).nodes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");

    // A server that is not the expected one, by its authority or its name.
    entry.authorities = Some(foreign.bundle());
    let error = connected(&entry).version().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
    assert!(error.to_string().contains("is not the expected API server"), "{error}");
    entry.authorities = server.serving();
    entry.tls_server_name = Some("api.internal.ha.example.com".to_owned());
    let error = connected(&entry).version().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");

    // One that does not answer.
    let url = server.url();
    drop(server);
    let error = kube.nodes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains(&url), "{error}");
}

fn connected(entry: &KubeconfigEntry) -> KubeClient {
    let mut kubeconfig = Kubeconfig::default();
    kubeconfig.set(entry);
    KubeClient::new(&kubeconfig).unwrap()
}

async fn ready(kube: &KubeClient, server: &ApiServer) {
    for _ in 0..900 {
        // The namespace comes after readiness.
        let namespace = kube.get(&ObjectRef::new("v1", "Namespace", "default")).await;
        if kube.failing_checks().await.is_ok_and(|it| it.is_empty()) && namespace.is_ok_and(|it| it.is_some())
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the API server does not get ready:\n{}", server.log());
}
