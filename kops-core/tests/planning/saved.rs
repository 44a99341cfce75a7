//! Plans that another process applies.

use std::path::Path;
use std::sync::Arc;

use kops_core::cloud::Scope;
use kops_core::graph::{Key, Secret, TaskGraph};
use kops_core::plan::{FORMAT, Pruning, SavedPlan, TextOptions};
use kops_core::store::Journal;
use kops_core::testing::MemoryCloud;
use kops_core::{Engine, ErrorKind, Plan};
use serde_json::Value;

use crate::site::{self, Host};

/// An edit of a document, and its name.
type Edit = (&'static str, fn(&mut Value));

/// A process of its own: nothing in it is shared with another but the file of the cloud.
fn process(file: &Path) -> (MemoryCloud, Engine) {
    let cloud = MemoryCloud::builder().kind::<Host>().file(file).build();
    let engine = Engine::new(Arc::new(cloud.clone()), Scope::new("shop"));
    (cloud, engine.journal(Arc::new(Journal::in_memory())))
}

fn graph() -> TaskGraph {
    let password = Some(Secret::new("hunter2").into());
    site::host(Host { password, ..Host::new(1) }, true)
}

fn read(plan: &Plan) -> SavedPlan {
    serde_json::from_str(&serde_json::to_string(plan).unwrap()).unwrap()
}

#[tokio::test]
async fn another_process_applies_a_saved_plan() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cloud.json");
    let (plan, saved_graph) = {
        let (_, engine) = process(&file);
        let plan = engine.plan(&graph()).await.unwrap();
        (serde_json::to_string_pretty(&plan).unwrap(), serde_json::to_string(&graph()).unwrap())
    };
    assert!(!plan.contains("hunter2"), "{plan}");
    assert!(saved_graph.contains("hunter2"), "it is applied with its secrets");

    let (cloud, engine) = process(&file);
    let saved: SavedPlan = serde_json::from_str(&plan).unwrap();
    let graph: TaskGraph = serde_json::from_str(&saved_graph).unwrap();
    let report = engine.apply_saved(&saved, &graph).await.unwrap().into_result().unwrap();
    assert_eq!(report.done.len(), saved.changes().len());
    assert_eq!(cloud.objects().unwrap().len(), 3);
    assert!(engine.plan(&graph).await.unwrap().is_empty());

    // Applied once, it is out of date.
    let error = engine.apply_saved(&saved, &graph).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("no longer: create Host/web"), "{error}");
}

#[tokio::test]
async fn a_saved_plan_says_what_the_plan_said() {
    let engine = site::engine(&site::cloud(), Scope::new("shop"));
    let plan = engine.plan(&graph()).await.unwrap();
    let saved = read(&plan);
    assert_eq!(saved, plan.saved());
    assert_eq!(serde_json::to_value(&saved).unwrap(), serde_json::to_value(&plan).unwrap());
    assert_eq!(saved.to_string(), plan.to_string());
    let full = TextOptions::new().full(true);
    assert_eq!(saved.text(full), plan.text(full));
    assert_eq!((saved.headline(), saved.is_empty()), (plan.headline(), false));
    assert_eq!(saved.fingerprint(), plan.fingerprint);
    assert_eq!(saved.changes(), plan.changes);
    assert_eq!((saved.dot(), saved.mermaid()), (plan.dot(), plan.mermaid()));
}

#[tokio::test]
async fn a_deletion_of_some_tasks_can_be_saved() {
    let cloud = site::cloud();
    let engine = site::engine(&cloud, Scope::new("shop"));
    site::apply(&engine, &graph()).await;
    let record = Key::new("DnsRecord", "www");
    let saved = read(&engine.plan_deletion(&[record.clone()].into()).await.unwrap());
    assert_eq!(*saved.pruning(), Pruning::Only([record].into()));
    engine.apply_saved(&saved, &TaskGraph::default()).await.unwrap().into_result().unwrap();
    assert_eq!(cloud.objects().unwrap().len(), 2);
}

#[tokio::test]
async fn a_plan_without_pruning_prunes_nothing_whatever_the_engine_does() {
    let cloud = site::cloud();
    let engine = site::engine(&cloud, Scope::new("shop"));
    site::apply(&engine, &graph()).await;
    let saved = read(&engine.clone().prune(false).plan(&site::one_network()).await.unwrap());
    assert_eq!(saved.deferred().len(), 3);
    engine.apply_saved(&saved, &site::one_network()).await.unwrap().into_result().unwrap();
    assert_eq!(cloud.objects().unwrap().len(), 4);
}

#[tokio::test]
async fn an_unknown_format_is_refused_whatever_else_it_says() {
    let engine = site::engine(&site::cloud(), Scope::new("shop"));
    let mut document = serde_json::to_value(engine.plan(&graph()).await.unwrap()).unwrap();
    document["format"] = "kops.plan/v7".into();
    document["changes"] = "written otherwise".into();
    let error = serde_json::from_value::<SavedPlan>(document).unwrap_err().to_string();
    assert!(error.contains("\"kops.plan/v7\"") && error.contains(FORMAT), "{error}");
    let error = serde_json::from_value::<SavedPlan>(Value::default()).unwrap_err().to_string();
    assert!(error.contains(FORMAT), "{error}");
}

/// Whatever a reviewer was shown is what was planned, or it cannot be read.
#[tokio::test]
async fn an_edited_plan_is_refused_when_it_is_read() {
    let engine = site::engine(&site::cloud(), Scope::new("shop"));
    let plan = engine.plan(&graph()).await.unwrap();
    let document = serde_json::to_value(&plan).unwrap();
    // Written anew, with other spaces and another order of members, it is the same.
    let members = document.as_object().unwrap().iter().rev();
    let reversed: Vec<String> = members
        .map(|(name, value)| format!("{name:?} :\n{}", serde_json::to_string_pretty(value).unwrap()))
        .collect();
    let saved: SavedPlan = serde_json::from_str(&format!("{{{}}}", reversed.join(",\n"))).unwrap();
    assert_eq!(saved, plan.saved());

    let edits: [Edit; 5] = [
        ("an action", |plan| plan["changes"][0]["action"] = "update".into()),
        ("a change less", |plan| drop(plan["changes"].as_array_mut().unwrap().pop())),
        ("the summary", |plan| plan["summary"]["create"] = 0.into()),
        ("no fields", |plan| drop(plan["changes"][0].as_object_mut().unwrap().remove("fields"))),
        ("no digest", |plan| drop(plan.as_object_mut().unwrap().remove("digest"))),
    ];
    for (name, edit) in edits {
        let mut edited = document.clone();
        edit(&mut edited);
        assert_ne!(edited, document, "{name}");
        let error = serde_json::from_value::<SavedPlan>(edited).unwrap_err().to_string();
        assert!(error.contains("was edited") && error.contains("plan again"), "{name}: {error}");
    }
}
