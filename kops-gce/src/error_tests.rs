use kops_core::ErrorKind;
use kops_core::ErrorKind::{
    AlreadyExists, Conflict, Denied, DependencyViolation, Invalid, NotFound, NotYetVisible, Quota, Throttled,
    Unauthenticated, Unavailable, Unsupported,
};

use super::*;

/// Call, HTTP status, canonical code, reason, message; what it means.
const TABLE: &[(&str, u16, &str, &str, &str, ErrorKind)] = &[
    ("compute.networks.create", 409, "", "alreadyExists", "exists", AlreadyExists),
    ("compute.networks.create", 403, "", "quotaExceeded", "Quota 'NETWORKS' exceeded", Quota),
    ("compute.networks.create", 403, "", "rateLimitExceeded", "", Throttled),
    ("compute.networks.create", 403, "", "forbidden", "", Denied),
    ("compute.networks.create", 403, "", "accessNotConfigured", "", Denied),
    ("compute.networks.create", 401, "UNAUTHENTICATED", "authError", "", Unauthenticated),
    ("compute.networks.create", 400, "", "invalid", "Invalid value for field", Invalid),
    ("compute.subnetworks.create", 400, "", "resourceNotReady", "", NotYetVisible),
    ("compute.subnetworks.create", 404, "", "notFound", "", NotYetVisible),
    ("compute.subnetworks.delete", 404, "", "notFound", "", NotFound),
    ("compute.subnetworks.delete", 400, "", "resourceNotReady", "", DependencyViolation),
    ("compute.networks.delete", 400, "", "resourceInUseByAnotherResource", "", DependencyViolation),
    ("compute.networks.delete", 0, "", "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", "", DependencyViolation),
    ("compute.instances.create", 0, "", "ZONE_RESOURCE_POOL_EXHAUSTED", "", Quota),
    ("compute.instances.create", 0, "", "QUOTA_EXCEEDED", "", Quota),
    ("compute.firewalls.update", 412, "", "conditionNotMet", "", NotYetVisible),
    ("compute.networks.list", 503, "", "backendError", "", Unavailable),
    ("compute.networks.list", 500, "", "", "", Unavailable),
    ("compute.networks.list", 429, "RESOURCE_EXHAUSTED", "", "", Throttled),
    ("compute.networks.list", 501, "UNIMPLEMENTED", "", "", Unsupported),
    ("iam.serviceAccounts.create", 409, "ALREADY_EXISTS", "", "", AlreadyExists),
    ("iam.serviceAccounts.delete", 404, "NOT_FOUND", "", "", NotFound),
    ("resourcemanager.projects.setIamPolicy", 409, "ABORTED", "", "", Throttled),
    (
        "resourcemanager.projects.setIamPolicy",
        400,
        "INVALID_ARGUMENT",
        "",
        "Service account a@p.iam.gserviceaccount.com does not exist.",
        NotYetVisible,
    ),
    (
        "resourcemanager.projects.setIamPolicy",
        400,
        "INVALID_ARGUMENT",
        "",
        "Role x is not supported",
        Invalid,
    ),
    ("dns.managedZones.delete", 400, "", "containerNotEmpty", "", DependencyViolation),
    ("dns.changes.create", 409, "", "alreadyExists", "", AlreadyExists),
    ("dns.changes.create", 412, "", "conditionNotMet", "", Conflict),
];

#[test]
fn every_failure_has_its_kind() {
    for (call, status, code, reason, message, expected) in TABLE {
        assert_eq!(kind(call, *status, code, reason, message), *expected, "{call} {status} {code} {reason}");
    }
}

#[test]
fn an_operation_that_ended_in_an_error_is_one() {
    use google_cloud_compute_v1::model::operation::{Error as OperationError, error::Errors};
    let fine = Operation::new();
    assert!(of_operation("compute.disks.create", &fine).is_none());
    let error = Errors::new().set_code("QUOTA_EXCEEDED").set_message("Quota 'SSD' exceeded");
    let failed = Operation::new().set_error(OperationError::new().set_errors([error]));
    let error = of_operation("compute.disks.create", &failed).unwrap();
    assert_eq!(error.kind(), Quota);
    assert!(error.to_string().contains("Quota 'SSD' exceeded"), "{error}");
    let failed =
        Operation::new().set_http_error_status_code(503).set_http_error_message("SERVICE UNAVAILABLE");
    assert_eq!(of_operation("compute.disks.create", &failed).unwrap().kind(), Unavailable);
}

#[test]
fn a_denied_call_names_the_permission() {
    let error = from_answer(
        "storage.objects.get",
        403,
        br#"{"error":{"message":"no","errors":[{"reason":"forbidden"}]}}"#,
    );
    assert_eq!(error.kind(), Denied);
    assert!(error.hint().unwrap().contains("storage.objects.get"), "{error}");
}
