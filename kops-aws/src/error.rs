//! AWS's errors as kinds of [`Error`]: the only place that knows AWS's error codes.
//!
//! The kind decides whether a call is retried, so each code is classified by what it says about the request:
//! whether it was carried out ([`ErrorKind::Unavailable`] leaves that open), whether it can succeed later
//! without intervention, or never. Codes that are not listed are classified by their suffixes, which EC2
//! keeps regular (`….NotFound`, `…LimitExceeded`), and then by HTTP status.
//!
//! **The same code can mean two things.** From a deletion, `InvalidVpcID.NotFound` means that the VPC is
//! gone; from `CreateSubnet` it means that a VPC created a second ago is not visible yet to the part of EC2
//! that answered: EC2 and IAM are eventually consistent ([EC2], [IAM]). So [`missing`] takes the verb into
//! account.
//!
//! Bodies of requests and responses are never part of an error: they contain user data.
//!
//! [EC2]: https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
//! [IAM]: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html#troubleshoot_general_eventual-consistency

use std::error::Error as StdError;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::RequestId;
use kops_core::cloud::{causes, find_cause, innermost};
use kops_core::{Error, ErrorKind};

/// The error of a call, named as `service:Operation`; `endpoint` is the custom endpoint it was sent to, if
/// any.
pub(crate) fn from_sdk<E>(call: &str, endpoint: Option<&str>, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let wait = error.raw_response().and_then(|response| {
        let seconds = response.headers().get("retry-after")?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    });
    let request_id = error.request_id().map(str::to_owned);
    let mapped = match &error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or_default();
            let message = service.err().message().unwrap_or_default();
            answered(call, status.unwrap_or_default(), code, message)
        }
        SdkError::ResponseError(_) => answered(call, status.unwrap_or_default(), "", ""),
        _ => unanswered(endpoint, &error),
    };
    let mut mapped = mapped.with_call(call);
    if let Some(id) = request_id {
        mapped = mapped.with_request_id(id);
    }
    if let Some(wait) = wait {
        mapped = mapped.with_retry_after(wait);
    }
    // Its text is part of the message already; as a source, its type remains accessible.
    mapped.with_source(error)
}

/// A failure to reach AWS, or a missing answer.
fn unanswered<E>(endpoint: Option<&str>, error: &SdkError<E, HttpResponse>) -> Error
where
    E: StdError + Send + Sync + 'static,
{
    if let Some(credentials) = find_cause::<CredentialsError>(error) {
        return from_credentials(credentials);
    }
    let place = endpoint.unwrap_or("AWS");
    match error {
        SdkError::TimeoutError(_) => {
            Error::new(ErrorKind::Unavailable, format!("no answer from {place} in time")).with_hint(REACH)
        }
        SdkError::DispatchFailure(failure) if failure.is_user() => {
            Error::internal(format!("the request could not be created: {}", causes(error)))
        }
        SdkError::DispatchFailure(_) => {
            Error::new(ErrorKind::Unavailable, format!("no connection to {place}: {}", innermost(error)))
                .with_hint(REACH)
        }
        // The input is not a valid request: a required field is missing, or an endpoint does not parse.
        _ => Error::invalid(format!("the request could not be created: {}", causes(error))),
    }
}

const REACH: &str = "check the network, the region, and AWS_ENDPOINT_URL if it is set";

/// The error of missing credentials.
pub(crate) fn from_credentials(error: &CredentialsError) -> Error {
    match error {
        CredentialsError::CredentialsNotLoaded(_) => {
            Error::new(ErrorKind::Unauthenticated, "no AWS credentials were found").with_hint(
                "looked in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in the profile (AWS_PROFILE, else \
                 `default`) of ~/.aws/config and ~/.aws/credentials, for a web identity token, and at the \
                 metadata services of ECS and EC2; configure one of them, for example with `aws configure`",
            )
        }
        error => {
            let text = causes(error);
            Error::new(ErrorKind::Unauthenticated, format!("the AWS credentials could not be loaded: {text}"))
                .with_hint("check the profile; a session of `aws sso login` may have expired")
        }
    }
}

/// An error that the service returned.
fn answered(call: &str, status: u16, code: &str, message: &str) -> Error {
    if code.is_empty() && status < 400 {
        // A success that does not parse: the call may have been carried out.
        return Error::new(ErrorKind::Unavailable, format!("HTTP status {status} with a malformed response"))
            .with_hint("check that the endpoint is AWS; a proxy may be in between");
    }
    let kind = kind(call, status, code, message);
    // EC2 appends a blob that only `sts:DecodeAuthorizationMessage` can read.
    let message = message.split(" Encoded authorization failure message").next().unwrap_or_default();
    let text = match (code, message) {
        ("", "") => format!("HTTP status {status}"),
        ("", message) => format!("HTTP status {status}: {message}"),
        (code, "") => code.to_owned(),
        (code, message) => format!("{code}: {message}"),
    };
    let error = Error::new(kind, text);
    match hint(kind, call, code) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// The kind of error that a code means for a call.
pub(crate) fn kind(call: &str, status: u16, code: &str, message: &str) -> ErrorKind {
    let (service, action) = call.split_once(':').unwrap_or(("", call));
    // A few services have the distinguishing text in the message only.
    if let Some(kind) = by_message(service, action, code, message) {
        return kind;
    }
    match code {
        // Throttled; nothing was done.
        "RequestLimitExceeded" | "Throttling" | "ThrottlingException" | "ThrottledException"
        | "RequestThrottled" | "RequestThrottledException" | "TooManyRequestsException" | "SlowDown"
        | "EC2ThrottledException" | "BandwidthLimitExceeded"
        // One change at a time for a zone, a group or an identity; nothing was done either.
        | "PriorRequestNotComplete" | "ResourceContention" | "ConcurrentModification"
        | "ConcurrentModificationException" => ErrorKind::Throttled,

        "InternalError" | "InternalFailure" | "InternalServiceError" | "InternalServerError"
        | "ServiceUnavailable" | "ServiceUnavailableException" | "ServiceFailure" | "Unavailable"
        | "ServerInternal" | "RequestTimeout" | "RequestTimeoutException" => ErrorKind::Unavailable,

        "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException" | "OptInRequired"
        | "PendingVerification" | "Blocked" | "AllAccessDisabled" => ErrorKind::Denied,

        "AuthFailure" | "InvalidClientTokenId" | "UnrecognizedClientException" | "SignatureDoesNotMatch"
        | "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "InvalidAccessKeyId"
        | "MissingAuthenticationToken" | "InvalidToken" | "TokenRefreshRequired" | "RequestTimeTooSkewed"
        | "IncompleteSignature" => ErrorKind::Unauthenticated,

        "DependencyViolation" | "DeleteConflict" | "ResourceInUse" | "ResourceInUseFault"
        | "ScalingActivityInProgress" | "HostedZoneNotEmpty" | "VolumeInUse" | "InvalidGroup.InUse"
        | "InvalidNetworkInterface.InUse" | "InvalidIPAddress.InUse" | "BucketNotEmpty" => {
            ErrorKind::DependencyViolation
        }

        // A state that passes by itself, during creation or deletion.
        "IncorrectState" | "IncorrectInstanceState" | "IncorrectStateException" | "InvalidState" => {
            if on_the_way_out(action) { ErrorKind::DependencyViolation } else { ErrorKind::NotYetVisible }
        }
        "EntityTemporarilyUnmodifiable" => ErrorKind::NotYetVisible,

        "EntityAlreadyExists" | "AlreadyExists" | "AlreadyExistsFault" | "RouteAlreadyExists"
        | "DuplicateLoadBalancerName" | "DuplicateTargetGroupName" | "DuplicateListener"
        | "HostedZoneAlreadyExists" | "BucketAlreadyExists" | "BucketAlreadyOwnedByYou"
        | "Resource.AlreadyAssociated" | "Resource.AlreadyAssigned" | "InvalidKeyPair.Duplicate"
        | "InvalidGroup.Duplicate" | "InvalidPermission.Duplicate" => ErrorKind::AlreadyExists,

        "IdempotentParameterMismatch" | "PreconditionFailed" | "ConditionalRequestConflict"
        | "OperationAborted" | "InvalidSubnet.Conflict" => ErrorKind::Conflict,

        "LimitExceeded" | "LimitExceededException" | "LimitExceededFault" | "AttachmentLimitExceeded"
        | "TooManyBuckets" | "TooManyHostedZones" | "RulesPerSecurityGroupLimitExceeded"
        | "SecurityGroupLimitExceeded" | "TargetGroupAssociationLimit"
        // AWS itself has no capacity in that zone: not a limit of the account, but nothing that passes within
        // minutes.
        | "InsufficientInstanceCapacity" | "InsufficientHostCapacity" | "InsufficientAddressCapacity"
        | "InsufficientFreeAddressesInSubnet" | "InsufficientCapacity" => ErrorKind::Quota,

        "Unsupported" | "UnsupportedOperation" | "UnsupportedHostConfiguration" | "NotImplemented" => {
            ErrorKind::Unsupported
        }

        // Named by the user, not created by a task: waiting does not help.
        "InvalidAMIID.NotFound" | "InvalidAMIID.Malformed" | "InvalidAMIID.Unavailable"
        | "InvalidKeyPair.NotFound" | "InvalidSnapshot.NotFound" | "NoSuchBucket" | "NoSuchKey" | "NotFound"
        | "NoSuchUpload" | "NoSuchHostedZone" | "InvalidPermission.NotFound"
        | "CertificateNotFound" | "SSLPolicyNotFound" | "NotFoundException" | "InvalidKmsKeyId.NotFound"
        | "InvalidTransitGatewayID.NotFound" | "InvalidVpcPeeringConnectionID.NotFound"
        | "InvalidVpnGatewayID.NotFound" | "InvalidNetworkInterfaceID.NotFound"
        | "InvalidPrefixListID.NotFound" | "InvalidPrefixListId.NotFound"
        | "InvalidCapacityReservationId.NotFound" => ErrorKind::NotFound,

        "NoSuchEntity" | "NatGatewayNotFound" | "LoadBalancerNotFound" | "ListenerNotFound"
        | "TargetGroupNotFound" | "RuleNotFound" | "SubnetNotFound" | "InvalidSecurityGroup" => missing(action),

        code => by_ending(action, status, code),
    }
}

fn by_message(service: &str, action: &str, code: &str, message: &str) -> Option<ErrorKind> {
    match (service, code) {
        // https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html uses one
        // code for all of these.
        ("route53", "InvalidChangeBatch") => {
            if message.contains("but it already exists") {
                Some(ErrorKind::AlreadyExists)
            } else if message.contains("but it was not found") {
                Some(ErrorKind::NotFound)
            } else if message.contains("do not match the current values") {
                Some(ErrorKind::Conflict)
            } else {
                None
            }
        }
        // An instance profile becomes visible to EC2 seconds after IAM has created it.
        ("ec2" | "autoscaling", "InvalidParameterValue" | "ValidationError")
            if message.contains("Invalid IAM Instance Profile") =>
        {
            Some(ErrorKind::NotYetVisible)
        }
        // A machine that was created a moment ago and does not run yet.
        ("ec2", "InvalidInstanceID") if action == "AssociateAddress" && message.contains("pending") => {
            Some(ErrorKind::NotYetVisible)
        }
        ("elasticloadbalancing", "InvalidTarget") if message.contains("not in a running state") => {
            Some(ErrorKind::NotYetVisible)
        }
        // A machine that is being terminated keeps its address until the end.
        ("ec2", "Resource.AlreadyAssociated") if action == "AssociateAddress" => {
            Some(ErrorKind::DependencyViolation)
        }
        ("autoscaling", "ValidationError") => {
            if message.contains("AutoScalingGroup name not found")
                || message.contains("No Lifecycle Hook found")
                || message.contains("No lifecycle hook")
            {
                Some(missing(action))
            } else if message.contains("target groups not found")
                || message.contains("launch template is not")
            {
                Some(ErrorKind::NotYetVisible)
            } else {
                None
            }
        }
        // Policies and boundaries are named by the user; their ARNs are in the message.
        ("iam", "NoSuchEntity")
            if message.contains("is not attachable") || message.contains("Policy arn:") =>
        {
            Some(ErrorKind::NotFound)
        }
        // A role that was created a moment ago is not a principal yet.
        ("iam", "MalformedPolicyDocument") if message.contains("Invalid principal") => {
            Some(ErrorKind::NotYetVisible)
        }
        _ => None,
    }
}

fn by_ending(action: &str, status: u16, code: &str) -> ErrorKind {
    // EC2: `InvalidVpcID.NotFound`, `InvalidLaunchTemplateName.NotFoundException`,
    // `InvalidLaunchTemplateName.AlreadyExistsException`, `VpcLimitExceeded` …
    let stem = code.trim_end_matches("Exception").trim_end_matches("Fault");
    if stem.ends_with("NotFound") || stem.ends_with(".Unknown") || stem.ends_with(".NotFoundFault") {
        missing(action)
    } else if stem.ends_with("AlreadyExists") || stem.ends_with(".Duplicate") {
        ErrorKind::AlreadyExists
    } else if stem.ends_with("LimitExceeded") || stem.starts_with("TooMany") {
        ErrorKind::Quota
    } else if stem.ends_with(".InUse") {
        ErrorKind::DependencyViolation
    } else {
        match status {
            401 => ErrorKind::Unauthenticated,
            403 => ErrorKind::Denied,
            404 => missing(action),
            409 | 412 => ErrorKind::Conflict,
            429 => ErrorKind::Throttled,
            500.. => ErrorKind::Unavailable,
            _ => ErrorKind::Invalid,
        }
    }
}

/// An object that the call names does not exist. For a read or a deletion, that is the answer; a call that
/// creates or links something names objects created moments before, which will become visible.
fn missing(action: &str) -> ErrorKind {
    let looks = ["Describe", "List", "Get", "Head", "Search"].iter().any(|verb| action.starts_with(verb));
    if looks || on_the_way_out(action) { ErrorKind::NotFound } else { ErrorKind::NotYetVisible }
}

fn on_the_way_out(action: &str) -> bool {
    const VERBS: [&str; 8] =
        ["Delete", "Detach", "Disassociate", "Release", "Terminate", "Revoke", "Remove", "Deregister"];
    VERBS.iter().any(|verb| action.starts_with(verb))
}

fn hint(kind: ErrorKind, call: &str, code: &str) -> Option<String> {
    let text = match (kind, code) {
        (ErrorKind::Denied, "OptInRequired") => "the account has not enabled this region or service",
        (ErrorKind::Denied, "PendingVerification") => "AWS is still verifying the account for this region",
        (ErrorKind::Denied, _) => {
            return Some(format!("the credentials need the permission {}", permission(call)));
        }
        (ErrorKind::Unauthenticated, "RequestTimeTooSkewed" | "RequestExpired") => {
            "the credentials have expired, or the clock of this machine is wrong"
        }
        (ErrorKind::Unauthenticated, code) if code.starts_with("Expired") => {
            "the session has expired: log in again"
        }
        (ErrorKind::Unauthenticated, _) => "AWS rejects these credentials in this region",
        (ErrorKind::Quota, code) if code.starts_with("Insufficient") => {
            "choose another zone, machine type or a larger subnet, or retry later"
        }
        (ErrorKind::Quota, _) => {
            "request an increase in AWS's Service Quotas console, or delete unused objects"
        }
        (ErrorKind::NotFound, code) if code.starts_with("InvalidAMIID") => {
            "the image does not exist in this region, or is not shared with this account"
        }
        (_, "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException") => {
            "the bucket is in another region"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

/// The IAM action that a call needs. S3 is the only service whose calls have other names.
pub(crate) fn permission(call: &str) -> &str {
    match call {
        "s3:HeadObject" => "s3:GetObject",
        "s3:HeadBucket" | "s3:ListObjectsV2" => "s3:ListBucket",
        "s3:DeleteObjects" => "s3:DeleteObject",
        call => call,
    }
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
