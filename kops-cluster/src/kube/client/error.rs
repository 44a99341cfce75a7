//! Errors from the API server's responses.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;

use kops_core::{Error, ErrorKind};

/// A failed call.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    /// The text of the response, if there was one.
    pub(super) text: Option<String>,
    /// Why a PodDisruptionBudget does not allow it, if that is the reason.
    pub(super) budget: Option<String>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, text: None, budget: None }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// The API server's own description of a failure: a `Status`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    message: String,
    reason: String,
    details: Details,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Details {
    causes: Vec<Cause>,
    retry_after_seconds: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cause {
    reason: String,
    message: String,
}

impl Failure {
    /// A response that is not a success.
    pub(super) fn of_answer(code: StatusCode, text: String, call: &str) -> Self {
        let status: Status = serde_json::from_str(&text).unwrap_or_default();
        let kind = kind(code, &status.reason);
        let message = match status.message.trim_end() {
            "" => format!("the API server returned status {code}"),
            message => message.to_owned(),
        };
        let mut error = Error::new(kind, message).with_call(call);
        if let Some(hint) = hint(kind) {
            error = error.with_hint(hint);
        }
        if status.details.retry_after_seconds > 0 {
            error = error.with_retry_after(Duration::from_secs(status.details.retry_after_seconds));
        }
        let budget = status.details.causes.iter().find(|it| it.reason == "DisruptionBudget");
        let budget = budget.filter(|_| code == StatusCode::TOO_MANY_REQUESTS).map(|it| it.message.clone());
        Self { error, text: Some(text), budget }
    }

    /// A response that did not arrive.
    pub(super) fn of_silence(error: &(dyn std::error::Error + 'static), server: &str, call: &str) -> Self {
        // The innermost error says what happened; the outer ones only repeat that a request failed.
        let mut inner = error;
        while let Some(cause) = inner.source() {
            inner = cause;
        }
        let why = inner.to_string();
        let error = if why.contains("invalid peer certificate") {
            let message = format!("{server} is not the expected API server: {why}");
            Error::new(ErrorKind::Unauthenticated, message).with_hint(
                "check the server's URL and the authority in the kubeconfig; after a rotation, export it again",
            )
        } else {
            let message = format!("cannot reach the Kubernetes API at {server}: {why}");
            Error::new(ErrorKind::Unavailable, message).with_hint(
                "check that the control plane is running and that its firewall and load balancer allow \
                 connections from this machine",
            )
        };
        error.with_call(call).into()
    }
}

fn kind(code: StatusCode, reason: &str) -> ErrorKind {
    match (code.as_u16(), reason) {
        (401, _) => ErrorKind::Unauthenticated,
        (403, _) => ErrorKind::Denied,
        (404, _) => ErrorKind::NotFound,
        (409, "AlreadyExists") => ErrorKind::AlreadyExists,
        (409 | 412, _) => ErrorKind::Conflict,
        (429, _) => ErrorKind::Throttled,
        (500.., _) => ErrorKind::Unavailable,
        _ => ErrorKind::Invalid,
    }
}

fn hint(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Unauthenticated => Some(
            "the certificate or token is not valid: export a new one with `kops export kubeconfig --admin`",
        ),
        ErrorKind::Denied => Some("use a user with the role cluster-admin"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_told_from_a_busy_server() {
        // As kube-apiserver 1.34 answers an eviction.
        let budget = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",
            "message":"Cannot evict pod as it would violate the pod's disruption budget.","reason":"TooManyRequests",
            "details":{"causes":[{"reason":"DisruptionBudget",
                "message":"The disruption budget web needs 2 healthy pods and has 2 currently"}]},"code":429}"#;
        let failure = Failure::of_answer(StatusCode::TOO_MANY_REQUESTS, budget.to_owned(), "evict");
        assert_eq!(
            failure.budget.as_deref(),
            Some("The disruption budget web needs 2 healthy pods and has 2 currently")
        );

        let busy = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"TooManyRequests","code":429,
            "message":"too many requests, please try again later","details":{"retryAfterSeconds":3}}"#;
        let failure = Failure::of_answer(StatusCode::TOO_MANY_REQUESTS, busy.to_owned(), "evict");
        assert_eq!((failure.budget, failure.error.kind()), (None, ErrorKind::Throttled));
        assert_eq!(failure.error.retry_after(), Some(Duration::from_secs(3)));
    }

    #[test]
    fn what_a_load_balancer_says_is_no_status() {
        let failure = Failure::of_answer(StatusCode::SERVICE_UNAVAILABLE, "<html>".to_owned(), "get");
        assert_eq!(failure.error.kind(), ErrorKind::Unavailable);
        assert!(failure.error.to_string().contains("503"), "{}", failure.error);
    }
}
