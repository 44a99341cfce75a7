//! What objects are for, in words that all clouds share.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What objects of a kind are for, whatever the cloud calls them: what a policy over plans goes by.
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
    /// Holds data that is lost with it: disks, databases, buckets.
    Data,
    /// Machines, and what makes them: groups, templates, key pairs, images.
    Compute,
    /// Networks and what is in them: subnets, routes, gateways, addresses, firewalls, load balancers.
    Network,
    /// Who may do what: roles, service accounts, permissions.
    Identity,
    /// DNS zones and records.
    Dns,
    /// None of these, or not known to this version.
    #[default]
    #[serde(other)]
    Other,
}

impl Class {
    /// The class of a kind in a table; `None` when the table does not have it.
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
