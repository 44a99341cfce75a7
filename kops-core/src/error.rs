//! One error type for the whole workspace.
//!
//! An [`Error`] tells what was being done (the task and the call), why it failed (the message and its source), what
//! to do about it (the hint), and its [`ErrorKind`]: callers and the engine's retry loop decide by kind, never by
//! text. A provider maps its SDK's errors to kinds in one function.
//!
//! Errors never contain secrets: messages consist of names, codes and the cloud's own texts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

/// The result of anything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of an [`Error`], which determines whether a retry can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The object or file does not exist.
    NotFound,
    /// An object of that name already exists.
    AlreadyExists,
    /// Something changed between reading and writing: a conditional write failed, or a plan is stale.
    Conflict,
    /// Another operation holds the lock.
    Locked,
    /// Other objects still use this one. Retried, because they may be about to be deleted.
    DependencyViolation,
    /// The object was just created, and is not visible to other calls yet. Retried.
    NotYetVisible,
    /// The cloud rejected the call because there were too many. Retried.
    Throttled,
    /// The service failed, the connection broke, or there was no response: *the request may have been carried out*.
    /// Retried, after checking whether it was.
    Unavailable,
    /// A quota or limit of the account is reached.
    Quota,
    /// The credentials do not allow this.
    Denied,
    /// A [`Policy`](crate::Policy) does not allow the plan.
    PolicyViolation,
    /// There are no credentials, or they are not valid.
    Unauthenticated,
    /// The input is wrong; a retry cannot help.
    Invalid,
    /// The provider does not support this.
    Unsupported,
    /// The operation was cancelled.
    Cancelled,
    /// The deadline passed before the cloud had finished.
    DeadlineExceeded,
    /// The cloud reports that the object itself failed.
    Failed,
    /// A local file, directory or process failed.
    Io,
    /// A defect in this library or in a provider.
    Internal,
}

impl ErrorKind {
    /// Whether the same call may succeed later without any change.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::DependencyViolation | Self::NotYetVisible | Self::Throttled | Self::Unavailable)
    }

    /// Whether the call may have had an effect although it failed.
    pub fn is_ambiguous(self) -> bool {
        matches!(self, Self::Unavailable | Self::DeadlineExceeded | Self::Cancelled)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not found",
            Self::AlreadyExists => "already exists",
            Self::Conflict => "conflict",
            Self::Locked => "locked",
            Self::DependencyViolation => "still in use",
            Self::NotYetVisible => "not visible yet",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Quota => "quota exceeded",
            Self::Denied => "permission denied",
            Self::PolicyViolation => "not allowed by policy",
            Self::Unauthenticated => "not authenticated",
            Self::Invalid => "invalid",
            Self::Unsupported => "unsupported",
            Self::Cancelled => "cancelled",
            Self::DeadlineExceeded => "deadline exceeded",
            Self::Failed => "failed",
            Self::Io => "input/output",
            Self::Internal => "internal error",
        })
    }
}

pub(crate) type Source = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    task: Option<String>,
    call: Option<String>,
    request_id: Option<String>,
    hint: Option<String>,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    errors: Vec<Error>,
}

/// A failure, with its task, call, cause and hint.
///
/// `Display` and `Debug` print the same text, so that a program whose `main` returns a `Result` prints the hint, too.
/// It serialises as an object with the members `kind`, `message`, `task`, `call`, `request_id`, `hint`,
/// `retry_after_ms` and `errors`; those that are not set are omitted.
///
/// ```
/// use kops_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Quota, "the limit of 5 addresses is reached")
///     .with_call("ec2:AllocateAddress")
///     .with_task("Address/us-east-1a")
///     .with_hint("ask AWS for more, or release an address");
/// assert_eq!(error.hint(), Some("ask AWS for more, or release an address"));
/// assert_eq!(
///     error.to_string(),
///     "Address/us-east-1a: ec2:AllocateAddress: quota exceeded: the limit of 5 addresses is reached \
///      (ask AWS for more, or release an address)"
/// );
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

impl Error {
    /// An error of a kind, with a message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            task: None,
            call: None,
            request_id: None,
            hint: None,
            retry_after: None,
            source: None,
            errors: Vec::new(),
        }))
    }

    /// An error for wrong input.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// An error for something that does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// An error for a defect in this library or a provider.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// An error for something that the provider does not support.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// One error for several: if there is only one, that one; otherwise an error that lists them all, with their kind
    /// if they agree, and `Invalid` if not. See [`errors`](Self::errors).
    pub fn from_many(mut errors: Vec<Self>) -> Self {
        if errors.len() == 1
            && let Some(only) = errors.pop()
        {
            return only;
        }
        let first = errors.first().map_or(ErrorKind::Invalid, Self::kind);
        let kind = if errors.iter().all(|it| it.kind() == first) { first } else { ErrorKind::Invalid };
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        Self::new(kind, format!("{} problems:\n  {}", lines.len(), lines.join("\n  "))).with_errors(errors)
    }

    /// Sets the task, unless it is set already.
    pub fn with_task(mut self, task: impl fmt::Display) -> Self {
        self.0.task.get_or_insert_with(|| task.to_string());
        self
    }

    /// Sets the call that failed, as `service:Operation`, unless it is set already.
    pub fn with_call(mut self, call: impl Into<String>) -> Self {
        self.0.call.get_or_insert_with(|| call.into());
        self
    }

    /// Sets the cloud's identifier of the request, for its support.
    pub fn with_request_id(mut self, id: impl Into<String>) -> Self {
        self.0.request_id = Some(id.into());
        self
    }

    /// Sets the hint, which tells the user what to do, unless it is set already.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Sets how long the cloud asked to wait.
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Sets the underlying error.
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// Sets the errors that this one combines.
    pub(crate) fn with_errors(mut self, errors: Vec<Self>) -> Self {
        self.0.errors = errors;
        self
    }

    /// The kind of the failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message, without task, call and hint.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The task, if the failure belongs to one.
    pub fn task(&self) -> Option<&str> {
        self.0.task.as_deref()
    }

    /// The call that failed, as `service:Operation`.
    pub fn call(&self) -> Option<&str> {
        self.0.call.as_deref()
    }

    /// The cloud's identifier of the request, for its support.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// How long the cloud asked to wait, if it did.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The errors that this one combines; empty for a single error.
    pub fn errors(&self) -> &[Self] {
        &self.0.errors
    }

    /// The error without its task, for output that has named the task already.
    pub fn without_task(&self) -> impl fmt::Display {
        struct WithoutTask<'a>(&'a Error);
        impl fmt::Display for WithoutTask<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.write(f)
            }
        }
        WithoutTask(self)
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        if let Some(call) = &inner.call {
            write!(f, "{call}: ")?;
        }
        // For wrong input, the message is sufficient.
        if inner.kind == ErrorKind::Invalid || inner.kind == ErrorKind::Io {
            write!(f, "{}", inner.message)?;
        } else {
            write!(f, "{}: {}", inner.kind, inner.message)?;
        }
        if let Some(id) = &inner.request_id {
            write!(f, " [request {id}]")?;
        }
        if let Some(hint) = &inner.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(task) = &self.0.task {
            write!(f, "{task}: ")?;
        }
        self.write(f)
    }
}

/// As `Display`, because `main` prints the `Debug` form of an error.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let inner = &self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", &inner.kind)?;
        map.serialize_entry("message", &inner.message)?;
        for (name, text) in [
            ("task", &inner.task),
            ("call", &inner.call),
            ("request_id", &inner.request_id),
            ("hint", &inner.hint),
        ] {
            if let Some(text) = text {
                map.serialize_entry(name, text)?;
            }
        }
        if let Some(wait) = inner.retry_after {
            map.serialize_entry("retry_after_ms", &wait.as_millis())?;
        }
        if !inner.errors.is_empty() {
            map.serialize_entry("errors", &inner.errors)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_context_wins() {
        let error =
            Error::not_found("gone").with_task("A/1").with_task("B/2").with_call("x:Y").with_call("z:W");
        assert_eq!(error.task(), Some("A/1"));
        assert_eq!(error.call(), Some("x:Y"));
        assert_eq!(error.without_task().to_string(), "x:Y: not found: gone");
    }

    #[test]
    fn debug_is_what_people_read() {
        let error = Error::invalid("no such zone").with_task("Subnet/a").with_hint("name another");
        assert_eq!(format!("{error:?}"), "Subnet/a: no such zone (name another)");
    }

    #[test]
    fn the_source_is_reached_by_the_standard_trait() {
        let error = Error::internal("broken").with_source(std::io::Error::other("disk"));
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "disk");
    }

    #[test]
    fn several_errors_are_one_that_lists_them() {
        let unsupported = |text: &str| Error::unsupported(text);
        assert_eq!(Error::from_many(vec![unsupported("a")]).to_string(), "unsupported: a");
        let same = Error::from_many(vec![unsupported("a"), unsupported("b")]);
        assert_eq!((same.kind(), same.errors().len()), (ErrorKind::Unsupported, 2));
        let mixed = Error::from_many(vec![unsupported("a"), Error::not_found("b").with_task("A/1")]);
        assert_eq!(mixed.to_string(), "2 problems:\n  unsupported: a\n  A/1: not found: b");
        let document = serde_json::to_value(&mixed).unwrap();
        assert_eq!(document["kind"], "invalid");
        assert_eq!(
            document["errors"][1],
            serde_json::json!({"kind": "not_found", "message": "b", "task": "A/1"})
        );
    }

    #[test]
    fn only_what_may_pass_is_transient() {
        assert!(ErrorKind::Throttled.is_transient());
        assert!(!ErrorKind::Denied.is_transient());
        assert!(!ErrorKind::Quota.is_transient());
        assert!(!ErrorKind::Throttled.is_ambiguous());
        assert!(ErrorKind::Unavailable.is_ambiguous());
    }
}
