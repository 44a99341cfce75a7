//! Manages a zone in a directory: `cargo run -p custom_provider -- DIRECTORY`.
#![expect(clippy::print_stdout, reason = "a program shows what it does")]

use std::sync::Arc;

use custom_provider::{TransferKey, Zone, ZoneDirectory};
use kops_core::cloud::Scope;
use kops_core::graph::{Secret, Setting, TaskGraph};
use kops_core::resource::{DnsRecord, DnsTarget, DnsZone, RecordType};
use kops_core::{Engine, Error, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let directory = std::env::args_os().nth(1).ok_or_else(|| Error::invalid("a directory is required"))?;
    let engine = Engine::new(Arc::new(ZoneDirectory::new(directory)), Scope::new("demo"));

    let mut graph = TaskGraph::builder();
    // Agnostic and native tasks can be combined.
    let zone = graph.add("public", DnsZone::new("example.com"));
    graph.add(
        "www",
        DnsRecord::new(
            zone.id(),
            "www.example.com",
            RecordType::A,
            DnsTarget::Values(["192.0.2.1".into(), "192.0.2.2".into()].into()),
        )
        .ttl_seconds(300),
    );
    let key = graph.add("partners", TransferKey { secret: Secret::new("correct horse battery staple") });
    graph.add(
        "partners",
        Zone { name: "partners.example".to_owned(), transfer_key: Setting::To(Some(key.id())) },
    );

    let plan = engine.plan(&graph.build()?).await?;
    println!("{plan}");
    println!("{}", engine.apply(&plan).await?.into_result()?);
    Ok(())
}
