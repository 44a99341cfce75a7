//! What can go wrong on a machine, and what to do about it.

use std::fmt;

/// The result of what may fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The machine's identity may not do this. It may take minutes until a role that was just given works.
    Denied,
    /// Nothing answered in time.
    Unreachable,
    /// Somebody else was quicker: look again.
    Conflict,
    /// What was read makes no sense.
    Invalid,
    /// A command failed, or the machine lacks something.
    Failed,
    /// Nothing is wrong, but something must happen first.
    Waiting,
}

/// A failure: what was being done, and why it did not succeed. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    doing: String,
    why: String,
}

impl Error {
    /// A failure.
    pub fn new(kind: ErrorKind, doing: impl Into<String>, why: impl Into<String>) -> Self {
        Self { kind, doing: doing.into(), why: why.into() }
    }

    /// What was read makes no sense.
    pub fn invalid(doing: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, doing, why)
    }

    /// A command failed, or the machine lacks something.
    pub fn failed(doing: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, doing, why)
    }

    /// Something must happen first.
    pub fn waiting(doing: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(ErrorKind::Waiting, doing, why)
    }

    /// The failure of a service that answered with this HTTP status.
    pub fn status(doing: impl Into<String>, status: u16, body: &[u8]) -> Self {
        let kind = match status {
            401 | 403 => ErrorKind::Denied,
            409 | 412 => ErrorKind::Conflict,
            408 | 429 | 500.. => ErrorKind::Unreachable,
            _ => ErrorKind::Failed,
        };
        let text = String::from_utf8_lossy(body);
        let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect();
        // S3 and EC2 refuse signatures that are more than 15 minutes off.
        let skewed = ["RequestTimeTooSkewed", "RequestExpired"].iter().any(|it| text.contains(it));
        let advice =
            if skewed { " (this machine's clock is wrong: check its time synchronisation)" } else { "" };
        Self::new(kind, doing, format!("HTTP {status}: {line}{advice}"))
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What was being done.
    pub fn doing(&self) -> &str {
        &self.doing
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.why)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_becomes_a_kind_and_a_wrong_clock_is_named() {
        let of = |status, body: &str| Error::status("reading x", status, body.as_bytes());
        assert_eq!(of(403, "").kind(), ErrorKind::Denied);
        assert_eq!(of(412, "").kind(), ErrorKind::Conflict);
        assert_eq!(of(503, "").kind(), ErrorKind::Unreachable);
        assert_eq!(of(400, "").kind(), ErrorKind::Failed);
        let skewed = of(403, "<Error>\n  <Code>RequestTimeTooSkewed</Code></Error>").to_string();
        assert!(
            skewed.contains("<Error> <Code>") && skewed.ends_with("check its time synchronisation)"),
            "{skewed}"
        );
    }
}
