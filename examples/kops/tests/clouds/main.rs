//! What works on which cloud, as the README's table has it: found out by asking each cloud, and never by hand.
//!
//! A cell says yes when a plan can be made: the specification is accepted and lowered. Whether the cloud itself does
//! it then is for the tests of each provider. Every row asks for one thing more than a cluster, or a network, that all
//! clouds take; so what is refused is that thing.
//!
//! The test fails when the README says something else. `KOPS_UPDATE_README=1` writes the table;
//! `cargo test --workspace --test clouds -- --nocapture` tells why what is refused is refused.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test can do no better")]

mod field;
mod generated;
#[path = "../../../../kops-cluster/tests/generator/mod.rs"]
mod generator;
mod ground;
mod keystone;
mod offline;
mod outputs;
mod own_kinds;
mod rows;
mod settings;

use std::fmt::Write as _;
use std::path::Path;

use kops_cluster::cluster_graph;
use kops_core::ErrorKind;
use kops_core::cloud::Scope;
use kops_core::graph::TaskGraph;

use ground::Ground;
use offline::Offline;
use rows::{Ask, ROWS, Row, yes};

const BEGIN: &str = "<!-- written by examples/kops/tests/clouds -->\n";
const END: &str = "<!-- end -->\n";

/// What a cloud says to a row.
fn cell(row: &Row, offline: &Offline) -> String {
    let refusal = match row.ask {
        Ask::Data(told) => return told(offline),
        Ask::Cluster(options, edit) => match ground::cluster(offline, options, edit)
            .and_then(|files| cluster_graph(&files, &*offline.cloud))
        {
            Ok(planned) => lowered(row, offline, &planned.graph, &planned.scope),
            Err(problems) => Some(problems.to_string()),
        },
        Ask::Tasks(add) => {
            let mut ground = Ground::new(offline);
            add(&mut ground);
            lowered(row, offline, &ground.graph.build().unwrap(), &Scope::new("demo.example.com"))
        }
    };
    if let Some(why) = &refusal {
        println!("{}, {}: {why}\n", row.what, offline.title);
    }
    yes(refusal.is_none())
}

/// Why a graph is refused.
fn lowered(row: &Row, offline: &Offline, graph: &TaskGraph, scope: &Scope) -> Option<String> {
    let error = offline.cloud.lower(graph, scope, &[]).err()?;
    // Anything else would be a mistake of the row.
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{}, {}: {error}", row.what, offline.title);
    Some(error.to_string())
}

fn table(clouds: &[Offline]) -> String {
    let titles: Vec<_> = clouds.iter().map(|it| it.title).collect();
    let mut table = format!("| | {} |\n|---|{}\n", titles.join(" | "), "---|".repeat(titles.len()));
    for row in ROWS {
        let cells: Vec<_> = clouds.iter().map(|it| cell(row, it)).collect();
        // Writing to a string never fails.
        let _ = writeln!(table, "| {} | {} |", row.what, cells.join(" | "));
    }
    table
}

#[tokio::test]
async fn the_readme_says_what_works_on_which_cloud() {
    let table = table(&offline::all().await.unwrap());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if std::env::var_os("KOPS_UPDATE_README").is_some() {
        std::fs::write(&file, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    assert!(
        written == table,
        "the README's table is not what the clouds say; write it with \
         `KOPS_UPDATE_README=1 cargo test --workspace --test clouds`, and read the difference. It should be:\n{table}"
    );
}

/// What every row stands on is possible on every cloud; else what is refused might not be what the row asks for.
#[tokio::test]
async fn what_rows_stand_on_is_possible_everywhere() {
    for offline in offline::all().await.unwrap() {
        let files = ground::cluster(&offline, |_, _| {}, |_, _| {}).unwrap();
        let planned = cluster_graph(&files, &*offline.cloud).unwrap_or_else(|it| panic!("{it}"));
        offline.cloud.lower(&planned.graph, &planned.scope, &[]).unwrap();
        let ground = Ground::new(&offline);
        let mut with_group = Ground::new(&offline);
        let group = ground::group(&with_group);
        with_group.graph.add("group", group);
        for graph in [ground.graph, with_group.graph] {
            offline.cloud.lower(&graph.build().unwrap(), &Scope::new("demo.example.com"), &[]).unwrap();
        }
    }
}
