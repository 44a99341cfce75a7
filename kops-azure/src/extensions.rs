//! What only Azure understands, as typed extensions of the agnostic kinds.

use std::collections::BTreeSet;

use kops_core::resource::Extension;
use serde::{Deserialize, Serialize};

/// Extends an [`InstanceGroup`](kops_core::resource::InstanceGroup).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AzureInstanceGroup {
    /// The user that may log in; the builder's otherwise.
    pub admin_user: Option<String>,
}

impl Extension for AzureInstanceGroup {
    const NAME: &'static str = "azure/InstanceGroup";
}

/// Extends an [`Identity`](kops_core::resource::Identity).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AzureIdentity {
    /// Further roles.
    pub roles: BTreeSet<RoleOn>,
    /// The storage account of the state store, by its identifier: a control plane reads and writes its blobs.
    pub storage_account: Option<String>,
}

impl Extension for AzureIdentity {
    const NAME: &'static str = "azure/Identity";
}

/// A role on something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleOn {
    /// The GUID of the role's definition.
    pub role: String,
    /// What the role is on, by identifier; the scope's resource group when `None`.
    #[serde(default)]
    pub scope: Option<String>,
}
