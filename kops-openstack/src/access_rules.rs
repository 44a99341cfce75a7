//! Access rules, which restrict an application credential to certain calls of services.
//!
//! <https://docs.openstack.org/keystone/latest/user/application_credentials.html#access-rules>

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::clients::{Endpoint, Service};

/// An allowed call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AccessRule {
    /// The service type in the catalogue.
    pub service: String,
    /// `GET`, `POST`, …
    pub method: String,
    /// The full path of the request: `*` and `{anything}` stand for text without a slash, `**` for any text.
    pub path: String,
}

impl AccessRule {
    /// The rule that allows a call, written as in errors (`GET network/ports/*`); `None` if the cloud does not have the
    /// service.
    pub(crate) fn of(call: &str, services: &[Endpoint]) -> Option<Self> {
        let (method, call) = call.split_once(' ')?;
        let (service, path) = call.split_once('/')?;
        let service = Service::ALL.into_iter().find(|it| it.name() == service)?;
        let endpoint = services.iter().find(|it| it.service == service)?;
        let base = endpoint.url.path().trim_end_matches('/');
        Some(Self {
            service: endpoint.kind.to_owned(),
            method: method.to_owned(),
            path: format!("{base}/{path}"),
        })
    }

    /// Whether it allows everything that another one allows. The other's wildcards are treated as names.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.service == other.service && self.method == other.method && matches(&self.path, &other.path)
    }
}

impl fmt::Display for AccessRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.service, self.method, self.path)
    }
}

/// Whether a pattern matches a path: `*` and `{anything}` match text without a slash, `**` matches any text,
/// including none (`_path_matches` of keystonemiddleware).
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let segment = path.find('/').unwrap_or(path.len());
    let ends_in = |rest: &str, lengths: RangeInclusive<usize>| {
        lengths.filter_map(|length| path.get(length..)).any(|path| matches(rest, path))
    };
    if let Some(rest) = pattern.strip_prefix("**") {
        return ends_in(rest, 0..=path.len());
    }
    if let Some(rest) = pattern.strip_prefix('*') {
        return ends_in(rest, 1..=segment);
    }
    if let Some((_, rest)) = pattern.strip_prefix('{').and_then(|tag| tag.split_once('}')) {
        return ends_in(rest, 1..=segment);
    }
    let (mut wanted, mut there) = (pattern.chars(), path.chars());
    match (wanted.next(), there.next()) {
        (None, None) => true,
        (wants, is) => wants == is && matches(wanted.as_str(), there.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_keystone_means_by_them() {
        for (pattern, path) in [
            ("/v2.0/ports", "/v2.0/ports"),
            ("/v2.0/ports/*", "/v2.0/ports/8d2e"),
            ("/v2.0/*/8d2e", "/v2.0/ports/8d2e"),
            ("/v2.0/ports/{id}", "/v2.0/ports/8d2e"),
            ("/v2.0/**", "/v2.0/ports/8d2e/tags"),
            ("/v2.*/ports", "/v2.0/ports"),
            ("/v2.0/ports**", "/v2.0/ports"),
            ("**", "/v2.0/ports/Ω"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/v2.0/ports", "/v2.0/ports/8d2e"),
            ("/v2.0/ports/*", "/v2.0/ports/8d2e/tags"),
            ("/v2.0/ports/*", "/v2.0/ports/"),
            ("/v2.0/ports/{id}", "/v2.0/ports/8d2e/tags"),
            ("/v2.0/ports/{id", "/v2.0/ports/8d2e"),
            ("/v2.0/ports/**", "/v2.0/ports"),
            ("", "/"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }
}
