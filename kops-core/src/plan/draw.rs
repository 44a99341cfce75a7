//! The plan as a graph: what changes, and what waits for what.

use std::collections::HashMap;
use std::fmt::Write;

use crate::graph::{Key, Wait};

use super::{Action, Plan};

impl Plan {
    /// The changes as a graph in Graphviz's language. An arrow points to what waits; dashed ones wait until
    /// the object works.
    pub fn dot(&self) -> String {
        let mut out = String::from("digraph plan {\n  rankdir=LR;\n  node [shape=box, style=filled];\n");
        let nodes = self.nodes();
        for (change, node) in self.changes.iter().zip(0..) {
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
        for (from, to, until) in self.arrows(&nodes) {
            let style = if until == Wait::Ready { " [style=dashed]" } else { "" };
            let _ = writeln!(out, "  n{from} -> n{to}{style};");
        }
        out.push_str("}\n");
        out
    }

    /// The changes as a graph in Mermaid's language.
    pub fn mermaid(&self) -> String {
        let mut out = String::from("flowchart LR\n");
        let nodes = self.nodes();
        for (change, node) in self.changes.iter().zip(0..) {
            let label = format!("{} {}", change.action, change.task).replace('"', "#quot;");
            let _ = writeln!(out, "  n{node}[\"{label}\"]:::{}", change.action);
        }
        for (from, to, until) in self.arrows(&nodes) {
            let arrow = if until == Wait::Ready { "-.->" } else { "-->" };
            let _ = writeln!(out, "  n{from} {arrow} n{to}");
        }
        out.push_str("  classDef create fill:#9f9\n  classDef update fill:#fe8\n");
        out.push_str("  classDef replace fill:#dad\n  classDef delete fill:#fbb\n");
        if self.summary.adopt > 0 {
            out.push_str("  classDef adopt fill:#bdf\n");
        }
        out
    }

    fn nodes(&self) -> HashMap<&Key, Vec<usize>> {
        let mut nodes: HashMap<&Key, Vec<usize>> = HashMap::new();
        for (node, change) in self.changes.iter().enumerate() {
            nodes.entry(&change.task).or_default().push(node);
        }
        nodes
    }

    fn arrows(&self, nodes: &HashMap<&Key, Vec<usize>>) -> Vec<(usize, usize, Wait)> {
        let waits = self.changes.iter().enumerate().flat_map(|(to, change)| {
            change.waits_for.iter().flat_map(move |dependency| {
                let from = nodes.get(&dependency.task).into_iter().flatten();
                from.map(move |from| (*from, to, dependency.until))
            })
        });
        waits.collect()
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
