//! The content of a client certificate.

use std::time::Duration;

/// A client of the API, as its certificate names it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Client {
    /// The name of the user.
    pub user: String,
    /// The groups that it belongs to, for example `system:masters`.
    pub groups: Vec<String>,
    /// How long the certificate is valid. It cannot be revoked: keep it short.
    pub lifetime: Duration,
}

impl Client {
    /// A user without groups, for an hour.
    pub fn new(user: impl Into<String>) -> Self {
        Self { user: user.into(), groups: Vec::new(), lifetime: Duration::from_hours(1) }
    }

    /// Adds a group.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.groups.push(group.into());
        self
    }

    /// Sets how long the certificate is valid.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }
}
