//! Who owns what.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The owner of objects: a cluster, or whatever else a program provisions as one.
///
/// Every object made for a scope carries its name. What does not carry it is never changed or deleted. What carries
/// it and is no longer in the graph is deleted: pruning is the default
/// ([`Engine::prune`](crate::Engine::prune)). So a name belongs to *one program at a time*: two programs that use
/// one scope in the same region of an account prune each other's objects. Give each its own name, and let two runs
/// of the same program exclude each other by a [lease](crate::store::lease).
///
/// # Regions and places
/// A scope is confined to the region that its cloud is connected to. Scopes of one name in two regions of an account
/// never own each other's objects, not even those that are listed for the whole account, as identities and zones of
/// DNS are. But names of such objects are taken once for an account, and two scopes of one name want the same: the
/// plan of the second is refused. One program in several regions, or for several customers in one region, tells its
/// scopes apart by a place, which becomes part of the marks of ownership and of the names of new objects:
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
/// A scope without a place is one of its own: it owns nothing of those within places, and they nothing of it. Whether
/// a scope has one is decided before its first object is made.
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
    /// The scope called `name`; for a cluster, the cluster's full name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), place: None, region: None, labels: BTreeMap::new() }
    }

    /// The scope of this name within a place: a region, a customer, a stage, in letters, digits and hyphens that
    /// every cloud takes in names. An empty place is none.
    pub fn within(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into()).filter(|place| !place.is_empty());
        self
    }

    /// Further labels that every object gets where the cloud has labels.
    pub fn labels(mut self, labels: BTreeMap<String, String>) -> Self {
        self.labels = labels;
        self
    }

    /// The scope as it owns objects of kinds that a cloud lists beyond one region: their marks tell the region, too.
    /// For providers; see [`AccountWide`](super::AccountWide). An empty region is none: a cloud that has only one.
    pub fn at(&self, region: &str) -> Self {
        Self { region: Some(region.to_owned()).filter(|region| !region.is_empty()), ..self.clone() }
    }

    /// The name that objects carry.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The place, if the scope is within one.
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }

    /// The region that marks of ownership tell, if they tell one.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// The further labels of every object.
    pub fn extra_labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// A task's name as handlers know it, which names of objects follow from: with the scope's place, if it has one.
    pub(crate) fn placed(&self, task: &str) -> String {
        match &self.place {
            Some(place) => format!("{task}.{place}"),
            None => task.to_owned(),
        }
    }

    /// The task's name in the graph, of one as handlers know it and marks tell it; for providers that read marks
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
