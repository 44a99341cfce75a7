//! The JSON form of plans is what its schema says, member by member.

use std::time::Duration;

use kops_core::cloud::Scope;
use kops_core::graph::{Lifecycle, Secret, TaskGraph};
use kops_core::resource::{InternetGateway, Network, Resource as _, Volume};
use kops_core::testing::{Latencies, MemoryCloud};
use kops_core::{Engine, Plan};
use serde_json::{Value, json};

use crate::site::{self, Host};
use crate::strict;

const SCHEMA: &str = include_str!("../../../schemas/plan.v1.json");

fn problems(document: &Value) -> Vec<String> {
    let validator = strict::validator(SCHEMA);
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[track_caller]
fn is_valid(plan: &Plan) {
    let document = serde_json::to_value(plan).unwrap();
    assert_eq!(problems(&document), [""; 0], "{document:#}");
}

fn engine() -> (MemoryCloud, Engine) {
    let latencies = Latencies::default().settling(Volume::KIND, Duration::from_mins(5));
    let cloud = MemoryCloud::builder().kind::<Host>().latencies(latencies).build();
    let scope = Scope::new("shop").labels([("team".to_owned(), "red".to_owned())].into());
    let engine = site::engine(&cloud, scope);
    (cloud, engine)
}

/// Everything a plan can hold: secrets, outputs known and not, what waits for what.
fn graph(host: Host) -> TaskGraph {
    let mut graph = TaskGraph::builder();
    for task in site::host(host, true).tasks() {
        graph.insert(task.clone());
    }
    let network = graph.add("shop", site::network());
    graph.add("door", InternetGateway::new(network.ready().id()));
    graph.add_as("data", Volume::new("a", 1), Lifecycle::Retained);
    graph.build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn plans_of_every_kind_are_valid() {
    let (_, engine) = engine();
    let secret = |text: &str| Host { password: Some(Secret::new(text).into()), ..Host::new(1) };
    let plan = engine.plan(&graph(secret("one"))).await.unwrap();
    assert!(plan.changes.iter().flat_map(|change| &change.fields).any(|field| field.known_after_apply));
    assert!(plan.changes.iter().any(|change| !change.waits_for.is_empty()));
    is_valid(&plan);
    tokio::time::timeout(Duration::from_mins(1), engine.apply(&plan)).await.unwrap_err();

    let plan = engine.plan(&graph(secret("other"))).await.unwrap();
    assert_eq!((plan.summary.update, plan.pending.len()), (1, 1));
    is_valid(&plan);

    let plan = engine.plan(&graph(Host { zone: "b".to_owned(), ..Host::new(1) })).await.unwrap();
    assert_eq!(plan.summary.replace, 1);
    assert!(plan.changes.iter().flat_map(|change| &change.fields).any(|field| field.forces_replacement));
    is_valid(&plan);

    let plan = engine.plan(&site::one_network()).await.unwrap();
    assert!(plan.summary.delete > 0 && !plan.warnings.is_empty());
    is_valid(&plan);
    let plan = engine.clone().prune(false).plan(&TaskGraph::default()).await.unwrap();
    assert!(!plan.deferred.is_empty());
    is_valid(&plan);
    let network = kops_core::graph::Key::new(Network::KIND, "shop");
    is_valid(&engine.plan_deletion(&[network].into()).await.unwrap());
}

#[tokio::test]
async fn plans_of_a_scope_within_a_place_and_of_a_region_are_valid() {
    let (cloud, _) = engine();
    let scope = Scope::new("shop").within("eu").at("eu-1");
    let plan = site::engine(&cloud, scope).plan(&site::one_network()).await.unwrap();
    let document = serde_json::to_value(&plan).unwrap();
    assert_eq!(document["scope"], json!({ "name": "shop", "place": "eu", "region": "eu-1", "labels": {} }));
    is_valid(&plan);
}

#[tokio::test(start_paused = true)]
async fn what_the_schema_does_not_know_is_found() {
    let (_, engine) = engine();
    let plan = serde_json::to_value(engine.plan(&graph(Host::new(1))).await.unwrap()).unwrap();
    assert_eq!(problems(&plan), [""; 0]);
    for place in ["", "/scope", "/summary", "/changes/0", "/changes/0/fields/0", "/changes/4/waits_for/0"] {
        let mut plan = plan.clone();
        let object = plan.pointer_mut(place).and_then(Value::as_object_mut);
        object.unwrap_or_else(|| panic!("{place} is no object")).insert("new".to_owned(), json!(1));
        assert!(!problems(&plan).is_empty(), "a new member of {place:?} goes unnoticed");
    }
    for member in ["fingerprint", "pending", "pruning", "digest"] {
        let mut plan = plan.clone();
        plan.as_object_mut().unwrap().remove(member);
        assert!(!problems(&plan).is_empty(), "{member} is missing");
    }
}
