//! The plan as a graph: changes, and their dependencies.

use std::collections::HashMap;
use std::fmt::Write;

use crate::graph::{Key, Wait};

use super::{Action, Change, Plan};

impl Plan {
    /// The changes as a graph in Graphviz's DOT language. An arrow points to the dependent change; if dashed, it
    /// waits until the object is ready.
    pub fn dot(&self) -> String {
        dot(&self.changes)
    }

    /// The changes as a Mermaid graph.
    pub fn mermaid(&self) -> String {
        mermaid(&self.changes)
    }
}

pub(super) fn dot(changes: &[Change]) -> String {
    let mut out = String::from("digraph plan {\n  rankdir=LR;\n  node [shape=box, style=filled];\n");
    for (change, node) in changes.iter().zip(0..) {
        let color = match change.action {
            Action::Create => "palegreen",
            Action::Update => "khaki",
            Action::Replace => "plum",
            Action::Delete => "lightpink",
            Action::Adopt => "lightblue",
        };
        let label = format!("{}\\n{}", escape(change.task.kind()), escape(change.task.name()));
        let _ = writeln!(out, "  n{node} [label=\"{label}\", fillcolor={color}];");
    }
    for (from, to, until) in arrows(changes) {
        let style = if until == Wait::Ready { " [style=dashed]" } else { "" };
        let _ = writeln!(out, "  n{from} -> n{to}{style};");
    }
    out.push_str("}\n");
    out
}

pub(super) fn mermaid(changes: &[Change]) -> String {
    let mut out = String::from("flowchart LR\n");
    for (change, node) in changes.iter().zip(0..) {
        let label = format!("{} {}", change.action, change.task).replace('"', "#quot;");
        let _ = writeln!(out, "  n{node}[\"{label}\"]:::{}", change.action);
    }
    for (from, to, until) in arrows(changes) {
        let arrow = if until == Wait::Ready { "-.->" } else { "-->" };
        let _ = writeln!(out, "  n{from} {arrow} n{to}");
    }
    out.push_str("  classDef create fill:#9f9\n  classDef update fill:#fe8\n");
    out.push_str("  classDef replace fill:#dad\n  classDef delete fill:#fbb\n");
    if changes.iter().any(|change| change.action == Action::Adopt) {
        out.push_str("  classDef adopt fill:#bdf\n");
    }
    out
}

/// The arrows, from change to change, with what the latter waits for.
fn arrows(changes: &[Change]) -> Vec<(usize, usize, Wait)> {
    let mut nodes: HashMap<&Key, Vec<usize>> = HashMap::new();
    for (node, change) in changes.iter().enumerate() {
        nodes.entry(&change.task).or_default().push(node);
    }
    let waits = changes.iter().enumerate().flat_map(|(to, change)| {
        let nodes = &nodes;
        change.waits_for.iter().flat_map(move |dependency| {
            let from = nodes.get(&dependency.task).into_iter().flatten();
            from.map(move |from| (*from, to, dependency.until))
        })
    });
    waits.collect()
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
