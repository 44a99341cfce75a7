use kops_core::ErrorKind::{self, *};
use std::time::Duration;

use super::{kind, refused};
use crate::wire::Refusal;

const PUT: &str = "Microsoft.Network/loadBalancers/write";
const GET: &str = "Microsoft.Network/loadBalancers/read";
const DELETE: &str = "Microsoft.Network/virtualNetworks/subnets/delete";

#[test]
fn every_code_has_its_kind() {
    let table: &[(&str, u16, &str, ErrorKind)] = &[
        (PUT, 409, "AnotherOperationInProgress", DependencyViolation),
        (PUT, 429, "RetryableError", DependencyViolation),
        (PUT, 429, "TooManyRequests", Throttled),
        (GET, 429, "", Throttled),
        (PUT, 500, "InternalServerError", Unavailable),
        (GET, 503, "", Unavailable),
        (GET, 408, "", Unavailable),
        (PUT, 403, "AuthorizationFailed", Denied),
        (PUT, 403, "LinkedAuthorizationFailed", Denied),
        (DELETE, 409, "ScopeLocked", Denied),
        (GET, 401, "ExpiredAuthenticationToken", Unauthenticated),
        (GET, 401, "", Unauthenticated),
        (GET, 404, "SubscriptionNotFound", Unauthenticated),
        (PUT, 400, "PrincipalNotFound", NotYetVisible),
        (PUT, 400, "InvalidResourceReference", NotYetVisible),
        (PUT, 404, "ParentResourceNotFound", NotYetVisible),
        (PUT, 404, "ResourceGroupNotFound", NotYetVisible),
        (GET, 404, "ResourceGroupNotFound", NotFound),
        (DELETE, 404, "ResourceNotFound", NotFound),
        (PUT, 409, "RoleAssignmentExists", AlreadyExists),
        (PUT, 409, "ResourceGroupBeingDeleted", DependencyViolation),
        (DELETE, 400, "InUseSubnetCannotBeDeleted", DependencyViolation),
        (DELETE, 400, "PublicIPAddressCannotBeDeleted", DependencyViolation),
        (DELETE, 400, "NatGatewayInUseBySubnet", DependencyViolation),
        (PUT, 400, "PublicIPCountLimitReached", Quota),
        (PUT, 409, "SkuNotAvailable", Quota),
        (PUT, 409, "ZonalAllocationFailed", Quota),
        (PUT, 412, "PreconditionFailed", Conflict),
        (PUT, 409, "Unheard", Conflict),
        (GET, 404, "PlatformImageNotFound", NotFound),
        (PUT, 400, "InvalidRequestFormat", Invalid),
    ];
    for &(call, status, code, expected) in table {
        assert_eq!(kind(call, status, code, ""), expected, "{call} {status} {code}");
    }
}

#[test]
fn what_is_not_allowed_goes_by_the_message() {
    let of = |status, message| kind("Microsoft.Compute/disks/write", status, "OperationNotAllowed", message);
    assert_eq!(of(409, "Operation could not be completed as it results in exceeding approved Quota"), Quota);
    assert_eq!(of(409, "Disk x is attached to VM y."), DependencyViolation);
    assert_eq!(of(429, "too many"), Throttled);
    assert_eq!(of(409, "shrinking a disk is not supported"), Invalid);
}

#[test]
fn an_error_tells_what_azure_said_and_when_to_come_back() {
    let refusal = Refusal {
        status: 403,
        code: "AuthorizationFailed".into(),
        message: "The client does not have authorization.".into(),
        retry_after: Some(Duration::from_secs(7)),
        request_id: Some("1-2-3".into()),
    };
    let error = refused(PUT, &refusal);
    let text = error.to_string();
    for part in [PUT, "AuthorizationFailed: The client", "1-2-3", "need the permission"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
}
