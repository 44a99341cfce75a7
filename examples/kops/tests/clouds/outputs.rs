//! Outputs by agnostic tasks, whatever each cloud calls them: planned on a snapshot, without a network.

use kops_core::cloud::{Class, Object, Observed, Scope};
use kops_core::graph::{Document, Key, Lifecycle, Output, TaskGraph};
use kops_core::lower::Native;
use kops_core::plan::Action;
use kops_core::resource::Address;
use kops_core::{Engine, Snapshot};
use serde_json::Value;

use crate::offline;

const IP: &str = "192.0.2.7";

/// What each native task would have made, with the address's output.
fn made(native: &Native, address: &Key) -> Snapshot {
    let (at, output) = native.output(address, Address::IP.name()).unwrap();
    let object = |task: &kops_core::graph::Task| {
        let mut object = match &task.lifecycle {
            Lifecycle::Shared { selector, .. } => Object::foreign(selector, Document::default()),
            _ => Object::owned(id(&task.key), task.key.name(), known(&task.spec, native)),
        };
        if task.key == *at {
            object.outputs.set(Output::<Address, String>::new(leak(output)), IP.to_owned());
        }
        (task.key.kind().to_owned(), Observed::new(object, Vec::new()))
    };
    native.graph().tasks().map(object).collect()
}

/// Names of outputs are constants of their kinds.
fn leak(name: &str) -> &'static str {
    name.to_owned().leak()
}

fn id(key: &Key) -> String {
    format!("id of {key}")
}

/// The document with the identifiers of what it refers to.
fn known(document: &Document, native: &Native) -> Document {
    fn fill(value: &mut Value, native: &Native) {
        if let Some(key) = value.pointer("/\u{1}ref/task").and_then(Value::as_str) {
            let key: Key = key.parse().unwrap();
            let lifecycle = &native.graph().get(&key).unwrap().lifecycle;
            *value = match lifecycle {
                Lifecycle::Shared { selector, .. } => selector.clone().into(),
                _ => id(&key).into(),
            };
            return;
        }
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| fill(item, native)),
            Value::Object(members) => members.values_mut().for_each(|item| fill(item, native)),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(document).unwrap();
    fill(&mut value, native);
    serde_json::from_value(value).unwrap()
}

#[tokio::test]
async fn outputs_are_read_by_agnostic_tasks_on_every_cloud() {
    for offline in offline::all().await.unwrap() {
        let engine = Engine::new(offline.cloud.clone(), Scope::new("demo"));
        let mut graph = TaskGraph::builder();
        let door = graph.add("door", Address::new());
        let graph = graph.build().unwrap();
        let native = engine.lower(&graph).unwrap();
        let snapshot = made(&native, door.key());
        let plan = engine.plan_from(native.clone(), snapshot.clone()).unwrap();
        assert!(plan.is_empty(), "{}: {plan}", offline.title);
        assert_eq!(plan.outputs().get(&door, Address::IP).unwrap().as_deref(), Some(IP), "{}", offline.title);
        let stand_in = native.stands_for(door.key()).unwrap();
        let id_seen = plan.outputs().get(&door, Output::ID).unwrap().unwrap();
        assert_eq!(id_seen.as_str(), id(stand_in), "{}", offline.title);

        // Before it is made nothing is known; what will be made is for the address, and what goes is of its class.
        let lookups = snapshot.iter().filter(|(_, it)| it.object.name.is_none());
        let lookups = lookups.map(|(kind, it)| (kind.to_owned(), Observed::clone(it))).collect::<Snapshot>();
        let plan = engine.plan_from(native.clone(), lookups).unwrap();
        assert_eq!(plan.outputs().get(&door, Address::IP).unwrap(), None, "{}", offline.title);
        let change = plan.change(stand_in).unwrap();
        assert_eq!(
            (change.origin.as_ref(), change.class),
            (Some(door.key()), Class::Network),
            "{}",
            offline.title
        );

        let plan = engine.plan_from(TaskGraph::default(), snapshot.clone()).unwrap();
        let change = plan.change(stand_in).unwrap();
        let told = (change.action, change.origin.as_ref(), change.class);
        assert_eq!(told, (Action::Delete, None, Class::Network), "{}", offline.title);
        let plan = engine.prune(false).plan_from(TaskGraph::default(), snapshot).unwrap();
        assert!(plan.deferred.iter().all(|change| change.origin.is_none()), "{}", offline.title);
        assert!(plan.deferred.iter().any(|change| change.class == Class::Network), "{}", offline.title);
    }
}
