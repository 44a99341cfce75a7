//! The plan as text for users: a summary in one line, then the changes, by kind.
//!
//! The format does not depend on the size of the plan. For existing objects, the fields that change are shown; for
//! new ones, only the names, or with [`TextOptions::full`] all fields.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use super::saved::Content;
use super::{Action, Change, FieldChange};
use crate::setters;

/// Options of the text form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextOptions {
    /// Whether new objects are shown with all their fields.
    pub full: bool,
    /// Whether marks are coloured with terminal escape sequences.
    pub color: bool,
}

impl TextOptions {
    /// The short form, without colours.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// Sets whether new objects are shown with all their fields.
        set full: bool;
        /// Sets whether marks are coloured with terminal escape sequences.
        set color: bool;
    }
}

/// Longer values are truncated.
const WIDTH: usize = 72;

impl Content<'_> {
    pub(super) fn text(&self, options: TextOptions) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{}", self.headline());
        let mut kinds: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
        for change in &*self.changes {
            kinds.entry(change.task.kind()).or_default().push(change);
        }
        for (kind, changes) in kinds {
            let _ = writeln!(out, "\n{kind}");
            for change in changes {
                write_change(&mut out, change, options);
            }
        }
        if !self.pending.is_empty() {
            let _ = writeln!(out, "\nNot ready yet; applying waits for them:");
            for task in &*self.pending {
                let _ = writeln!(out, "  {task}");
            }
        }
        if !self.deferred.is_empty() {
            let _ = writeln!(out, "\nNo longer in the graph; deleted only with pruning:");
            for change in &*self.deferred {
                let _ = writeln!(out, "  {}{}", change.task, in_brackets(change.id.as_deref()));
            }
        }
        for warning in &*self.warnings {
            let _ = writeln!(out, "\nWarning: {warning}");
        }
        out
    }

    pub(super) fn headline(&self) -> String {
        let summary = &self.summary;
        let mut parts: Vec<String> = [
            (summary.create, "create"),
            (summary.update, "update"),
            (summary.replace, "replace"),
            (summary.delete, "delete"),
            (summary.adopt, "adopt"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, verb)| format!("{count} to {verb}"))
        .collect();
        if parts.is_empty() {
            parts
                .push(if self.pending.is_empty() { "nothing to do" } else { "nothing to change" }.to_owned());
        }
        let mut what = parts.join(", ");
        if !self.pending.is_empty() {
            let _ = write!(what, "; waiting for {}", self.pending.len());
        }
        format!("{} on {}: {what}; {} unchanged.", self.scope, self.cloud, summary.unchanged)
    }
}

fn write_change(out: &mut String, change: &Change, options: TextOptions) {
    let (mark, paint) = match change.action {
        Action::Create => ("+", "32"),
        Action::Update => ("~", "33"),
        Action::Replace => ("±", "35"),
        Action::Delete => ("-", "31"),
        Action::Adopt => ("→", "36"),
    };
    let mark = if options.color { format!("\x1b[{paint}m{mark}\x1b[0m") } else { mark.to_owned() };
    let _ = write!(out, "  {mark} {}{}", change.task.name(), in_brackets(change.id.as_deref()));
    match &change.reason {
        Some(reason) => {
            let _ = writeln!(out, ": {reason}");
        }
        None => out.push('\n'),
    }
    if change.action == Action::Create && !options.full {
        return;
    }
    for field in &change.fields {
        write_field(out, field, change.action);
    }
}

fn in_brackets(id: Option<&str>) -> String {
    id.map_or_else(String::new, |id| format!(" ({id})"))
}

fn write_field(out: &mut String, field: &FieldChange, action: Action) {
    let path = &field.path;
    let mark = if field.forces_replacement { "  ← forces replacement" } else { "" };
    if action == Action::Create {
        let _ = writeln!(out, "      {path}: {}", brief(&field.after));
        return;
    }
    // For sets and lists, only added and removed elements are shown.
    if let (Value::Array(before), Value::Array(after)) = (&field.before, &field.after)
        && before.len() + after.len() > 2
    {
        let _ = writeln!(out, "      {path}:{mark}");
        for item in before.iter().filter(|item| !after.contains(item)) {
            let _ = writeln!(out, "        - {}", brief(item));
        }
        for item in after.iter().filter(|item| !before.contains(item)) {
            let _ = writeln!(out, "        + {}", brief(item));
        }
        if before.iter().all(|item| after.contains(item)) && after.iter().all(|item| before.contains(item)) {
            let _ = writeln!(out, "        (order changed)");
        }
        return;
    }
    let _ = writeln!(out, "      {path}: {} → {}{mark}", brief(&field.before), brief(&field.after));
}

/// A value in one line.
fn brief(value: &Value) -> String {
    let text = match value {
        Value::Null => "none".to_owned(),
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(brief).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| format!("{name}: {}", brief(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        other => other.to_string(),
    };
    let text = text.replace('\n', "\\n");
    if text.chars().count() <= WIDTH {
        return text;
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}
