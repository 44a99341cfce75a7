//! One error type for the whole workspace.
//!
//! An [`Error`] says *what* was being done (the task and the call), *why* it failed (the message and its
//! source), *what to do* (the hint), and, as data, which [`ErrorKind`] it is: callers and the engine's retry
//! loop decide by kind, never by text. A provider maps its SDK's errors to kinds in one function.
//!
//! Secrets never enter an error: messages are made of names, codes and the cloud's own words.

use std::fmt;
use std::time::Duration;

/// The result of anything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is; decides whether repeating can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The object, file or cluster does not exist.
    NotFound,
    /// An object of that name exists already.
    AlreadyExists,
    /// Something changed between reading and writing: a conditional write lost, a plan went stale.
    Conflict,
    /// Another operation holds the lock.
    Locked,
    /// Other objects still use this one. Repeated: whoever uses it may be on the way out.
    DependencyViolation,
    /// The cloud does not know yet what it made a moment ago. Repeated.
    NotYetVisible,
    /// The cloud asked for fewer requests; nothing was done. Repeated.
    Throttled,
    /// The service failed, the connection broke, or no answer came: *the request may have been carried
    /// out*. Repeated, after looking whether it was.
    Unavailable,
    /// A quota or limit of the account is used up.
    Quota,
    /// The credentials do not allow this.
    Denied,
    /// There are no credentials, or they are not valid.
    Unauthenticated,
    /// The input is wrong; repeating cannot help.
    Invalid,
    /// The provider cannot do this.
    Unsupported,
    /// Nobody wanted it any more.
    Cancelled,
    /// The deadline passed before the cloud was done.
    DeadlineExceeded,
    /// The cloud reports that the object itself failed.
    Failed,
    /// A local file, directory or process said no.
    Io,
    /// A defect in this library or in a provider.
    Internal,
}

impl ErrorKind {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::DependencyViolation | Self::NotYetVisible | Self::Throttled | Self::Unavailable)
    }

    /// Whether the call may have taken effect although it failed.
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

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    task: Option<String>,
    call: Option<String>,
    request_id: Option<String>,
    hint: Option<String>,
    retry_after: Option<Duration>,
    source: Option<Source>,
}

/// A failure, with the task, the call, the cause and what to do about it.
///
/// ```
/// use kops_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Quota, "the limit of 5 addresses is reached")
///     .call("ec2:AllocateAddress")
///     .task("Address/us-east-1a")
///     .hint("ask AWS for more, or release an address");
/// assert_eq!(
///     error.to_string(),
///     "Address/us-east-1a: ec2:AllocateAddress: quota exceeded: the limit of 5 addresses is reached \
///      (ask AWS for more, or release an address)"
/// );
/// ```
#[derive(Debug)]
pub struct Error(Box<Inner>);

impl Error {
    /// A failure of a kind, in words.
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
        }))
    }

    /// Wrong input.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// Something that does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// A defect of this library or a provider.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Names the task at work; an error that names one keeps it.
    pub fn task(mut self, task: impl fmt::Display) -> Self {
        self.0.task.get_or_insert_with(|| task.to_string());
        self
    }

    /// Names the call that failed, as `service:Operation`; an error that names one keeps it.
    pub fn call(mut self, call: impl Into<String>) -> Self {
        self.0.call.get_or_insert_with(|| call.into());
        self
    }

    /// The cloud's identifier of the request, for its support.
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.0.request_id = Some(id.into());
        self
    }

    /// What the reader can do about it; an error that has a hint keeps it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// How long the cloud asked to wait.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// The error underneath.
    pub fn source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The cause in words, without task, call and hint.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The task at work, if the failure belongs to one.
    pub fn failed_task(&self) -> Option<&str> {
        self.0.task.as_deref()
    }

    /// The call that failed, as `service:Operation`.
    pub fn failed_call(&self) -> Option<&str> {
        self.0.call.as_deref()
    }

    /// What the reader can do.
    pub fn advice(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// How long the cloud asked to wait, if it did.
    pub fn wait(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        if let Some(task) = &inner.task {
            write!(f, "{task}: ")?;
        }
        if let Some(call) = &inner.call {
            write!(f, "{call}: ")?;
        }
        // For wrong input the message says it all.
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

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_context_wins() {
        let error = Error::not_found("gone").task("A/1").task("B/2").call("x:Y").call("z:W");
        assert_eq!(error.failed_task(), Some("A/1"));
        assert_eq!(error.failed_call(), Some("x:Y"));
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
