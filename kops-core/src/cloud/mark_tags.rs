//! Marks of objects that can have tags.

use std::collections::BTreeMap;

use super::{Mark, Scope};

/// A [`Mark`] as tags, with a cloud's keys.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use kops_core::cloud::{Mark, MarkTags, Scope};
///
/// const MARK: MarkTags = MarkTags {
///     scope: "acme.com/scope",
///     place: "acme.com/within",
///     region: "acme.com/region",
///     task: "acme.com/task",
///     lifecycle: "acme.com/lifecycle",
/// };
///
/// let scope = Scope::new("shop");
/// let mark = Mark::new(&scope, "front");
/// let mut tags = BTreeMap::from([("team".to_owned(), "a".to_owned())]);
/// MARK.write(&mark, &mut tags);
/// assert_eq!(MARK.read(&scope, &tags), Some(mark));
/// assert_eq!(MARK.read(&Scope::new("shop-2"), &tags), None);
/// assert_eq!(MARK.read(&scope.within("eu"), &tags), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkTags {
    /// The key of the tag with the scope's name.
    pub scope: &'static str,
    /// The key of the tag with the scope's place; only set for scopes with a place.
    pub place: &'static str,
    /// The key of the tag with the region; only set for [account-wide](super::AccountWide) kinds.
    pub region: &'static str,
    /// The key of the tag with the task.
    pub task: &'static str,
    /// The key of the tag with the value `retained`.
    pub lifecycle: &'static str,
}

const RETAINED: &str = "retained";

impl MarkTags {
    /// Adds a mark to tags.
    pub fn write(&self, mark: &Mark, tags: &mut BTreeMap<String, String>) {
        tags.insert(self.scope.to_owned(), mark.scope.clone());
        for (key, value) in [(self.place, &mark.place), (self.region, &mark.region)] {
            if let Some(value) = value {
                tags.insert(key.to_owned(), value.clone());
            }
        }
        tags.insert(self.task.to_owned(), mark.task.clone());
        if mark.retained {
            tags.insert(self.lifecycle.to_owned(), RETAINED.to_owned());
        }
    }

    /// The mark in tags, if it is one of the scope's.
    pub fn read(&self, scope: &Scope, tags: &BTreeMap<String, String>) -> Option<Mark> {
        let task = tags.get(self.task).filter(|_| self.is_of(scope, tags))?.clone();
        Some(Mark { retained: self.is_retained(tags), ..Mark::new(scope, task) })
    }

    /// Whether tags match the scope, its place and region, perhaps without a task.
    pub fn is_of(&self, scope: &Scope, tags: &BTreeMap<String, String>) -> bool {
        let tag = |key| tags.get(key).map(String::as_str);
        tag(self.scope) == Some(scope.name())
            && tag(self.place) == scope.place()
            && tag(self.region) == scope.region()
    }

    /// The other scope that tags name, if they do not name this one.
    ///
    /// ```
    /// # use std::collections::BTreeMap;
    /// # use kops_core::cloud::{Mark, MarkTags, Scope};
    /// # const MARK: MarkTags = MarkTags { scope: "s", place: "p", region: "r", task: "t", lifecycle: "l" };
    /// let mut tags = BTreeMap::new();
    /// MARK.write(&Mark::new(&Scope::new("shop"), "front"), &mut tags);
    /// assert_eq!(MARK.other(&Scope::new("shop"), &tags), None);
    /// assert_eq!(MARK.other(&Scope::new("shop").within("eu"), &tags), Some(Scope::new("shop")));
    /// ```
    pub fn other(&self, scope: &Scope, tags: &BTreeMap<String, String>) -> Option<Scope> {
        let name = tags.get(self.scope).filter(|_| !self.is_of(scope, tags))?;
        let part = |key| tags.get(key).map(String::as_str).unwrap_or_default();
        Some(Scope::new(name).within(part(self.place)).at(part(self.region)))
    }

    /// Whether tags mark the object as retained.
    pub fn is_retained(&self, tags: &BTreeMap<String, String>) -> bool {
        tags.get(self.lifecycle).is_some_and(|it| it == RETAINED)
    }

    /// Whether a tag is part of the mark.
    pub fn has(&self, key: &str) -> bool {
        [self.scope, self.place, self.region, self.task, self.lifecycle].contains(&key)
    }
}
