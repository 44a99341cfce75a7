//! A plan that one process saves and another applies, for example if CI plans and a user approves.
//!
//! ```console
//! $ saved_plan cloud.json plan plan.json     # shows the plan and saves it
//! $ saved_plan cloud.json apply plan.json    # applies exactly that plan, or nothing
//! ```
//!
//! The saved plan contains what was shown, with secrets redacted. The graph is built again by the program: a plan of
//! another version of the program, or one that no longer fits the cloud, is rejected.

#![expect(clippy::print_stdout, reason = "a program shows what it does")]

use std::error::Error;
use std::sync::Arc;

use kops_core::Engine;
use kops_core::cloud::Scope;
use kops_core::graph::TaskGraph;
use kops_core::plan::SavedPlan;
use kops_core::resource::{Network, Subnet};
use kops_core::testing::MemoryCloud;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [cloud, verb, file] = &arguments[..] else {
        return Err("usage: saved_plan CLOUD plan|apply FILE".into());
    };
    let engine = Engine::new(Arc::new(MemoryCloud::builder().file(cloud).build()), Scope::new("shop"));
    let graph = graph()?;
    match verb.as_str() {
        "plan" => {
            let plan = engine.plan(&graph).await?;
            print!("{plan}");
            std::fs::write(file, serde_json::to_vec_pretty(&plan)?)?;
        }
        "apply" => {
            let saved: SavedPlan = serde_json::from_slice(&std::fs::read(file)?)?;
            println!("{}", saved.headline());
            println!("{}", engine.apply_saved(&saved, &graph).await?.into_result()?);
        }
        _ => return Err(format!("{verb} is neither plan nor apply").into()),
    }
    Ok(())
}

fn graph() -> Result<TaskGraph, Box<dyn Error>> {
    let mut graph = TaskGraph::builder();
    let network = graph.add("shop", Network::new(["10.0.0.0/16".parse()?]));
    graph.add("front", Subnet::new(network.id(), "10.0.1.0/24".parse()?).zone("zone-a"));
    Ok(graph.build()?)
}
