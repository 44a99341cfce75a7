//! Data is data, whatever its members are called.

use kops_core::cloud::Scope;
use kops_core::graph::{Resource, TaskGraph};
use kops_core::testing::{MemoryCloud, MemoryKind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::site;

/// A kind whose specification holds a document of somebody else's format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Api {
    schema: Value,
}

impl Resource for Api {
    const KIND: &'static str = "Api";
    type Resolved = Self;
}

impl MemoryKind for Api {}

fn api(description: &str) -> (Value, TaskGraph) {
    let schema = json!({
        "items": {"$ref": "#/components/schemas/Pet"},
        "labels": {"$secret": "not one"},
        "joined": {"$concat": ["a", "b"]},
        "whole": [{"$ref": {"task": "Network/none", "output": "id"}}],
        "description": description,
    });
    let mut graph = TaskGraph::builder();
    graph.add("pets", Api { schema: schema.clone() });
    (schema, graph.build().unwrap())
}

#[tokio::test]
async fn members_called_like_marks_are_plain_data() {
    let cloud = MemoryCloud::builder().kind::<Api>().build();
    let engine = site::engine(&cloud, Scope::new("shop"));
    let (schema, graph) = api("pets");
    let plan = engine.plan(&graph).await.unwrap();
    assert_eq!(plan.changes[0].fields[0].after, schema);
    assert!(!plan.changes[0].fields[0].known_after_apply);
    engine.apply(&plan).await.unwrap().into_result().unwrap();
    assert_eq!(cloud.objects().unwrap()[0].spec.decode::<Api>().unwrap().schema, schema);
    assert!(engine.plan(&graph).await.unwrap().is_empty());

    let (_, graph) = api("animals");
    let plan = site::apply(&engine, &graph).await;
    assert_eq!(plan.changes[0].to_string(), "update Api/pets: schema.description");
}

/// A feature of `serde_json` that the crate turned on would be on in every program that uses the crate, and change what
/// that program writes, hashes and signs.
#[test]
fn how_a_program_writes_json_is_left_alone() {
    assert_eq!(json!({ "b": 1, "a": 2 }).to_string(), r#"{"a":2,"b":1}"#);
}
