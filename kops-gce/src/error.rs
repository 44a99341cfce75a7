//! Google's errors as kinds of [`Error`](kops_core::Error).
//!
//! | API | an error contains |
//! |---|---|
//! | Compute Engine, Cloud DNS, Cloud Storage | an HTTP status and, in `errors`, a reason such as `alreadyExists` |
//! | IAM, Resource Manager | an HTTP status and a canonical code such as `ALREADY_EXISTS` |
//! | operations of Compute Engine | a code such as `QUOTA_EXCEEDED`, after the call itself succeeded |
//!
//! One function, [`kind`], handles all three.

use std::error::Error as StdError;
use std::time::Duration;

use google_cloud_compute_v1::model::Operation;
use google_cloud_gax::client_builder::Error as BuildError;
use google_cloud_gax::error::Error as SdkError;
use google_cloud_gax::error::rpc::{Code, StatusDetails};
use kops_core::cloud::causes;
use kops_core::{Error, ErrorKind};

/// The error of an SDK call.
pub(crate) fn from_sdk(call: &str, error: SdkError) -> Error {
    let status = error.http_status_code().unwrap_or_default();
    let wait =
        error.http_headers().and_then(|headers| headers.get("retry-after")?.to_str().ok()?.parse().ok());
    let mapped = match error.status() {
        Some(told) => {
            let reason = told.details.iter().find_map(|detail| match detail {
                StatusDetails::ErrorInfo(info) if !info.reason.is_empty() => Some(info.reason.clone()),
                _ => None,
            });
            let code = if told.code == Code::Unknown { "" } else { told.code.name() };
            answered(call, status, code, &reason.unwrap_or_default(), &told.message)
        }
        None if status != 0 => answered(call, status, "", "", ""),
        None => unanswered(call, &error),
    };
    let mapped = mapped.with_call(call);
    let mapped = match wait {
        Some(seconds) => mapped.with_retry_after(Duration::from_secs(seconds)),
        None => mapped,
    };
    mapped.with_source(error)
}

/// A client that could not be created.
pub(crate) fn from_build(error: BuildError) -> Error {
    let kind = if error.is_default_credentials() { ErrorKind::Unauthenticated } else { ErrorKind::Invalid };
    Error::new(kind, format!("no connection to Google Cloud could be set up: {}", causes(&error)))
        .with_source(error)
}

/// The error of missing credentials.
pub(crate) fn from_credentials(error: impl StdError + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Unauthenticated, format!("no Google Cloud credentials: {}", causes(&error)))
        .with_hint(
            "looked in GOOGLE_APPLICATION_CREDENTIALS, in gcloud's application default credentials and at the \
             metadata server; run `gcloud auth application-default login`",
        )
        .with_source(error)
}

/// A plain response of an API without a client of its own: Cloud Storage.
pub(crate) fn from_answer(call: &str, status: u16, body: &[u8]) -> Error {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &body["error"];
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let reason = text(&error["errors"][0]["reason"]);
    answered(call, status, &text(&error["status"]), &reason, &text(&error["message"])).with_call(call)
}

/// No response, or a malformed one.
fn unanswered(call: &str, error: &SdkError) -> Error {
    if error.is_authentication() {
        return Error::new(ErrorKind::Unauthenticated, causes(error))
            .with_hint("run `gcloud auth application-default login`, or check the service account's key");
    }
    if error.is_binding() || error.is_serialization() {
        return Error::invalid(format!("the request could not be created: {}", causes(error)));
    }
    if error.is_deserialization() && crate::actions::read_only(call) {
        // Another look would show the same.
        return Error::internal(format!("malformed response: {}", causes(error)));
    }
    Error::new(ErrorKind::Unavailable, format!("no valid response: {}", causes(error)))
        .with_hint("check the network, and the endpoint if one is set; a proxy may be in between")
}

fn answered(call: &str, status: u16, code: &str, reason: &str, message: &str) -> Error {
    let kind = kind(call, status, code, reason, message);
    let name = if reason.is_empty() { code } else { reason };
    let text = match (name, message) {
        ("", "") => format!("HTTP status {status}"),
        ("", message) => message.to_owned(),
        (name, "") => name.to_owned(),
        (name, message) => format!("{name}: {message}"),
    };
    let error = Error::new(kind, text);
    match hint(kind, call, name) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// The error of an operation; `None` if it has not failed.
pub(crate) fn of_operation(call: &str, operation: &Operation) -> Option<Error> {
    let first = operation.error.as_ref().and_then(|error| error.errors.first());
    let status =
        operation.http_error_status_code.and_then(|status| u16::try_from(status).ok()).unwrap_or_default();
    if first.is_none() && status < 400 {
        return None;
    }
    let code = first.and_then(|error| error.code.clone()).unwrap_or_default();
    let message = first
        .and_then(|error| error.message.clone())
        .or_else(|| operation.http_error_message.clone())
        .unwrap_or_default();
    Some(answered(call, status, "", &code, &message).with_call(call))
}

/// The kind of a call's error. `code` is canonical, `reason` service-specific; either may be empty.
pub(crate) fn kind(call: &str, status: u16, code: &str, reason: &str, message: &str) -> ErrorKind {
    match reason {
        "rateLimitExceeded"
        | "userRateLimitExceeded"
        | "RATE_LIMIT_EXCEEDED"
        | "concurrentLimitExceeded"
        | "resourceOperationRateExceeded"
        | "RESOURCE_OPERATION_RATE_EXCEEDED" => ErrorKind::Throttled,
        "backendError"
        | "internalError"
        | "INTERNAL_ERROR"
        | "serviceUnavailable"
        | "SERVICE_UNAVAILABLE" => ErrorKind::Unavailable,
        "alreadyExists" | "RESOURCE_ALREADY_EXISTS" | "duplicate" => ErrorKind::AlreadyExists,
        "resourceInUseByAnotherResource"
        | "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE"
        | "resourceInUse"
        | "containerNotEmpty" => ErrorKind::DependencyViolation,
        // During creation, the object becomes ready; during deletion, the change in progress ends.
        "resourceNotReady" | "RESOURCE_NOT_READY" => {
            if takes_away(call) {
                ErrorKind::DependencyViolation
            } else {
                ErrorKind::NotYetVisible
            }
        }
        "quotaExceeded"
        | "QUOTA_EXCEEDED"
        | "limitExceeded"
        | "LIMIT_EXCEEDED"
        | "ZONE_RESOURCE_POOL_EXHAUSTED"
        | "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS"
        | "IP_SPACE_EXHAUSTED" => ErrorKind::Quota,
        // Compute Engine's fingerprints are read again before every attempt of a change.
        "conditionNotMet" | "CONDITION_NOT_MET" if call.starts_with("compute.") => ErrorKind::NotYetVisible,
        "conditionNotMet" | "CONDITION_NOT_MET" | "fingerprintMismatch" => ErrorKind::Conflict,
        "notFound" | "RESOURCE_NOT_FOUND" => missing(call),
        "forbidden"
        | "accessNotConfigured"
        | "PERMISSIONS_ERROR"
        | "insufficientPermissions"
        | "IAM_PERMISSION_DENIED" => ErrorKind::Denied,
        "authError" | "required" if status == 401 => ErrorKind::Unauthenticated,
        _ => by_code(call, status, code, message),
    }
}

fn by_code(call: &str, status: u16, code: &str, message: &str) -> ErrorKind {
    // A policy that names a service account created a moment ago: IAM becomes consistent within a minute or
    // so.
    // https://cloud.google.com/iam/docs/access-change-propagation
    if status == 400 && message.contains("Service account") && message.contains("does not exist") {
        return ErrorKind::NotYetVisible;
    }
    // Instances name the account, too. https://cloud.google.com/compute/docs/access/create-enable-service-accounts
    if status == 400 && message.contains("service account") && message.contains("not found") {
        return ErrorKind::NotYetVisible;
    }
    match (code, status) {
        ("ALREADY_EXISTS", _) => ErrorKind::AlreadyExists,
        ("NOT_FOUND", _) | (_, 404) => missing(call),
        ("PERMISSION_DENIED", _) | (_, 403) => ErrorKind::Denied,
        ("UNAUTHENTICATED", _) | (_, 401) => ErrorKind::Unauthenticated,
        // For IAM policies: the policy has changed since it was read. Nothing was done.
        ("ABORTED", _) if call.ends_with(".setIamPolicy") => ErrorKind::Throttled,
        ("ABORTED", _) | (_, 409 | 412) => ErrorKind::Conflict,
        ("RESOURCE_EXHAUSTED", _) | (_, 429) => ErrorKind::Throttled,
        ("UNIMPLEMENTED", _) | (_, 501) => ErrorKind::Unsupported,
        (_, 500..) => ErrorKind::Unavailable,
        _ => ErrorKind::Invalid,
    }
}

/// An object that the call names does not exist. For a read or a deletion, that is the answer; a call that
/// creates or changes something names objects created moments before, which will become visible.
fn missing(call: &str) -> ErrorKind {
    let makes =
        [".create", ".update", ".setLabels", ".setIamPolicy", ".use"].iter().any(|verb| call.ends_with(verb));
    if makes { ErrorKind::NotYetVisible } else { ErrorKind::NotFound }
}

fn takes_away(call: &str) -> bool {
    call.ends_with(".delete")
}

fn hint(kind: ErrorKind, call: &str, reason: &str) -> Option<String> {
    let text = match (kind, reason) {
        (ErrorKind::Denied, "accessNotConfigured" | "SERVICE_DISABLED") => {
            "enable the API of the service in the project: `gcloud services enable`"
        }
        (ErrorKind::Denied, _) => {
            return Some(format!("the credentials need the permission {call} in the project"));
        }
        (ErrorKind::Unauthenticated, _) => "run `gcloud auth application-default login`",
        (ErrorKind::Quota, reason) if reason.starts_with("ZONE_RESOURCE_POOL") => {
            "the zone has no capacity for this machine type: choose another zone or machine type, or retry later"
        }
        (ErrorKind::Quota, _) => {
            "request an increase on the Quotas page of Google Cloud's console, or delete unused objects"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
