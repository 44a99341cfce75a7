//! A kind whose fields can be changed in place or not, depending on their values.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use kops_core::cloud::{
    Create, Delete, Deletion, DynHandler, Filter, Handler, IdentityClass, Mutability, Object, Query, Scope,
    Update, With,
};
use kops_core::graph::{Key, TaskGraph};
use kops_core::plan::Action;
use kops_core::resource::Resource;
use kops_core::testing::MemoryCloud;
use kops_core::{Engine, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a dial can be turned to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Range {
    low: u64,
    high: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Dial {
    range: Range,
}

impl Resource for Dial {
    const KIND: &'static str = "Dial";
    type Resolved = Self;
}

/// Dials by their names.
#[derive(Clone, Default)]
struct Dials(Arc<Mutex<BTreeMap<String, Dial>>>);

#[async_trait]
impl Handler for Dials {
    type Kind = Dial;

    fn identity(&self) -> IdentityClass {
        IdentityClass::Named
    }

    /// A range is moved in place to one that it overlaps.
    fn mutability_of(&self, _: &str, before: &Value, after: &Value) -> Mutability {
        let number = |range: &Value, end: &str| range[end].as_u64().unwrap();
        let is_below = |one: &Value, other: &Value| number(one, "high") < number(other, "low");
        let is_apart = is_below(before, after) || is_below(after, before);
        if is_apart { Mutability::Replace } else { Mutability::InPlace }
    }

    async fn list(&self, query: &Query<'_>) -> Result<Vec<Object<Dial>>> {
        let is_wanted = |name: &String| match query.filter {
            Filter::Ids(ids) => ids.contains(name),
            Filter::Scope { .. } => true,
        };
        let dials = self.0.lock().unwrap().clone();
        let wanted = dials.into_iter().filter(|(name, _)| is_wanted(name));
        Ok(wanted.map(|(name, dial)| Object::owned(name.clone(), name, dial)).collect())
    }

    /// A new dial cannot be turned: the rest of its range is a second call.
    async fn create(&self, request: Create<'_, Dial>) -> Result<Object<Dial>> {
        let low = request.spec.range.low;
        let dial = Dial { range: Range { low, high: low } };
        self.0.lock().unwrap().insert(request.name.to_owned(), dial.clone());
        Ok(Object::owned(request.name, request.name, dial))
    }

    async fn update(&self, request: Update<'_, Dial>) -> Result<Object<Dial>> {
        self.0.lock().unwrap().insert(request.name.to_owned(), request.spec.clone());
        Ok(request.object.clone().spec(request.spec.clone()))
    }

    async fn delete(&self, request: Delete<'_, Dial>) -> Result<Deletion> {
        self.0.lock().unwrap().remove(&request.object.id);
        Ok(Deletion::Done)
    }
}

#[tokio::test]
async fn a_change_is_judged_by_the_whole_member_that_it_is_in() {
    let handler: Arc<dyn DynHandler> = Arc::new(Dials::default());
    let cloud = With::new(MemoryCloud::new(), [handler]).unwrap();
    let engine = Engine::new(Arc::new(cloud), Scope::new("radio"));
    // Only one end changes in the last two: it is the other one that decides.
    let cases = [
        ((10, 20), Action::Create),
        ((15, 25), Action::Update),
        ((30, 40), Action::Replace),
        ((35, 40), Action::Update),
        ((35, 50), Action::Update),
    ];
    for ((low, high), action) in cases {
        let mut graph = TaskGraph::builder();
        graph.add("volume", Dial { range: Range { low, high } });
        let graph = graph.build().unwrap();
        let plan = engine.plan(&graph).await.unwrap();
        let change = plan.change(&Key::new("Dial", "volume")).unwrap();
        assert_eq!(change.action, action, "{low} to {high}: {plan}");
        engine.apply(&plan).await.unwrap().into_result().unwrap();
        assert!(engine.plan(&graph).await.unwrap().is_empty());
    }
}
