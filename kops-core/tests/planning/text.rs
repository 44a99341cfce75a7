//! How a plan looks does not depend on its size.

use kops_core::cloud::Scope;
use kops_core::graph::TaskGraph;
use kops_core::plan::TextOptions;

use crate::site::{self, Host};

fn hosts(count: u32) -> TaskGraph {
    let mut graph = TaskGraph::builder();
    for number in 0..count {
        graph.add(&format!("web-{number}"), Host::new(1));
    }
    graph.build().unwrap()
}

#[tokio::test]
async fn new_objects_are_shown_by_name_however_many_there_are() {
    let engine = site::engine(&site::cloud(), Scope::new("shop"));
    let few = engine.plan(&hosts(2)).await.unwrap();
    let text = "shop on memory: 2 to create; 0 unchanged.\n\nHost\n  + web-0\n  + web-1\n";
    assert_eq!(few.to_string(), text);
    let many = engine.plan(&hosts(9)).await.unwrap().to_string();
    let lines: Vec<_> = many.lines().skip(2).collect();
    assert_eq!(lines[..3], text.lines().skip(2).collect::<Vec<_>>());
    assert_eq!(lines.len(), 10);

    let full = few.text(TextOptions::new().full(true));
    assert!(full.contains("  + web-0\n      size: 1\n      zone: a\n"), "{full}");
}

#[tokio::test]
async fn of_what_exists_the_fields_that_change_are_shown() {
    let engine = site::engine(&site::cloud(), Scope::new("shop"));
    site::apply(&engine, &hosts(1)).await;
    let mut graph = TaskGraph::builder();
    graph.add("web-0", Host { zone: "b".to_owned(), ..Host::new(2) });
    let text = engine.plan(&graph.build().unwrap()).await.unwrap().to_string();
    assert!(text.contains("      size: 1 → 2\n      zone: a → b  ← forces replacement\n"), "{text}");
}
