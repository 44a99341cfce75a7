//! What machines may do in the cloud.

use serde::{Deserialize, Serialize};

use super::{Extensions, Resource};
use crate::setters;

/// An identity that machines run under: a role with its policy, a service account.
///
/// By itself it grants nothing. What its machines may do is said by extensions: a provider's own (policies, roles), or
/// those of a product on top that the provider knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Identity {
    /// What it grants, in typed extensions.
    #[serde(default, skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

impl Identity {
    /// An identity that grants nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// Sets what it grants.
        set extensions: Extensions;
    }
}

impl Resource for Identity {
    const KIND: &'static str = "Identity";
    type Resolved = Self;
}
