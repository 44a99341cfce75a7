//! The groups of a cluster, as its keepers read them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BundleError, Role};

/// The instance groups whose machines are members of the cluster, by name.
///
/// It is apart from the bundles of control planes, and replaced in the state store when a group comes, changes or goes:
/// another group of nodes makes no control plane out of date.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Groups {
    /// The groups, by name.
    pub groups: BTreeMap<String, Group>,
}

/// What a keeper knows of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// What its machines are for: those of nodes may ask to join.
    pub role: Role,
    /// Labels of its Nodes that a kubelet may not set itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Groups {
    /// Where it is in the state store.
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
    /// None that groups can cause.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BundleError> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Whether machines of a group may ask to join as nodes.
    pub fn may_join(&self, group: &str) -> bool {
        self.groups.get(group).is_some_and(|it| it.role == Role::Node)
    }
}
