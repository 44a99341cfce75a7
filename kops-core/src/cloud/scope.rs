//! Ownership of objects.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The owner of objects: a cluster, or anything else that a program provisions as a unit.
///
/// Every object created for a scope carries its name. Objects that do not carry it are never changed or deleted.
/// Objects that carry it, but are no longer in the graph, are deleted: pruning is on by default
/// ([`Engine::prune`](crate::Engine::prune)). So a name belongs to *one program at a time*: two programs that use the
/// same scope in the same region of an account prune each other's objects. Use a separate name for each, and a
/// [lease](crate::store::lease) to exclude concurrent runs of the same program.
///
/// # Regions and places
/// A scope is confined to the region that its cloud is connected to. Scopes of the same name in two regions of an
/// account never own each other's objects, not even those that are listed for the whole account, such as identities
/// and DNS zones. But names of such objects are unique in an account, so two scopes of the same name request the same
/// ones: the plan of the second is rejected. A program for several regions, or for several customers in one region,
/// distinguishes its scopes by a place, which becomes part of the marks and of the names of new objects:
///
/// ```
/// use kops_core::cloud::Scope;
///
/// let (eu, us) = (Scope::new("shop").within("eu"), Scope::new("shop").within("us"));
/// assert_ne!(eu, us);
/// assert_eq!(eu.to_string(), "shop within eu");
/// assert_eq!(Scope::new("shop").to_string(), "shop");
/// ```
///
/// A scope without a place differs from all with one: neither owns objects of the other. Decide whether a scope has a
/// place before its first object is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    labels: BTreeMap<String, String>,
}

impl Scope {
    /// The scope with a name; for a cluster, its full name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), place: None, region: None, labels: BTreeMap::new() }
    }

    /// The scope of this name within a place: a region, a customer, a stage; in letters, digits and hyphens, which
    /// every cloud accepts in names. An empty place is ignored.
    pub fn within(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into()).filter(|place| !place.is_empty());
        self
    }

    /// Sets additional labels of all objects, on clouds with labels.
    pub fn labels(mut self, labels: BTreeMap<String, String>) -> Self {
        self.labels = labels;
        self
    }

    /// The scope as the owner of objects whose listings are not confined to a region: their marks contain the region,
    /// too. For providers; see [`AccountWide`](super::AccountWide). An empty region is ignored: the cloud has only
    /// one.
    pub fn at(&self, region: &str) -> Self {
        Self { region: Some(region.to_owned()).filter(|region| !region.is_empty()), ..self.clone() }
    }

    /// The name that objects carry.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The place, if there is one.
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }

    /// The region that marks contain, if any.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// The additional labels of all objects.
    pub fn extra_labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// The scope as marks name it: without its labels.
    pub(crate) fn unlabelled(&self) -> Self {
        Self { labels: BTreeMap::new(), ..self.clone() }
    }

    /// A task's name as seen by handlers, which names of objects are derived from: it includes the scope's place, if
    /// any.
    pub(crate) fn placed(&self, task: &str) -> String {
        match &self.place {
            Some(place) => format!("{task}.{place}"),
            None => task.to_owned(),
        }
    }

    /// The task's name in the graph, from its name as seen by handlers and in marks; for providers that read marks
    /// without a handler.
    ///
    /// ```
    /// use kops_core::cloud::Scope;
    ///
    /// assert_eq!(Scope::new("shop").within("eu").task("nodes.eu"), "nodes");
    /// assert_eq!(Scope::new("shop").task("nodes"), "nodes");
    /// ```
    pub fn task<'a>(&self, placed: &'a str) -> &'a str {
        let task =
            self.place.as_ref().and_then(|place| placed.strip_suffix(place.as_str())?.strip_suffix('.'));
        task.unwrap_or(placed)
    }
}

/// The name, and the place if there is one.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(place) = &self.place {
            write!(f, " within {place}")?;
        }
        if let Some(region) = &self.region {
            write!(f, " in region {region}")?;
        }
        Ok(())
    }
}
