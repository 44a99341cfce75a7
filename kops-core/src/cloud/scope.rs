//! Who owns what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The owner of objects: a cluster, or whatever else a program provisions as one.
///
/// Every object made for a scope carries its name. What does not carry it is never changed or deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    name: String,
    labels: BTreeMap<String, String>,
}

impl Scope {
    /// The scope called `name`; for a cluster, the cluster's full name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), labels: BTreeMap::new() }
    }

    /// Further labels that every object gets where the cloud has labels.
    pub fn labels(mut self, labels: BTreeMap<String, String>) -> Self {
        self.labels = labels;
        self
    }

    /// The name that objects carry.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The further labels of every object.
    pub fn extra_labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }
}
