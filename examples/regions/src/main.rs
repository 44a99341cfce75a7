//! One program, two regions of one account: the same shop in each, distinguished by its scope's place.
//!
//! ```console
//! $ regions cloud.json apply     # creates what is missing, and prints the addresses
//! $ regions cloud.json check     # exit code 0: as specified; 2: something differs; 1: it failed
//! ```
//!
//! The account is the in-memory cloud in a file; with `Aws::builder().region(…)` for each region it is AWS.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program shows what it does")]

use std::process::ExitCode;
use std::sync::Arc;

use kops_core::cloud::Scope;
use kops_core::graph::{Handle, TaskGraph};
use kops_core::resource::{Address, Firewall, FirewallRule, FirewallRules, Network, Peer};
use kops_core::testing::MemoryCloud;
use kops_core::{Engine, Error, Result};

/// The regions, and the shop's addresses in each.
const REGIONS: [(&str, &str); 2] = [("eu", "10.1.0.0/16"), ("us", "10.2.0.0/16")];

/// The result of the check.
const DIFFERS: u8 = 2;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [file, "apply"] => apply(file).await.map(|()| ExitCode::SUCCESS),
        [file, "check"] => check(file).await,
        _ => Err(Error::invalid("usage: regions FILE apply|check")),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

/// An engine for a region: the scope's place distinguishes the objects of both regions in account-wide listings.
fn engine(file: &str, region: &str) -> Engine {
    let account = MemoryCloud::builder().file(file).build();
    Engine::new(Arc::new(account.in_region(region)), Scope::new("shop").within(region))
}

fn graph(cidr: &str) -> Result<TaskGraph> {
    let parse = |range: &str| range.parse().map_err(|_| Error::invalid(format!("{range} is not a CIDR")));
    let mut graph = TaskGraph::builder();
    let network = graph.add("shop", Network::new([parse(cidr)?]));
    let front = graph.add("front", Firewall::new(network.id(), "the shop's front"));
    let https = FirewallRule::tcp(443, Peer::Cidr(parse("0.0.0.0/0")?));
    graph.add("front", FirewallRules::new(front.id(), [https]));
    graph.add("front", Address::new());
    graph.build()
}

async fn apply(file: &str) -> Result<()> {
    for (region, cidr) in REGIONS {
        let engine = engine(file, region);
        let plan = engine.plan(&graph(cidr)?).await?;
        println!("{}", plan.headline());
        let outputs = engine.apply(&plan).await?.into_result()?.outputs();
        // By the task of the graph, regardless of the cloud's native one.
        let address = outputs.get(&Handle::<Address>::named("front"), Address::IP)?;
        println!("{region}: {}", address.unwrap_or_else(|| "no address".to_owned()));
    }
    Ok(())
}

async fn check(file: &str) -> Result<ExitCode> {
    let mut differs = false;
    for (region, cidr) in REGIONS {
        let plan = engine(file, region).plan(&graph(cidr)?).await?;
        print!("{plan}");
        differs |= !plan.is_empty();
    }
    Ok(if differs { ExitCode::from(DIFFERS) } else { ExitCode::SUCCESS })
}
