//! Objects that no task is for: made by controllers on the scope's machines, or by others, in the scope's network.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use kops_core::cloud::{
    Class, Create, Delete, Deletion, DynHandler, Filter, Handler, IdentityClass, Object, Query, Scope,
    Update, With,
};
use kops_core::graph::{Closed, Handle, Id, Key, Open, Output, Stage, TaskGraph};
use kops_core::resource::{At, Network, Resource};
use kops_core::testing::MemoryCloud;
use kops_core::{Engine, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// A guest of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
struct Guest<S: Stage = Open> {
    network: At<S, Id<Network>>,
}

impl Resource for Guest {
    const KIND: &'static str = "Guest";
    type Resolved = Guest<Closed>;
}

/// Guests by their names, with whether controllers have made them.
type Registry = BTreeMap<String, (Guest<Closed>, bool)>;

#[derive(Clone, Default)]
struct Guests(Arc<Mutex<Registry>>);

impl Guests {
    fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().keys().cloned().collect()
    }
}

#[async_trait]
impl Handler for Guests {
    type Kind = Guest;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Guest<Closed>>>> {
        let is_wanted = |name: &String| match query.filter {
            Filter::Ids(ids) => ids.contains(name),
            Filter::Scope { dissolving, .. } => dissolving,
        };
        let guests = self.0.lock().unwrap().clone();
        let object = |(name, (guest, by_controllers)): (String, (Guest<Closed>, bool))| {
            if by_controllers {
                Object::owned(name.clone(), name, guest).dependent("a controller".to_owned())
            } else {
                Object::foreign(name.clone(), guest).name(name)
            }
        };
        Ok(guests.into_iter().filter(|(name, _)| is_wanted(name)).map(object).collect())
    }

    async fn create(&self, _: Create<'_, Guest<Closed>>) -> Result<Object<Guest<Closed>>> {
        Err(Error::internal("no task is a guest"))
    }

    async fn update(&self, _: Update<'_, Guest<Closed>>) -> Result<Object<Guest<Closed>>> {
        Err(Error::internal("no task is a guest"))
    }

    async fn delete(&self, request: Delete<'_, Guest<Closed>>) -> Result<Deletion> {
        self.0.lock().unwrap().remove(&request.object.id);
        Ok(Deletion::Done)
    }
}

/// A scope with a network, and its engine.
async fn house() -> (TaskGraph, Engine, Guests, Id<Network>) {
    let guests = Guests::default();
    let handler: Arc<dyn DynHandler> = Arc::new(guests.clone());
    let cloud = With::new(MemoryCloud::new(), [handler]).unwrap().class(<Guest>::KIND, Class::Network);
    let engine = Engine::new(Arc::new(cloud), Scope::new("house"));
    let mut graph = TaskGraph::builder();
    graph.add("main", Network::new(["10.0.0.0/16".parse().unwrap()]));
    let graph = graph.build().unwrap();
    let report = engine.apply(&engine.plan(&graph).await.unwrap()).await.unwrap().into_result().unwrap();
    let id = report.outputs().get(&Handle::<Network>::named("main"), Output::ID).unwrap().unwrap();
    (graph, engine, guests, id)
}

#[tokio::test]
async fn what_controllers_make_is_left_to_them_until_everything_is_deleted() {
    let (graph, engine, guests, network) = house().await;
    guests.0.lock().unwrap().insert("route".to_owned(), (Guest { network }, true));
    assert!(engine.plan(&graph).await.unwrap().is_empty());

    let plan = engine.plan(&TaskGraph::default()).await.unwrap();
    let change = plan.change(&Key::new("Network", "main")).unwrap();
    assert!(change.waits_for.iter().any(|it| it.task == Key::new("Guest", "route")), "{plan}");
    assert!(plan.to_string().contains("created by a controller"), "{plan}");
    engine.apply(&plan).await.unwrap().into_result().unwrap();
    assert!(guests.names().is_empty() && engine.plan(&TaskGraph::default()).await.unwrap().is_empty());
}

#[tokio::test]
async fn everything_stays_while_others_use_some_of_it_and_they_are_named() {
    let (_, engine, guests, network) = house().await;
    guests.0.lock().unwrap().insert("stranger".to_owned(), (Guest { network: network.clone() }, false));
    let error = engine.plan(&TaskGraph::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DependencyViolation);
    let told = format!("Guest stranger (stranger) uses Network {network}, and is not owned by this scope");
    assert!(error.to_string().contains(&told), "{error}");
    assert!(error.hint().is_some_and(|it| it.contains("delete it")), "{error:?}");

    guests.0.lock().unwrap().clear();
    engine.apply(&engine.plan(&TaskGraph::default()).await.unwrap()).await.unwrap().into_result().unwrap();
}
