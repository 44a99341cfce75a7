//! Azure's errors as kinds of [`Error`]: the only place that knows Azure's error codes.
//!
//! The kind decides whether a call is retried, so each code is classified by what it says about the request:
//! whether it was carried out ([`ErrorKind::Unavailable`] leaves that open), whether it can succeed later
//! without intervention, or never. Codes that are not listed are classified by their suffixes, and then by
//! HTTP status.
//!
//! **The same code can mean two things.** A resource that is not found by a deletion is gone; one that a PUT
//! refers to was created a moment ago and is not visible yet to the provider that answered. So [`kind`] takes
//! the verb into account.
//!
//! Bodies of requests are never part of an error: they contain user data.
//!
//! Codes: <https://learn.microsoft.com/en-us/azure/azure-resource-manager/troubleshooting/common-deployment-errors>.

use std::error::Error as StdError;

use kops_core::cloud::{causes, find_cause, innermost};
use kops_core::{Error, ErrorKind};

use crate::wire::Refusal;

/// The error of a call, named after its permission; `endpoint` is the custom endpoint it was sent to, if any.
pub(crate) fn from_sdk(call: &str, endpoint: Option<&str>, error: azure_core::Error) -> Error {
    if let Some(refusal) = find_cause::<Refusal>(&error).cloned() {
        return refused(call, &refusal);
    }
    let place = endpoint.unwrap_or("Azure");
    let cause = innermost(&error);
    let mapped = match error.kind() {
        azure_core::error::ErrorKind::Io => Error::new(
            ErrorKind::Unavailable,
            format!("no connection to {place}, or it was interrupted: {cause}"),
        )
        .with_hint("check the network, and AZURE_RESOURCE_MANAGER_ENDPOINT if it is set"),
        azure_core::error::ErrorKind::Credential => from_credentials(&error),
        azure_core::error::ErrorKind::DataConversion => {
            Error::internal(format!("malformed response: {cause}"))
                .with_hint("check that the endpoint is Azure; a proxy may be in between")
        }
        // From the SDK's own status checks, which come after ours.
        azure_core::error::ErrorKind::HttpResponse { status, .. } => {
            let refusal = Refusal { status: u16::from(*status), ..Refusal::default() };
            return refused(call, &refusal);
        }
        _ => Error::internal(format!("the request could not be created: {cause}")),
    };
    mapped.with_call(call).with_source(error)
}

/// An error that Azure returned.
pub(crate) fn refused(call: &str, refusal: &Refusal) -> Error {
    let kind = kind(call, refusal.status, &refusal.code, &refusal.message);
    let text = match (refusal.code.as_str(), refusal.message.as_str()) {
        ("", "") => format!("HTTP status {}", refusal.status),
        ("", message) => format!("HTTP status {}: {message}", refusal.status),
        (code, "") => code.to_owned(),
        (code, message) => format!("{code}: {message}"),
    };
    let mut error = Error::new(kind, text).with_call(call);
    if let Some(hint) = hint(kind, call, &refusal.code) {
        error = error.with_hint(hint);
    }
    if let Some(id) = &refusal.request_id {
        error = error.with_request_id(id);
    }
    if let Some(wait) = refusal.retry_after {
        error = error.with_retry_after(wait);
    }
    error
}

/// Whether a request was rejected because the resource has another version than it specified.
pub(crate) fn is_precondition(error: &Error) -> bool {
    error.message().starts_with(PRECONDITION)
}

const PRECONDITION: &str = "PreconditionFailed";

/// The error of missing credentials.
pub(crate) fn from_credentials(error: &(dyn StdError + 'static)) -> Error {
    Error::new(ErrorKind::Unauthenticated, format!("no token could be obtained: {}", causes(error))).with_hint(
        "set a service principal (AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET), run on a machine with a managed \
         identity, or log in with `az login`",
    )
}

/// The kind of error that a code means for a call.
pub(crate) fn kind(call: &str, status: u16, code: &str, message: &str) -> ErrorKind {
    let verb = call.rsplit('/').next().unwrap_or_default();
    match code {
        // Nothing was done; another operation on the same resource has to end first. Some of these come with
        // 409, some with 429; they are unrelated to the rate limits, which would become stricter if these
        // counted as throttling.
        "AnotherOperationInProgress"
        | "RetryableError"
        | "RetryableErrorDueToAnotherOperation"
        | "ConflictingServerOperation"
        | "OperationPreempted"
        | "CanceledAndSupersededDueToAnotherOperation"
        | "ResourceGroupBeingCreated" => ErrorKind::DependencyViolation,

        "TooManyRequests" | "SubscriptionRequestsThrottled" | "ServerBusy" => ErrorKind::Throttled,

        "InternalServerError"
        | "InternalError"
        | "InternalExecutionError"
        | "ServerTimeout"
        | "GatewayTimeout"
        | "ServiceUnavailable"
        | "BadGateway"
        | "NetworkingInternalOperationError"
        | "RequestTimeout" => ErrorKind::Unavailable,

        "AuthorizationFailed"
        | "LinkedAuthorizationFailed"
        | "RequestDisallowedByPolicy"
        | "ScopeLocked"
        | "DenyAssignmentAuthorizationFailed"
        | "ReadOnlyDisabledSubscription"
        | "SubscriptionNotRegistered"
        | "MissingSubscriptionRegistration" => ErrorKind::Denied,

        "AuthenticationFailed"
        | "ExpiredAuthenticationToken"
        | "InvalidAuthenticationToken"
        | "InvalidAuthenticationTokenTenant"
        | "InvalidAuthenticationTokenAudience"
        | "invalid_client"
        | "unauthorized_client"
        | "invalid_grant"
        | "SubscriptionNotFound"
        | "InvalidSubscriptionId" => ErrorKind::Unauthenticated,

        // Created a moment ago: Microsoft Entra replicates principals within minutes, and one provider asks
        // another about what a PUT refers to.
        "PrincipalNotFound"
        | "ReferencedResourceNotProvisioned"
        | "InvalidResourceReference"
        | "ParentResourceNotFound"
        | "LinkedInvalidPropertyId"
        | "NicReservedForAnotherVm"
        | "ResourceNotReady" => {
            if verb == "delete" || verb == "read" {
                ErrorKind::NotFound
            } else {
                ErrorKind::NotYetVisible
            }
        }
        "ResourceGroupNotFound" | "ResourceNotFound" => {
            if verb == "write" {
                ErrorKind::NotYetVisible
            } else {
                ErrorKind::NotFound
            }
        }
        // Named by the user, not created by a task: waiting does not help.
        "PlatformImageNotFound"
        | "ImageNotFound"
        | "GalleryImageNotFound"
        | "NotFound"
        | "BlobNotFound"
        | "ContainerNotFound" => ErrorKind::NotFound,

        "RoleAssignmentExists" | "ResourceAlreadyExists" | "AlreadyExists" => ErrorKind::AlreadyExists,

        // It is deleted first; then another can be created.
        "ResourceGroupBeingDeleted" | "ResourceGroupDeletionBlocked" | "ResourceBeingDeleted" => {
            ErrorKind::DependencyViolation
        }
        "OperationNotAllowed" => operation_not_allowed(status, message),

        "QuotaExceeded"
        | "ResourceQuotaExceeded"
        | "RoleAssignmentLimitExceeded"
        | "SkuNotAvailable"
        | "AllocationFailed"
        | "ZonalAllocationFailed"
        | "OverconstrainedAllocationRequest"
        | "OverconstrainedZonalAllocationRequest"
        | "SubnetIsFull" => ErrorKind::Quota,

        PRECONDITION => ErrorKind::Conflict,
        code => by_ending(verb, status, code),
    }
}

/// Compute uses this code for quotas, for disks that are attached, and for too many requests.
fn operation_not_allowed(status: u16, message: &str) -> ErrorKind {
    let message = message.to_ascii_lowercase();
    if status == 429 {
        ErrorKind::Throttled
    } else if message.contains("quota") || message.contains("limit") {
        ErrorKind::Quota
    } else if message.contains("attached") || message.contains("in use") {
        ErrorKind::DependencyViolation
    } else {
        ErrorKind::Invalid
    }
}

fn by_ending(verb: &str, status: u16, code: &str) -> ErrorKind {
    // `InUseSubnetCannotBeDeleted`, `NatGatewayInUseBySubnet`, `PublicIPAddressCannotBeDeleted`,
    // `CannotDeleteVnetWithSubnetsInUse`, `PublicIPCountLimitReached`, `StaticPublicIPCountLimitReached` …
    if code.contains("InUse") || code.ends_with("CannotBeDeleted") || code.starts_with("CannotDelete") {
        ErrorKind::DependencyViolation
    } else if code.ends_with("LimitReached")
        || code.ends_with("LimitExceeded")
        || code.ends_with("QuotaExceeded")
    {
        ErrorKind::Quota
    } else if code.ends_with("AlreadyExists") {
        ErrorKind::AlreadyExists
    } else {
        match status {
            401 => ErrorKind::Unauthenticated,
            403 => ErrorKind::Denied,
            404 if verb == "write" => ErrorKind::NotYetVisible,
            404 => ErrorKind::NotFound,
            408 | 500.. => ErrorKind::Unavailable,
            409 | 412 => ErrorKind::Conflict,
            429 => ErrorKind::Throttled,
            _ => ErrorKind::Invalid,
        }
    }
}

fn hint(kind: ErrorKind, call: &str, code: &str) -> Option<String> {
    let text = match (kind, code) {
        (_, "SubscriptionNotFound" | "InvalidSubscriptionId") => {
            "check the subscription (AZURE_SUBSCRIPTION_ID) and the tenant of the credentials"
        }
        (ErrorKind::Denied, "ScopeLocked") => "a lock protects it: remove the lock first",
        (ErrorKind::Denied, "RequestDisallowedByPolicy") => "a policy of the subscription forbids it",
        (ErrorKind::Denied, "MissingSubscriptionRegistration" | "SubscriptionNotRegistered") => {
            "register the provider with `az provider register --namespace …`"
        }
        (ErrorKind::Denied, _) => return Some(format!("the credentials need the permission {call}")),
        (ErrorKind::Unauthenticated, _) => {
            "Azure rejects these credentials: log in again, or check the secret"
        }
        (ErrorKind::Quota, "SkuNotAvailable" | "AllocationFailed" | "ZonalAllocationFailed") => {
            "choose another zone or machine type, or retry later"
        }
        (ErrorKind::Quota, _) => "request a quota increase in the Azure portal, or delete unused objects",
        _ => return None,
    };
    Some(text.to_owned())
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
