//! The groups of a cluster, for its keepers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BundleError, Role};

/// The instance groups whose machines are members of the cluster, by name.
///
/// The list is separate from the bundles of control planes, and is replaced in the state store if a group is
/// added, changed or removed: a new group of nodes does not make control planes out of date.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Groups {
    /// The groups, by name.
    pub groups: BTreeMap<String, Group>,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// The role of its machines: those of nodes may request to join.
    pub role: Role,
    /// Labels of its Nodes that a kubelet may not set itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Groups {
    /// The key in the state store.
    pub const KEY: &str = "igconfig/groups.json";

    /// Reads it.
    ///
    /// # Errors
    /// [`BundleError::Syntax`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The document as it is stored: compact JSON.
    ///
    /// # Errors
    /// None for valid groups.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BundleError> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Whether machines of a group may request to join as nodes.
    pub fn may_join(&self, group: &str) -> bool {
        self.groups.get(group).is_some_and(|it| it.role == Role::Node)
    }
}
