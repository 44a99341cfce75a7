//! Errors on a machine.

use std::fmt;

/// The result of an operation that may fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The machine's identity does not have permission. A new role may take minutes to take effect.
    Denied,
    /// There was no response in time.
    Unreachable,
    /// Another machine was faster: observe again.
    Conflict,
    /// What was read makes no sense.
    Invalid,
    /// A command failed, or the machine lacks something.
    Failed,
    /// There is no failure, but something must happen first.
    Waiting,
}

/// The advice where there is no space left.
const FULL: &str = " (the disk is full: free space on it, or create the machine with a larger volume)";

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
        let mut why = why.into();
        // The same text for errors of this program's own calls and in the output of other programs.
        if why.contains("No space left on device") && !why.contains(FULL) {
            why.push_str(FULL);
        }
        Self { kind, doing: doing.into(), why }
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

    /// The failure of a service that returned this HTTP status.
    pub fn status(doing: impl Into<String>, status: u16, body: &[u8]) -> Self {
        let kind = match status {
            401 | 403 => ErrorKind::Denied,
            409 | 412 => ErrorKind::Conflict,
            408 | 429 | 500.. => ErrorKind::Unreachable,
            _ => ErrorKind::Failed,
        };
        let text = String::from_utf8_lossy(body);
        let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect();
        // S3 and EC2 reject signatures that are more than 15 minutes off.
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
        let full = Error::failed("writing /x", "No space left on device (os error 28)").to_string();
        assert!(
            full.ends_with("with a larger volume)") && full.matches("the disk is full").count() == 1,
            "{full}"
        );
        let skewed = of(403, "<Error>\n  <Code>RequestTimeTooSkewed</Code></Error>").to_string();
        assert!(
            skewed.contains("<Error> <Code>") && skewed.ends_with("check its time synchronisation)"),
            "{skewed}"
        );
    }
}
