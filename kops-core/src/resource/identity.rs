//! The permissions of machines in the cloud.

use serde::{Deserialize, Serialize};

use super::{Extensions, Resource};
use crate::setters;

/// An identity of machines: a role with its policy, or a service account.
///
/// By itself, it grants nothing. Permissions are set by extensions: the provider's own (policies, roles), or those of
/// a product on top that the provider knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Identity {
    /// The permissions, as typed extensions.
    #[serde(default, skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

impl Identity {
    /// An identity that grants nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// Sets the permissions.
        set extensions: Extensions;
    }
}

impl Resource for Identity {
    const KIND: &'static str = "Identity";
    type Resolved = Self;
}
