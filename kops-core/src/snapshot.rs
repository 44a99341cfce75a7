//! What the cloud held at one moment.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::cloud::{Observed, Owner, State};
use crate::digest::Hasher;
use crate::graph::Key;

/// The objects that an observation found, by kind; a value, not connected to the cloud any more.
#[derive(Clone, Default, PartialEq)]
pub struct Snapshot {
    objects: BTreeMap<String, Vec<Arc<Observed>>>,
}

impl Snapshot {
    pub(crate) fn insert(&mut self, kind: &str, mut objects: Vec<Observed>) {
        objects.sort_by(|a, b| a.object.id.cmp(&b.object.id));
        self.objects.insert(kind.to_owned(), objects.into_iter().map(Arc::new).collect());
    }

    /// The objects of a kind, by identifier.
    pub fn of(&self, kind: &str) -> &[Arc<Observed>] {
        self.objects.get(kind).map_or(&[], Vec::as_slice)
    }

    /// The text of a kind that was listed, as long-lived as the snapshot.
    pub(crate) fn kind(&self, kind: &str) -> Option<&str> {
        self.objects.get_key_value(kind).map(|(kind, _)| kind.as_str())
    }

    /// All objects with their kind, by kind and identifier.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<Observed>)> {
        self.objects.iter().flat_map(|(kind, all)| all.iter().map(move |object| (kind.as_str(), object)))
    }

    /// The live objects that the scope owns, by the key of the task they were made for. More than one under
    /// a key is a duplicate, or the old and the new of a replacement that was interrupted.
    pub fn owned(&self) -> impl Iterator<Item = (Key, &Arc<Observed>)> {
        self.iter()
            .filter(|(_, it)| it.object.owner == Owner::Scope && it.object.state.is_live())
            .map(|(kind, it)| (Key::new(kind, it.object.name.as_deref().unwrap_or(&it.object.id)), it))
    }

    /// How many objects were seen.
    pub fn len(&self) -> usize {
        self.objects.values().map(Vec::len).sum()
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether an object is there and not on its way out.
    pub(crate) fn has_live(&self, kind: &str, id: &str) -> bool {
        self.of(kind).iter().any(|it| it.object.id == id && it.object.state.is_live())
    }

    /// The snapshot as if some objects had not been there.
    pub(crate) fn without(&self, is_left_out: impl Fn(&str, &str) -> bool) -> Self {
        let keep = |(kind, all): (&String, &Vec<Arc<Observed>>)| {
            let stay = all.iter().filter(|it| !is_left_out(kind, &it.object.id)).cloned().collect();
            (kind.clone(), stay)
        };
        Self { objects: self.objects.iter().map(keep).collect() }
    }

    /// A digest of everything that a plan depends on. Objects that become ready, or vanish after their
    /// deletion, do not change it.
    pub fn fingerprint(&self) -> String {
        let mut hasher = Hasher::default();
        for (kind, observed) in self.iter().filter(|(_, it)| it.object.state.is_live()) {
            let object = &observed.object;
            hasher.text(kind).text(&object.id).text(object.name.as_deref().unwrap_or_default());
            hasher.text(match (object.owner, &object.state) {
                (Owner::Other | Owner::Unknown, _) => "other",
                (Owner::Scope, State::Failed(_)) => "failed",
                (Owner::Scope, _) if object.retained => "retained",
                (Owner::Scope, _) => "",
            });
            for alias in &object.aliases {
                hasher.text(alias);
            }
            hasher.document(&object.spec);
        }
        hasher.finish()
    }
}

/// A snapshot of objects, each with its kind: to plan without a cloud.
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
