//! OpenStack's errors as kinds of [`Error`]: the only place that knows its statuses and messages.
//!
//! Services have no common list of error codes. Networking returns the name of an exception, DNS a type; the
//! others a status and a message. So the kind is derived from the status; if a status has two meanings, from
//! the name; and last from a few words of the message that have been the same for many releases.
//!
//! Bodies of requests are never part of an error: they contain user data.

use std::time::Duration;

use kops_core::{Error, ErrorKind};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

/// The maximum length of a response in an unknown format, in an error.
const LONGEST: usize = 300;

/// The error of a call with a response.
pub(crate) fn answered(call: &str, status: u16, headers: &HeaderMap, body: &str) -> Error {
    let (name, message) = told(body);
    let kind = kind(status, &name, &message);
    let text = match (name.as_str(), message.as_str()) {
        ("", "") => format!("HTTP status {status}"),
        ("", message) => format!("HTTP status {status}: {message}"),
        (name, message) => format!("HTTP status {status}, {name}: {message}"),
    };
    let mut error = Error::new(kind, text).with_call(call);
    if let Some(hint) = hint(kind) {
        error = error.with_hint(hint);
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(id) = header("x-openstack-request-id").or_else(|| header("x-trans-id")) {
        error = error.with_request_id(id);
    }
    let wait = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    if let Some(seconds) = wait {
        error = error.with_retry_after(Duration::from_secs(seconds));
    }
    error
}

/// The error of a call without a response.
pub(crate) fn unanswered(call: &str, error: &osauth::Error) -> Error {
    use osauth::ErrorKind as Os;
    match error.kind() {
        // A new token was needed and denied.
        Os::AuthenticationFailed | Os::AccessDenied => from_session(error).with_call(call),
        Os::EndpointNotFound | Os::InvalidInput | Os::InvalidConfig => {
            Error::invalid(format!("the request could not be created: {error}")).with_call(call)
        }
        _ => Error::new(ErrorKind::Unavailable, format!("no answer: {error}"))
            .with_call(call)
            .with_hint("check the network and the addresses in `openstack catalog list`"),
    }
}

/// The error of a session that could not be created.
pub(crate) fn from_session(error: &osauth::Error) -> Error {
    use osauth::ErrorKind as Os;
    let text = error.to_string();
    match error.kind() {
        Os::AuthenticationFailed => Error::new(ErrorKind::Unauthenticated, text)
            .with_hint("check user, password, project and their domains, or the application credential"),
        Os::AccessDenied => {
            Error::new(ErrorKind::Denied, text).with_hint("the user needs a role in the project")
        }
        Os::InvalidConfig | Os::InvalidInput => Error::new(ErrorKind::Unauthenticated, text).with_hint(
            "set OS_CLOUD to a cloud of clouds.yaml, or set OS_AUTH_URL, OS_USERNAME, OS_PASSWORD, \
             OS_PROJECT_NAME and the domains",
        ),
        Os::ResourceNotFound | Os::EndpointNotFound => {
            Error::not_found(text).with_hint("check the authentication URL, the region and the interface")
        }
        _ => {
            Error::new(ErrorKind::Unavailable, text).with_hint("check the network and the authentication URL")
        }
    }
}

/// The name and the message in a body, in any of the services' formats.
fn told(body: &str) -> (String, String) {
    let Ok(value) = serde_json::from_str::<Value>(body) else { return (String::new(), cut(body)) };
    let text =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    // Networking: {"NeutronError": {"type", "message"}}; Compute and Block Storage: {"conflictingRequest":
    // {"code", "message"}}; DNS: {"code", "type", "message"}; load balancers: {"faultcode", "faultstring"}.
    let inner = match &value {
        Value::Object(members) if members.len() == 1 => members.values().next().filter(|it| it.is_object()),
        _ => None,
    };
    let inner = inner.unwrap_or(&value);
    let name = text(inner, "type");
    let message = ["message", "faultstring", "title"].map(|key| text(inner, key));
    let message = message.into_iter().find(|text| !text.is_empty()).unwrap_or_else(|| cut(body));
    (name, message)
}

fn cut(text: &str) -> String {
    let text = text.trim();
    text.char_indices().nth(LONGEST).map_or_else(|| text.to_owned(), |(end, _)| format!("{}…", &text[..end]))
}

/// The kind of error for a status, a name and a message.
pub(crate) fn kind(status: u16, name: &str, message: &str) -> ErrorKind {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let quota = name == "OverQuota" || name == "over_quota" || says(&["quota"]);
    match status {
        // "Volume status must be available or error": it is being detached. Nova about a port that is bound:
        // the previous server is being deleted.
        400 if says(&[
            "status must be",
            "is still in use",
            "already in use",
            "in-use",
            "is in use",
            "has children",
        ]) =>
        {
            ErrorKind::DependencyViolation
        }
        400 if says(&["over_quota"]) => ErrorKind::Quota,
        401 => ErrorKind::Unauthenticated,
        403 | 413 if quota => ErrorKind::Quota,
        403 => ErrorKind::Denied,
        404 | 410 => ErrorKind::NotFound,
        409 => conflict(name, quota, &message),
        413 | 429 => ErrorKind::Throttled,
        501 => ErrorKind::Unsupported,
        // A timeout or an internal error; or a success that could not be read, or a redirect.
        0..=399 | 408 | 500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::Invalid,
    }
}

/// 409 is an exceeded quota, a name that is taken, something in use, or something that is busy.
fn conflict(name: &str, quota: bool, message: &str) -> ErrorKind {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if quota {
        return ErrorKind::Quota;
    }
    // An object that is being changed: `Load Balancer … is immutable and cannot be updated.`
    if says(&["immutable", "pending", "task_state", "vm_state", "being", "concurrent"]) {
        return ErrorKind::NotYetVisible;
    }
    // No ids are chosen here: these are the first two load balancers of a project, created concurrently, and
    // both try to write the project's row of quotas. The call that fails has not created anything
    // (`ensure_project_exists` in Octavia's `db/repositories.py`; all in one transaction).
    if says(&["already an entity with that specified id"]) {
        return ErrorKind::NotYetVisible;
    }
    // `RouterInterfaceInUseByFloatingIP` among them.
    if name.contains("InUse") || says(&["in use", "in-use", "one or more ports", "still has", "is attached"])
    {
        return ErrorKind::DependencyViolation;
    }
    if name.contains("duplicate")
        || name.ends_with("Exists")
        || says(&["already exists", "already has", "duplicate", "already a listener", "another listener"])
    {
        return ErrorKind::AlreadyExists;
    }
    ErrorKind::Conflict
}

fn hint(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::Quota => {
            "ask the operator to raise the quota (`openstack quota show`), or delete unused objects"
        }
        ErrorKind::Denied => {
            "the user needs a role in the project: `member`, and `load-balancer_member` for load balancers"
        }
        ErrorKind::Unauthenticated => {
            "the token was rejected; check the credentials, and the access rules of an application credential"
        }
        _ => return None,
    })
}
