//! Azure-specific settings, as typed extensions of the agnostic kinds.

use std::collections::BTreeSet;

use kops_core::resource::Extension;
use kops_core::setters;
use serde::{Deserialize, Serialize};

/// Extends an [`InstanceGroup`](kops_core::resource::InstanceGroup).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AzureInstanceGroup {
    /// The user that may log in; by default the builder's.
    pub admin_user: Option<String>,
}

impl AzureInstanceGroup {
    setters! {
        /// Sets the user that may log in.
        text admin_user;
    }
}

impl Extension for AzureInstanceGroup {
    const NAME: &'static str = "azure/InstanceGroup";
}

/// Extends an [`Identity`](kops_core::resource::Identity).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AzureIdentity {
    /// Additional roles.
    pub roles: BTreeSet<RoleOn>,
    /// The identifier of the state store's storage account: a control plane reads and writes its blobs.
    pub storage_account: Option<String>,
}

impl AzureIdentity {
    setters! {
        /// Adds roles.
        extend roles: RoleOn;
        /// Sets the identifier of the state store's storage account.
        text storage_account;
    }
}

impl Extension for AzureIdentity {
    const NAME: &'static str = "azure/Identity";
}

/// A role on an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RoleOn {
    /// The GUID of the role definition.
    pub role: String,
    /// The identifier of the object; the scope's resource group if `None`.
    #[serde(default)]
    pub scope: Option<String>,
}

impl RoleOn {
    /// A role, by the GUID of its definition, on the scope's resource group.
    pub fn new(role: impl Into<String>) -> Self {
        Self { role: role.into(), scope: None }
    }

    setters! {
        /// Sets the identifier of the object.
        text scope;
    }
}
