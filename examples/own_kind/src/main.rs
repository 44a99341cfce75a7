//! A custom kind in addition to a provider's: users of a database, in one graph with the machine that it runs on.
//!
//! [`With`] adds the kind to those of any cloud; the engine handles references between the two, the order of steps,
//! plans, drift and deletion. `MemoryCloud` could be any other cloud.

#![expect(clippy::print_stdout, reason = "a program shows what it does")]

mod users;

use std::error::Error;
use std::sync::Arc;

use kops_core::Engine;
use kops_core::cloud::{Class, DynHandler, Scope, With};
use kops_core::graph::{Handle, Resource as _, TaskGraph};
use kops_core::resource::{Instance, Network, Subnet};
use kops_core::testing::MemoryCloud;

use users::{DatabaseUser, Users};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let users: Arc<dyn DynHandler> = Arc::new(Users::default());
    let cloud = With::new(MemoryCloud::new(), [users])?.class(<DatabaseUser>::KIND, Class::Data);
    let engine = Engine::new(Arc::new(cloud), Scope::new("shop"));

    let graph = graph()?;
    let plan = engine.plan(&graph).await?;
    print!("{plan}");
    let report = engine.apply(&plan).await?.into_result()?;
    let url = report.outputs().get(&Handle::<DatabaseUser>::named("ada"), DatabaseUser::URL)?;
    println!("{}", url.unwrap_or_default());
    assert!(engine.plan(&graph).await?.is_empty(), "nothing is left to do");

    // The user is deleted before the machine that it refers to.
    let plan = engine.plan(&TaskGraph::default()).await?;
    println!("{}", engine.apply(&plan).await?.into_result()?);
    Ok(())
}

fn graph() -> Result<TaskGraph, Box<dyn Error>> {
    let mut graph = TaskGraph::builder();
    let network = graph.add("shop", Network::new(["10.0.0.0/16".parse()?]));
    let subnet = graph.add("back", Subnet::new(network.id(), "10.0.1.0/24".parse()?).zone("zone-a"));
    let database = graph.add("database", Instance::new(subnet.id(), "debian-12", "large"));
    // Known once the machine exists; until then, the plan shows where it comes from.
    graph.add("ada", DatabaseUser { host: database.get(Instance::PRIVATE_IP) });
    Ok(graph.build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An engine for the scope of this name within a place, on a database that others use, too.
    fn engine(users: &Users, place: &str) -> Engine {
        let users: Arc<dyn DynHandler> = Arc::new(users.clone());
        let cloud = With::new(MemoryCloud::new(), [users]).unwrap().class(<DatabaseUser>::KIND, Class::Data);
        Engine::new(Arc::new(cloud), Scope::new("shop").within(place))
    }

    #[tokio::test]
    async fn scopes_within_two_places_neither_list_nor_prune_each_others_users() {
        let users = Users::default();
        let (eu, us, graph) = (engine(&users, "eu"), engine(&users, "us"), graph().unwrap());
        for engine in [&eu, &us] {
            engine.apply(&engine.plan(&graph).await.unwrap()).await.unwrap().into_result().unwrap();
        }
        for engine in [&eu, &us] {
            assert!(engine.plan(&graph).await.unwrap().is_empty());
        }
        let plan = eu.plan(&TaskGraph::default()).await.unwrap();
        assert_eq!(plan.summary.delete, graph.len(), "{plan}");
        eu.apply(&plan).await.unwrap().into_result().unwrap();
        assert!(us.plan(&graph).await.unwrap().is_empty());
    }
}
