//! What every implementation of [`Kube`] does.

use serde_json::{Value, json};

use crate::kube::{Eviction, Kube, KubeExt as _, NodeChange, NodeTaint, ObjectQuery, ObjectRef, PodQuery};
use kops_core::{Error, ErrorKind, Result};

const NAMESPACE: &str = "default";

/// Checks an implementation of [`Kube`] on a cluster that it may change. No controllers need to run there; objects with
/// names that begin with `conformance` are created, and deleted at the end.
///
/// # Errors
/// The first check that fails.
pub async fn kube_conformance(kube: &dyn Kube) -> Result<()> {
    let version = kube.version().await?;
    check(version.starts_with("v1."), format!("the version is {version:?}"))?;
    check(kube.failing_checks().await?.is_empty(), "the API is ready")?;
    clean(kube).await?;
    applying(kube).await?;
    patching(kube).await?;
    nodes(kube).await?;
    pods(kube).await?;
    clean(kube).await
}

fn map(name: &str) -> ObjectRef {
    ObjectRef::new("v1", "ConfigMap", name).in_namespace(NAMESPACE)
}

async fn applying(kube: &dyn Kube) -> Result<()> {
    let document = |data: Value| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "conformance", "namespace": NAMESPACE, "labels": {"app": "conformance"}},
            "data": data,
        })
    };
    let data = |object: &Value| object["data"].clone();
    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();

    let first = kube.apply(&document(json!({"a": "1", "b": "1"})), "one", false).await?;
    check(
        data(&first) == json!({"a": "1", "b": "1"}),
        "an object that does not exist is created by applying it",
    )?;
    let again = kube.apply(&document(json!({"a": "1", "b": "1"})), "one", false).await?;
    check(version(&first) == version(&again), "applying the same again changes nothing")?;
    let read = kube.get(&map("conformance")).await?;
    check(read.as_ref().map(version) == Some(version(&first)), "an object is read as it was applied")?;

    let other = kube.apply(&document(json!({"c": "2"})), "two", false).await?;
    check(data(&other) == json!({"a": "1", "b": "1", "c": "2"}), "managers have fields beside each other")?;
    let refused = kind(kube.apply(&document(json!({"a": "2"})), "two", false).await);
    check(
        refused == Some(ErrorKind::Conflict),
        format!("another manager's field is a conflict, not {refused:?}"),
    )?;
    let forced = kube.apply(&document(json!({"a": "2"})), "two", true).await?;
    check(
        data(&forced) == json!({"a": "2", "b": "1"}),
        "force takes a field, and a field that is not applied any more is removed",
    )?;
    let dropped = kube.apply(&document(json!({})), "one", false).await?;
    check(data(&dropped) == json!({"a": "2"}), "a manager loses its fields only")?;

    let query = ObjectQuery::new("v1", "ConfigMap").in_namespace(NAMESPACE).label("app", "conformance");
    check(kube.list(&query).await?.len() == 1, "objects are listed by their labels")?;
    let query =
        ObjectQuery::new("v1", "ConfigMap").label("app", "other").field("metadata.name", "conformance");
    check(kube.list(&query).await?.is_empty(), "all selectors must hold")?;
    let query = ObjectQuery::new("v1", "ConfigMap").field("metadata.name", "conformance");
    check(kube.list(&query).await?.len() == 1, "objects are listed by their fields, in all namespaces")?;
    check(kube.get(&map("conformance-none")).await?.is_none(), "what does not exist is none")
}

async fn patching(kube: &dyn Kube) -> Result<()> {
    let object = map("conformance");
    let patched = kube.patch(&object, &json!({"data": {"a": null, "d": "4"}})).await?;
    check(patched["data"] == json!({"d": "4"}), "a patch sets and removes fields")?;
    let stale = json!({"metadata": {"resourceVersion": "1"}, "data": {"e": "5"}});
    let refused = kind(kube.patch(&object, &stale).await);
    check(
        refused == Some(ErrorKind::Conflict),
        format!("a patch of another version is a conflict, not {refused:?}"),
    )?;
    let refused = kind(kube.patch(&map("conformance-none"), &json!({"data": {}})).await);
    check(
        refused == Some(ErrorKind::NotFound),
        format!("what does not exist is not patched, but {refused:?}"),
    )?;
    let refused = kind(kube.delete(&object, Some("another")).await);
    check(refused == Some(ErrorKind::Conflict), format!("another object is not deleted, but {refused:?}"))?;
    let uid = patched["metadata"]["uid"].as_str();
    kube.delete(&object, uid).await?;
    check(kube.get(&object).await?.is_none(), "a deleted object is gone")?;
    kube.delete(&object, uid).await
}

async fn nodes(kube: &dyn Kube) -> Result<()> {
    let name = "conformance-node";
    let document =
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"a": "1"}}});
    kube.apply(&document, "one", false).await?;
    let change = NodeChange::new()
        .cordon()
        .label("b", "2")
        .remove_label("a")
        .annotation("example.com/x", "y")
        .taint(NodeTaint::new("example.com/leaving", "", "PreferNoSchedule"));
    let node = kube.change_node(name, &change).await?;
    let has = |it: &crate::kube::Node| it.taints.iter().any(|taint| taint.key == "example.com/leaving");
    check(node.unschedulable && has(&node), "a node is cordoned and tainted")?;
    check(
        node.labels.get("b").map(String::as_str) == Some("2") && !node.labels.contains_key("a"),
        "labels are set and removed",
    )?;
    check(node.annotations.get("example.com/x").map(String::as_str) == Some("y"), "annotations are set")?;
    let again = kube.change_node(name, &change).await?;
    check(again.resource_version == node.resource_version, "the same change again changes nothing")?;
    let back =
        NodeChange::new().uncordon().remove_taint("example.com/leaving").remove_annotation("example.com/x");
    let node = kube.change_node(name, &back).await?;
    check(
        !node.unschedulable && !has(&node) && !node.annotations.contains_key("example.com/x"),
        "all of it is taken back",
    )?;
    check(kube.nodes().await?.iter().any(|it| it.name == name), "nodes are listed")?;
    let refused = kind(kube.delete_node(name, Some("another")).await);
    check(
        refused == Some(ErrorKind::Conflict),
        format!("a later node of the name is not deleted, but {refused:?}"),
    )?;
    kube.delete_node(name, Some(&node.uid)).await?;
    check(kube.node(name).await?.is_none(), "a deleted node is gone")?;
    let refused = kind(kube.change_node(name, &change).await);
    check(
        refused == Some(ErrorKind::NotFound),
        format!("a node that does not exist is not changed, but {refused:?}"),
    )
}

async fn pods(kube: &dyn Kube) -> Result<()> {
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "conformance", "namespace": NAMESPACE}});
    kube.apply(&account, "one", false).await?;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "conformance", "namespace": NAMESPACE},
        "spec": {
            "serviceAccountName": "conformance",
            "automountServiceAccountToken": false,
            "containers": [{"name": "a", "image": "registry.k8s.io/pause:3.10"}],
            "volumes": [{"name": "scratch", "emptyDir": {}}],
        },
    });
    kube.apply(&pod, "one", false).await?;
    let found = kube.pods(&PodQuery::all().in_namespace(NAMESPACE)).await?;
    let found = found.into_iter().find(|it| it.name == "conformance");
    check(found.is_some_and(|it| it.local_data && !it.mirror && it.node.is_none()), "pods are listed")?;
    let elsewhere = kube.pods(&PodQuery::all().on_node("conformance-node")).await?;
    check(elsewhere.is_empty(), "pods are listed by their node")?;
    let evicted = kube.evict(NAMESPACE, "conformance", None).await?;
    check(evicted == Eviction::Accepted, "a pod without a budget is evicted")?;
    let left = kube.pods(&PodQuery::all().in_namespace(NAMESPACE)).await?;
    check(
        left.iter().all(|it| it.name != "conformance" || it.deleting.is_some()),
        "an evicted pod is going or gone",
    )?;
    check(
        kube.evict(NAMESPACE, "conformance-none", None).await? == Eviction::Accepted,
        "a pod that is gone is evicted",
    )
}

async fn clean(kube: &dyn Kube) -> Result<()> {
    let in_namespace = |kind: &str| ObjectRef::new("v1", kind, "conformance").in_namespace(NAMESPACE);
    for object in ["Pod", "ServiceAccount", "ConfigMap"].map(in_namespace) {
        kube.delete(&object, None).await?;
    }
    kube.delete_node("conformance-node", None).await
}

fn kind<T>(outcome: Result<T>) -> Option<ErrorKind> {
    outcome.err().map(|error| error.kind())
}

fn check(holds: bool, what: impl Into<String>) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::Failed, format!("it does not hold that {}", what.into())))
    }
}
