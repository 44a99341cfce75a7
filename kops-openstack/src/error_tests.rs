//! Statuses and bodies as the services send them, and what they mean.

use kops_core::ErrorKind;
use reqwest::header::{HeaderMap, HeaderValue};

use super::error::answered;

fn kind_of(status: u16, body: &str) -> ErrorKind {
    answered("POST network/x", status, &HeaderMap::new(), body).kind()
}

#[test]
fn answers_mean_what_the_services_mean_by_them() {
    let neutron = |name: &str, message: &str| {
        format!(r#"{{"NeutronError": {{"type": "{name}", "message": "{message}", "detail": ""}}}}"#)
    };
    for (status, body, kind) in [
        (409, neutron("NetworkInUse", "Unable to complete operation on network x."), ErrorKind::DependencyViolation),
        (409, neutron("SecurityGroupInUse", "Security Group x in use."), ErrorKind::DependencyViolation),
        (409, neutron("SubnetInUse", "One or more ports have an IP allocation."), ErrorKind::DependencyViolation),
        (
            409,
            neutron("RouterInterfaceInUseByFloatingIP", "It is required by one or more floating IPs."),
            ErrorKind::DependencyViolation,
        ),
        (409, neutron("SecurityGroupRuleExists", "Rule already exists."), ErrorKind::AlreadyExists),
        (409, neutron("OverQuota", "Quota exceeded for resources: ['network']."), ErrorKind::Quota),
        (404, neutron("NetworkNotFound", "Network x could not be found."), ErrorKind::NotFound),
        (400, neutron("InvalidInput", "Invalid input for operation."), ErrorKind::Invalid),
        (403, r#"{"forbidden": {"code": 403, "message": "Quota exceeded for cores"}}"#.into(), ErrorKind::Quota),
        (403, r#"{"forbidden": {"code": 403, "message": "Policy doesn't allow x"}}"#.into(), ErrorKind::Denied),
        (
            409,
            r#"{"conflictingRequest": {"code": 409, "message": "Key pair 'a' already exists."}}"#.into(),
            ErrorKind::AlreadyExists,
        ),
        (
            400,
            r#"{"badRequest": {"code": 400, "message": "Invalid volume: Volume status must be available or error"}}"#
                .into(),
            ErrorKind::DependencyViolation,
        ),
        (
            409,
            r#"{"faultcode": "Client", "faultstring": "Load Balancer x is immutable and cannot be updated."}"#.into(),
            ErrorKind::NotYetVisible,
        ),
        (
            409,
            r#"{"faultcode": "Client", "faultstring": "Already an entity with that specified id."}"#.into(),
            ErrorKind::NotYetVisible,
        ),
        (
            409,
            r#"{"code": 409, "type": "duplicate_recordset", "message": "Duplicate RecordSet"}"#.into(),
            ErrorKind::AlreadyExists,
        ),
        (429, String::new(), ErrorKind::Throttled),
        (413, String::new(), ErrorKind::Throttled),
        (503, "<html>".into(), ErrorKind::Unavailable),
        (401, String::new(), ErrorKind::Unauthenticated),
    ] {
        assert_eq!(kind_of(status, &body), kind, "{status} {body}");
    }
}

#[test]
fn what_the_service_says_is_told() {
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", HeaderValue::from_static("7"));
    headers.insert("x-openstack-request-id", HeaderValue::from_static("req-1"));
    let body = r#"{"NeutronError": {"type": "OverQuota", "message": "Quota exceeded.", "detail": ""}}"#;
    let error = answered("POST network/networks", 409, &headers, body);
    let text = error.to_string();
    for part in ["OverQuota", "Quota exceeded.", "POST network/networks", "req-1", "quota show"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(error.retry_after().map(|wait| wait.as_secs()), Some(7));
}
