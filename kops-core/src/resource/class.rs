//! Classes of kinds, which are the same for all clouds.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The class of a kind, independent of the cloud; useful for policies on plans.
///
/// ```
/// use kops_core::cloud::Class;
/// use kops_core::plan::{Action, Plan};
///
/// /// Whether a plan destroys data, on any cloud.
/// fn destroys_data(plan: &Plan) -> bool {
///     let destroys = |action| matches!(action, Action::Delete | Action::Replace);
///     plan.changes.iter().any(|change| change.class == Class::Data && destroys(change.action))
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Class {
    /// Stores data that is lost when it is deleted: disks, databases, buckets.
    Data,
    /// Machines and what they are created from: groups, templates, key pairs, images.
    Compute,
    /// Networks and their parts: subnets, routes, gateways, addresses, firewalls, load balancers.
    Network,
    /// Permissions: roles, service accounts, bindings.
    Identity,
    /// DNS zones and records.
    Dns,
    /// None of these, or unknown to this version.
    #[default]
    #[serde(other)]
    Other,
}

impl Class {
    /// The class of a kind in a table; `None` if the table does not contain it.
    pub fn in_table(table: &[(Self, &[&str])], kind: &str) -> Option<Self> {
        table.iter().find(|(_, kinds)| kinds.contains(&kind)).map(|(class, _)| *class)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => "data",
            Self::Compute => "compute",
            Self::Network => "network",
            Self::Identity => "identity",
            Self::Dns => "dns",
            Self::Other => "other",
        })
    }
}
