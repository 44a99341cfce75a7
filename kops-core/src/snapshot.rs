//! The result of an observation.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::cloud::{Observed, Owner};
use crate::graph::Key;

/// The objects that an observation found, by kind. It is a value without a connection to the cloud.
#[derive(Clone, Default, PartialEq)]
pub struct Snapshot {
    objects: BTreeMap<String, Vec<Arc<Observed>>>,
    /// Kinds that could not be listed, with the reason.
    left_out: BTreeMap<String, String>,
}

impl Snapshot {
    pub(crate) fn insert(&mut self, kind: &str, mut objects: Vec<Observed>) {
        objects.sort_by(|a, b| a.object.id.cmp(&b.object.id));
        self.objects.insert(kind.to_owned(), objects.into_iter().map(Arc::new).collect());
    }

    pub(crate) fn leave_out(&mut self, kind: &str, why: String) {
        self.left_out.insert(kind.to_owned(), why);
    }

    /// The kinds that the credentials may not list and that the graph does not use, with the cloud's error. It is not
    /// known whether the scope has objects of them.
    pub fn left_out(&self) -> impl Iterator<Item = (&str, &str)> {
        self.left_out.iter().map(|(kind, why)| (kind.as_str(), why.as_str()))
    }

    /// The objects of a kind, by identifier.
    pub fn of(&self, kind: &str) -> &[Arc<Observed>] {
        self.objects.get(kind).map_or(&[], Vec::as_slice)
    }

    /// The snapshot's own string of a kind that was listed.
    pub(crate) fn kind(&self, kind: &str) -> Option<&str> {
        self.objects.get_key_value(kind).map(|(kind, _)| kind.as_str())
    }

    /// All objects with their kind, by kind and identifier.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<Observed>)> {
        self.objects.iter().flat_map(|(kind, all)| all.iter().map(move |object| (kind.as_str(), object)))
    }

    /// The live objects that the scope owns, by the key of the task for which they were created. More than one with
    /// the same key is a duplicate, or the old and new object of an interrupted replacement.
    pub fn owned(&self) -> impl Iterator<Item = (Key, &Arc<Observed>)> {
        self.iter()
            .filter(|(_, it)| it.object.owner == Owner::Scope && it.object.state.is_live())
            .map(|(kind, it)| (Key::new(kind, it.object.name.as_deref().unwrap_or(&it.object.id)), it))
    }

    /// The number of objects.
    pub fn len(&self) -> usize {
        self.objects.values().map(Vec::len).sum()
    }

    /// Whether there are no objects.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether an object exists and is not being deleted, or may exist because its kind was not listed.
    pub(crate) fn has_live(&self, kind: &str, id: &str) -> bool {
        self.left_out.contains_key(kind)
            || self.of(kind).iter().any(|it| it.object.id == id && it.object.state.is_live())
    }
}

/// A snapshot of objects with their kinds, for planning without a cloud.
impl<K: Into<String>> FromIterator<(K, Observed)> for Snapshot {
    fn from_iter<I: IntoIterator<Item = (K, Observed)>>(objects: I) -> Self {
        let mut by_kind: BTreeMap<String, Vec<Observed>> = BTreeMap::new();
        for (kind, object) in objects {
            by_kind.entry(kind.into()).or_default().push(object);
        }
        let mut snapshot = Self::default();
        for (kind, objects) in by_kind {
            snapshot.insert(&kind, objects);
        }
        snapshot
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.objects.iter().map(|(kind, objects)| (kind, objects.len()));
        f.debug_map().entries(counts).finish()
    }
}
