//! How objects that take tags tell whose they are.

use std::collections::BTreeMap;

use super::{Mark, Scope};

/// A [`Mark`] as tags, by the keys that a cloud has for them.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use kops_core::cloud::{Mark, MarkTags, Scope};
///
/// const MARK: MarkTags =
///     MarkTags { cluster: "KubernetesCluster", task: "kops.k8s.io/task", lifecycle: "kops.k8s.io/lifecycle" };
///
/// let mark = Mark { cluster: "ha.example.com".into(), task: "api.ha.example.com".into(), retained: false };
/// let mut tags = BTreeMap::from([("team".to_owned(), "a".to_owned())]);
/// MARK.write(&mark, &mut tags);
/// assert_eq!(MARK.read(&Scope::new("ha.example.com"), &tags), Some(mark));
/// assert_eq!(MARK.read(&Scope::new("example.com"), &tags), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkTags {
    /// The key of the tag that tells the cluster.
    pub cluster: &'static str,
    /// The key of the tag that tells the task.
    pub task: &'static str,
    /// The key of the tag that says `retained`.
    pub lifecycle: &'static str,
}

const RETAINED: &str = "retained";

impl MarkTags {
    /// Adds a mark to tags.
    pub fn write(&self, mark: &Mark, tags: &mut BTreeMap<String, String>) {
        tags.insert(self.cluster.to_owned(), mark.cluster.clone());
        tags.insert(self.task.to_owned(), mark.task.clone());
        if mark.retained {
            tags.insert(self.lifecycle.to_owned(), RETAINED.to_owned());
        }
    }

    /// The mark in tags, if it is one of the scope's.
    pub fn read(&self, scope: &Scope, tags: &BTreeMap<String, String>) -> Option<Mark> {
        let task = tags.get(self.task).filter(|_| self.is_of(scope, tags))?.clone();
        Some(Mark { cluster: scope.name().to_owned(), task, retained: self.is_retained(tags) })
    }

    /// Whether tags tell the scope's cluster, if perhaps no task.
    pub fn is_of(&self, scope: &Scope, tags: &BTreeMap<String, String>) -> bool {
        tags.get(self.cluster).is_some_and(|cluster| cluster == scope.name())
    }

    /// Whether tags say that the object is never to be deleted.
    pub fn is_retained(&self, tags: &BTreeMap<String, String>) -> bool {
        tags.get(self.lifecycle).is_some_and(|it| it == RETAINED)
    }

    /// Whether a tag belongs to the mark.
    pub fn has(&self, key: &str) -> bool {
        [self.cluster, self.task, self.lifecycle].contains(&key)
    }
}
