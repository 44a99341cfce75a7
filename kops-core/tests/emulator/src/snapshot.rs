//! All that a tenant holds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The objects of a tenant by kind (`vpc`, `networks`, `virtualNetworks` …) and name or id, each with its description
/// in the vendor's terms, less what moves by itself; the emulator's `server/snapshot.py` says which kinds there are.
///
/// It includes what the cloud gives every tenant (AWS's default VPC, say): compare snapshots.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    objects: BTreeMap<String, BTreeMap<String, Value>>,
}

impl Snapshot {
    /// From the emulator's own description: `{kind: {name: description}}`.
    pub fn from_json(value: Value) -> Self {
        let objects = serde_json::from_value(value).unwrap_or_else(|error| panic!("a snapshot: {error}"));
        Self { objects }
    }

    /// The names of the objects of a kind.
    pub fn names(&self, kind: &str) -> BTreeSet<&str> {
        self.objects.get(kind).map(|objects| objects.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    /// An object's description.
    pub fn object(&self, kind: &str, name: &str) -> Option<&Value> {
        self.objects.get(kind)?.get(name)
    }

    /// The objects of a kind, with their descriptions.
    pub fn objects(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.objects.get(kind).into_iter().flatten().map(|(name, object)| (name.as_str(), object))
    }

    /// How many objects of a kind.
    pub fn count(&self, kind: &str) -> usize {
        self.objects.get(kind).map_or(0, BTreeMap::len)
    }

    /// How many objects of each kind.
    pub fn counts(&self) -> BTreeMap<&str, usize> {
        self.objects.iter().map(|(kind, objects)| (kind.as_str(), objects.len())).collect()
    }

    /// What a later snapshot has more (`+`), less (`-`) and differently (`~`), a line each.
    pub fn diff(&self, later: &Self) -> Vec<String> {
        let mut lines = later.missing_from(self, '+');
        lines.extend(self.missing_from(later, '-'));
        lines.extend(self.changed_in(later));
        lines
    }

    /// What a later snapshot lacks or has differently: for objects that nobody may touch, while others come.
    pub fn lost_in(&self, later: &Self) -> Vec<String> {
        let mut lines = self.missing_from(later, '-');
        lines.extend(self.changed_in(later));
        lines
    }

    fn missing_from(&self, other: &Self, sign: char) -> Vec<String> {
        self.all()
            .filter(|(kind, name, _)| other.object(kind, name).is_none())
            .map(|(kind, name, _)| format!("{sign} {kind} {name}"))
            .collect()
    }

    fn changed_in(&self, later: &Self) -> Vec<String> {
        self.all()
            .filter_map(|(kind, name, before)| {
                let after = later.object(kind, name)?;
                (before != after).then(|| format!("~ {kind} {name}: {before} -> {after}"))
            })
            .collect()
    }

    /// All objects, with kind, name or id, and description.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        self.objects.iter().flat_map(|(kind, objects)| {
            objects.iter().map(move |(name, it)| (kind.as_str(), name.as_str(), it))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_names_what_came_went_and_changed() {
        let before = Snapshot::from_json(json!({ "vpc": { "a": 1, "b": 1 }, "subnet": { "s": 1 } }));
        let after = Snapshot::from_json(json!({ "vpc": { "b": 2, "c": 1 }, "subnet": { "s": 1 } }));
        assert_eq!(before.diff(&after), ["+ vpc c", "- vpc a", "~ vpc b: 1 -> 2"]);
        assert_eq!(before.lost_in(&after), ["- vpc a", "~ vpc b: 1 -> 2"]);
        assert_eq!(before.diff(&before), Vec::<String>::new());
    }
}
