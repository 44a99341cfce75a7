//! A kind of one's own beside a cloud's: planned, ordered, made and deleted with the rest.
#![expect(clippy::unwrap_used, reason = "a test can do no better")]

mod conformance;
mod dials;
mod guests;
mod users;

use std::collections::BTreeSet;
use std::sync::Arc;

use kops_core::cloud::{Class, Cloud, DynHandler, Scope, With};
use kops_core::graph::{Document, Handle, Input, Key, Lifecycle, Output, Task, TaskGraph};
use kops_core::plan::Action;
use kops_core::resource::{
    Address, DnsRecord, DnsTarget, DnsZone, Instance, Network, RecordType, Resource as _, Subnet, kinds,
};
use kops_core::testing::MemoryCloud;
use kops_core::{Engine, ErrorKind};

use users::{DatabaseUser, Users};

/// A machine with a database, an address, a user who comes from there, and a name for the user's URL.
fn graph() -> TaskGraph {
    let mut graph = TaskGraph::builder();
    let network = graph.add("main", Network::new(["10.0.0.0/16".parse().unwrap()]));
    let subnet = graph.add("main", Subnet::new(network.id(), "10.0.1.0/24".parse().unwrap()).zone("zone-a"));
    let machine = Instance::new(subnet.id(), "image", "large");
    let database = graph.add("db", machine);
    let door = graph.add("door", Address::new());
    let user = DatabaseUser { host: database.get(Instance::PRIVATE_IP), from: door.get(Address::IP) };
    let user = graph.add("ada", user);
    let zone = graph.add("zone", DnsZone::new("example.com"));
    let target = DnsTarget::values([user.get(DatabaseUser::URL)]);
    let record = DnsRecord::new(zone.id(), "ada.example.com", RecordType::Txt, target);
    graph.add("ada", record);
    graph.build().unwrap()
}

fn cloud(users: &Users) -> Arc<dyn Cloud> {
    let handler: Arc<dyn DynHandler> = Arc::new(users.clone());
    Arc::new(With::new(MemoryCloud::new(), [handler]).unwrap().class(<DatabaseUser>::KIND, Class::Data))
}

#[tokio::test]
async fn own_kinds_are_planned_made_and_deleted_with_the_rest() {
    let users = Users::default();
    let engine = Engine::new(cloud(&users), Scope::new("shop"));
    let graph = graph();
    let plan = engine.plan(&graph).await.unwrap();
    let ada = Key::new("DatabaseUser", "ada");
    let change = plan.change(&ada).unwrap();
    assert_eq!((change.origin.as_ref(), change.class), (Some(&ada), Class::Data));
    let waits: BTreeSet<_> = change.waits_for.iter().map(|it| it.task.as_str()).collect();
    assert_eq!(waits, ["Address/door", "Instance/db"].into());

    let report = engine.apply(&plan).await.unwrap().into_result().unwrap();
    let outputs = report.outputs();
    let host = outputs.get(&Handle::<Instance>::named("db"), Instance::PRIVATE_IP).unwrap().unwrap();
    let from = outputs.get(&Handle::<Address>::named("door"), Address::IP).unwrap().unwrap();
    let url = outputs.get(&Handle::<DatabaseUser>::named("ada"), DatabaseUser::URL).unwrap().unwrap();
    assert_eq!(url, format!("db://ada@{host}?from={from}"));
    assert!(engine.plan(&graph).await.unwrap().is_empty());

    let plan = engine.plan(&TaskGraph::default()).await.unwrap();
    let change = plan.change(&ada).unwrap();
    assert_eq!((change.action, &change.origin, change.class), (Action::Delete, &None, Class::Data));
    engine.apply(&plan).await.unwrap().into_result().unwrap();
    assert!(users.is_empty());
}

/// A user and nothing else.
fn one_user() -> TaskGraph {
    let mut graph = TaskGraph::builder();
    let user: DatabaseUser = DatabaseUser { host: "db".into(), from: "anywhere".into() };
    graph.add("ada", user);
    graph.build().unwrap()
}

#[tokio::test]
async fn scopes_within_two_places_neither_list_nor_prune_each_others_users() {
    let users = Users::default();
    let engine = |place: &str| Engine::new(cloud(&users), Scope::new("shop").within(place));
    let (eu, us, graph) = (engine("eu"), engine("us"), one_user());
    for engine in [&eu, &us] {
        let plan = engine.plan(&graph).await.unwrap();
        assert_eq!((plan.summary.create, plan.changes.len()), (1, 1), "{plan}");
        engine.apply(&plan).await.unwrap().into_result().unwrap();
    }
    assert_eq!(users.names(), ["ada.eu", "ada.us"]);
    for engine in [&eu, &us] {
        assert!(engine.plan(&graph).await.unwrap().is_empty());
        assert_eq!(engine.observe(&graph).await.unwrap().owned().count(), 1);
    }
    assert!(engine("").plan(&TaskGraph::default()).await.unwrap().is_empty());
    let plan = eu.plan(&TaskGraph::default()).await.unwrap();
    assert_eq!((plan.summary.delete, plan.changes.len()), (1, 1), "{plan}");
    eu.apply(&plan).await.unwrap().into_result().unwrap();
    assert_eq!(users.names(), ["ada.us"]);
    assert!(us.plan(&graph).await.unwrap().is_empty());
}

#[tokio::test]
async fn scopes_of_two_regions_neither_prune_nor_take_each_others_users() {
    let users = Users::default();
    let engine = |region: &str| Engine::new(cloud(&users), Scope::new("shop").at(region));
    let (eu, us, graph) = (engine("eu-1"), engine("us-1"), one_user());
    eu.apply(&eu.plan(&graph).await.unwrap()).await.unwrap().into_result().unwrap();
    assert!(us.plan(&TaskGraph::default()).await.unwrap().is_empty());
    assert_eq!(us.plan(&graph).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert!(eu.plan(&graph).await.unwrap().is_empty());
}

#[test]
fn a_kind_whose_name_is_taken_is_refused() {
    let user = || Arc::new(Users::default()) as Arc<dyn DynHandler>;
    let twice = With::new(MemoryCloud::new(), [user(), user()]).unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::Invalid);
    assert!(twice.to_string().contains("DatabaseUser already exists"), "{twice}");
    let outer = With::new(With::new(MemoryCloud::new(), [user()]).unwrap(), [user()]).unwrap_err();
    assert!(outer.to_string().contains("a kind of memory"), "{outer}");

    // Of any cloud, even if it has no objects of the kind itself.
    let agnostic = MemoryCloud::new().handlers().iter().find(|it| it.kind() == "Volume").unwrap().clone();
    let nothing = users::Nothing;
    let taken = With::new(nothing, [agnostic]).unwrap_err();
    assert!(taken.to_string().contains("it is an agnostic kind"), "{taken}");
    assert!(kinds().any(|kind| kind == "Volume"));
}

#[test]
fn an_output_that_an_own_kind_does_not_have_is_found_when_planning() {
    let mut graph = TaskGraph::builder();
    let machine: Handle<Address> = graph.add("door", Address::new());
    let user: DatabaseUser = DatabaseUser { host: "db".into(), from: machine.get(Address::IP) };
    graph.add("ada", user);
    let mut documents = TaskGraph::builder();
    graph.build().unwrap().tasks().for_each(|task| documents.insert(task.clone()));
    // A document: its kind is not known while building.
    let wrong: Input<String> = Handle::<DatabaseUser>::named("ada").get(Output::new("urll"));
    let user: DatabaseUser = DatabaseUser { host: wrong, from: "anywhere".into() };
    documents.insert(Task::new(
        Key::new("DatabaseUser", "bob"),
        Document::of(&user).unwrap(),
        Lifecycle::Managed,
    ));
    let graph = documents.build().unwrap();
    let engine = Engine::new(cloud(&Users::default()), Scope::new("shop"));
    let error = engine.plan_from(graph, kops_core::Snapshot::default()).unwrap_err().to_string();
    let expected = "DatabaseUser/bob: it refers to ${DatabaseUser/ada.urll}, but DatabaseUser has no output \
                    \"urll\": it has id, url; did you mean \"url\"?";
    assert!(error.contains(expected), "{error}");
}

#[tokio::test]
async fn outputs_are_asked_for_by_the_tasks_of_the_graph() {
    let engine = Engine::new(cloud(&Users::default()), Scope::new("shop"));
    let graph = graph();
    engine.apply(&engine.plan(&graph).await.unwrap()).await.unwrap().into_result().unwrap();
    let outputs = engine.outputs(&graph).await.unwrap();
    assert!(outputs.get(&Handle::<Instance>::named("db"), Output::ID).unwrap().is_some());
    assert_eq!(
        outputs.get(&Handle::named("db"), Output::<Instance, u8>::new("private_ip")).unwrap_err().kind(),
        ErrorKind::Internal
    );
    let missing = outputs.get(&Handle::<Address>::named("window"), Address::IP).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}
