use super::*;

/// Code by code: the call, the status, the code, words of the message, and what it has to become.
const TABLE: &[(&str, u16, &str, &str, ErrorKind)] = &[
    // Pacing: nothing was done.
    ("ec2:CreateVpc", 503, "RequestLimitExceeded", "", ErrorKind::Throttled),
    ("ec2:DescribeVpcs", 503, "RequestLimitExceeded", "", ErrorKind::Throttled),
    ("iam:CreateRole", 400, "Throttling", "Rate exceeded", ErrorKind::Throttled),
    ("autoscaling:DescribeAutoScalingGroups", 400, "Throttling", "", ErrorKind::Throttled),
    ("autoscaling:UpdateAutoScalingGroup", 400, "ResourceContention", "", ErrorKind::Throttled),
    ("elasticloadbalancing:DescribeTags", 400, "ThrottlingException", "", ErrorKind::Throttled),
    ("route53:ChangeResourceRecordSets", 400, "PriorRequestNotComplete", "", ErrorKind::Throttled),
    ("iam:DeleteRole", 409, "ConcurrentModification", "", ErrorKind::Throttled),
    ("s3:PutObject", 503, "SlowDown", "", ErrorKind::Throttled),
    ("ec2:CreateVpc", 429, "", "", ErrorKind::Throttled),
    // May have been done.
    ("ec2:AllocateAddress", 500, "InternalError", "", ErrorKind::Unavailable),
    ("ec2:AllocateAddress", 503, "Unavailable", "", ErrorKind::Unavailable),
    ("iam:CreateRole", 500, "ServiceFailure", "", ErrorKind::Unavailable),
    ("autoscaling:CreateAutoScalingGroup", 500, "InternalFailure", "", ErrorKind::Unavailable),
    ("ec2:CreateVpc", 502, "", "", ErrorKind::Unavailable),
    // Gone, or not there yet: the verb tells.
    ("ec2:DeleteVpc", 400, "InvalidVpcID.NotFound", "", ErrorKind::NotFound),
    ("ec2:DescribeVpcs", 400, "InvalidVpcID.NotFound", "", ErrorKind::NotFound),
    ("ec2:CreateSubnet", 400, "InvalidVpcID.NotFound", "", ErrorKind::NotYetVisible),
    ("ec2:ModifyVpcAttribute", 400, "InvalidVpcID.NotFound", "", ErrorKind::NotYetVisible),
    ("ec2:AttachInternetGateway", 400, "InvalidInternetGatewayID.NotFound", "", ErrorKind::NotYetVisible),
    ("ec2:DetachInternetGateway", 400, "Gateway.NotAttached", "", ErrorKind::Invalid),
    ("ec2:CreateRoute", 400, "InvalidNatGatewayID.NotFound", "", ErrorKind::NotYetVisible),
    ("ec2:DeleteNatGateway", 400, "NatGatewayNotFound", "", ErrorKind::NotFound),
    ("ec2:ReleaseAddress", 400, "InvalidAllocationID.NotFound", "", ErrorKind::NotFound),
    ("ec2:AuthorizeSecurityGroupIngress", 400, "InvalidGroup.NotFound", "", ErrorKind::NotYetVisible),
    ("ec2:RevokeSecurityGroupIngress", 400, "InvalidPermission.NotFound", "", ErrorKind::NotFound),
    ("ec2:DeleteLaunchTemplate", 400, "InvalidLaunchTemplateName.NotFoundException", "", ErrorKind::NotFound),
    ("iam:AddRoleToInstanceProfile", 404, "NoSuchEntity", "", ErrorKind::NotYetVisible),
    ("iam:GetRole", 404, "NoSuchEntity", "", ErrorKind::NotFound),
    ("elasticloadbalancing:CreateListener", 400, "TargetGroupNotFound", "", ErrorKind::NotYetVisible),
    ("elasticloadbalancing:DeleteTargetGroup", 400, "TargetGroupNotFound", "", ErrorKind::NotFound),
    ("autoscaling:DeleteAutoScalingGroup", 400, "ValidationError", NO_GROUP, ErrorKind::NotFound),
    ("autoscaling:PutLifecycleHook", 400, "ValidationError", NO_GROUP, ErrorKind::NotYetVisible),
    ("autoscaling:CreateAutoScalingGroup", 400, "ValidationError", NO_PROFILE, ErrorKind::NotYetVisible),
    ("ec2:RunInstances", 400, "InvalidParameterValue", NO_PROFILE, ErrorKind::NotYetVisible),
    (
        "autoscaling:CreateAutoScalingGroup",
        400,
        "ValidationError",
        "Max must not be < min",
        ErrorKind::Invalid,
    ),
    ("ec2:CreateRoute", 400, "IncorrectState", "", ErrorKind::NotYetVisible),
    ("s3:GetObject", 404, "NoSuchKey", "", ErrorKind::NotFound),
    ("s3:HeadObject", 404, "NotFound", "", ErrorKind::NotFound),
    ("s3:PutObject", 404, "NoSuchBucket", "", ErrorKind::NotFound),
    // Named by a person: no waiting for these.
    ("ec2:RunInstances", 400, "InvalidAMIID.NotFound", "", ErrorKind::NotFound),
    ("ec2:RunInstances", 400, "InvalidKeyPair.NotFound", "", ErrorKind::NotFound),
    ("route53:ChangeResourceRecordSets", 404, "NoSuchHostedZone", "", ErrorKind::NotFound),
    ("elasticloadbalancing:CreateListener", 400, "CertificateNotFound", "", ErrorKind::NotFound),
    ("elasticloadbalancing:CreateListener", 400, "SSLPolicyNotFound", "", ErrorKind::NotFound),
    ("iam:AttachRolePolicy", 404, "NoSuchEntity", NO_POLICY, ErrorKind::NotFound),
    ("iam:CreateRole", 404, "NoSuchEntity", NO_POLICY, ErrorKind::NotFound),
    ("ec2:CreateRoute", 400, "InvalidTransitGatewayID.NotFound", "", ErrorKind::NotFound),
    ("ec2:CreateRoute", 400, "InvalidVpcPeeringConnectionID.NotFound", "", ErrorKind::NotFound),
    ("ec2:AuthorizeSecurityGroupIngress", 400, "InvalidPrefixListID.NotFound", "", ErrorKind::NotFound),
    // Still in use.
    ("ec2:DeleteVpc", 400, "DependencyViolation", "", ErrorKind::DependencyViolation),
    ("ec2:DeleteSecurityGroup", 400, "InvalidGroup.InUse", "", ErrorKind::DependencyViolation),
    ("ec2:DeleteVolume", 400, "VolumeInUse", "", ErrorKind::DependencyViolation),
    ("ec2:ReleaseAddress", 400, "InvalidIPAddress.InUse", "", ErrorKind::DependencyViolation),
    ("ec2:DeleteVolume", 400, "IncorrectState", "", ErrorKind::DependencyViolation),
    ("iam:DeleteRole", 409, "DeleteConflict", "", ErrorKind::DependencyViolation),
    ("elasticloadbalancing:DeleteTargetGroup", 400, "ResourceInUse", "", ErrorKind::DependencyViolation),
    ("autoscaling:DeleteAutoScalingGroup", 400, "ResourceInUse", "", ErrorKind::DependencyViolation),
    (
        "autoscaling:DeleteAutoScalingGroup",
        400,
        "ScalingActivityInProgress",
        "",
        ErrorKind::DependencyViolation,
    ),
    // There already.
    ("iam:CreateRole", 409, "EntityAlreadyExists", "", ErrorKind::AlreadyExists),
    (
        "ec2:CreateLaunchTemplate",
        400,
        "InvalidLaunchTemplateName.AlreadyExistsException",
        "",
        ErrorKind::AlreadyExists,
    ),
    ("ec2:ImportKeyPair", 400, "InvalidKeyPair.Duplicate", "", ErrorKind::AlreadyExists),
    ("ec2:CreateSecurityGroup", 400, "InvalidGroup.Duplicate", "", ErrorKind::AlreadyExists),
    ("ec2:AuthorizeSecurityGroupEgress", 400, "InvalidPermission.Duplicate", "", ErrorKind::AlreadyExists),
    ("ec2:CreateRoute", 400, "RouteAlreadyExists", "", ErrorKind::AlreadyExists),
    ("ec2:AssociateRouteTable", 400, "Resource.AlreadyAssociated", "", ErrorKind::AlreadyExists),
    ("autoscaling:CreateAutoScalingGroup", 400, "AlreadyExists", "", ErrorKind::AlreadyExists),
    ("elasticloadbalancing:CreateTargetGroup", 400, "DuplicateTargetGroupName", "", ErrorKind::AlreadyExists),
    ("route53:ChangeResourceRecordSets", 400, "InvalidChangeBatch", RECORD_EXISTS, ErrorKind::AlreadyExists),
    ("route53:ChangeResourceRecordSets", 400, "InvalidChangeBatch", RECORD_MISSING, ErrorKind::NotFound),
    ("route53:ChangeResourceRecordSets", 400, "InvalidChangeBatch", RECORD_DIFFERS, ErrorKind::Conflict),
    ("route53:ChangeResourceRecordSets", 400, "InvalidChangeBatch", "FATAL problem", ErrorKind::Invalid),
    // Somebody else was faster.
    ("s3:PutObject", 412, "PreconditionFailed", "", ErrorKind::Conflict),
    ("s3:PutObject", 409, "ConditionalRequestConflict", "", ErrorKind::Conflict),
    ("ec2:RunInstances", 400, "IdempotentParameterMismatch", "", ErrorKind::Conflict),
    ("ec2:CreateSubnet", 400, "InvalidSubnet.Conflict", "", ErrorKind::Conflict),
    // Used up.
    ("ec2:CreateVpc", 400, "VpcLimitExceeded", "", ErrorKind::Quota),
    ("ec2:AllocateAddress", 400, "AddressLimitExceeded", "", ErrorKind::Quota),
    ("ec2:RunInstances", 400, "VcpuLimitExceeded", "", ErrorKind::Quota),
    ("ec2:RunInstances", 500, "InsufficientInstanceCapacity", "", ErrorKind::Quota),
    ("iam:CreateRole", 409, "LimitExceeded", "", ErrorKind::Quota),
    ("elasticloadbalancing:CreateLoadBalancer", 400, "TooManyLoadBalancers", "", ErrorKind::Quota),
    ("autoscaling:CreateAutoScalingGroup", 400, "LimitExceeded", "", ErrorKind::Quota),
    // Not allowed.
    ("ec2:CreateVpc", 403, "UnauthorizedOperation", "", ErrorKind::Denied),
    ("iam:CreateRole", 403, "AccessDenied", "", ErrorKind::Denied),
    ("s3:GetObject", 403, "AccessDenied", "", ErrorKind::Denied),
    ("s3:HeadObject", 403, "", "", ErrorKind::Denied),
    // Nobody.
    ("ec2:DescribeVpcs", 401, "AuthFailure", "", ErrorKind::Unauthenticated),
    ("sts:GetCallerIdentity", 403, "InvalidClientTokenId", "", ErrorKind::Unauthenticated),
    ("sts:GetCallerIdentity", 403, "ExpiredToken", "", ErrorKind::Unauthenticated),
    ("s3:GetObject", 403, "SignatureDoesNotMatch", "", ErrorKind::Unauthenticated),
    // Wrong, whenever it is asked.
    ("ec2:CreateSubnet", 400, "InvalidSubnet.Range", "", ErrorKind::Invalid),
    ("ec2:CreateVpc", 400, "InvalidParameterValue", "", ErrorKind::Invalid),
    ("iam:PutRolePolicy", 400, "MalformedPolicyDocument", "Syntax errors", ErrorKind::Invalid),
    (
        "iam:CreateRole",
        400,
        "MalformedPolicyDocument",
        "Invalid principal in policy",
        ErrorKind::NotYetVisible,
    ),
    ("ec2:RunInstances", 400, "Unsupported", "", ErrorKind::Unsupported),
];

const NO_GROUP: &str = "AutoScalingGroup name not found - AutoScalingGroup 'nodes' not found";
const NO_POLICY: &str = "Policy arn:aws:iam::111122223333:policy/none does not exist or is not attachable.";
const NO_PROFILE: &str = "Value (nodes) for parameter iamInstanceProfile.name is invalid. \
                          Invalid IAM Instance Profile name";
const RECORD_EXISTS: &str =
    "[Tried to create resource record set [name='a.', type='A'] but it already exists]";
const RECORD_MISSING: &str =
    "[Tried to delete resource record set [name='a.', type='A'] but it was not found]";
const RECORD_DIFFERS: &str = "[Tried to delete resource record set [name='a.', type='A'] but the values provided \
                              do not match the current values]";

#[test]
fn codes_become_kinds() {
    let wrong: Vec<_> = TABLE
        .iter()
        .map(|(call, status, code, message, expected)| {
            (call, code, kind(call, *status, code, message), expected)
        })
        .filter(|(_, _, actual, expected)| actual != *expected)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_aws_says_is_shown_without_the_encoded_blob() {
    let error = answered(
        "ec2:CreateVpc",
        403,
        "UnauthorizedOperation",
        "You are not authorized to perform this operation. Encoded authorization failure message: AbCdEf",
    )
    .with_call("ec2:CreateVpc");
    assert_eq!(
        error.to_string(),
        "ec2:CreateVpc: permission denied: UnauthorizedOperation: You are not authorized to perform this \
         operation. (the credentials need the permission ec2:CreateVpc)"
    );
}

#[test]
fn a_denied_call_names_the_permission_not_the_call() {
    let error = answered("s3:HeadObject", 403, "", "");
    assert_eq!(error.hint(), Some("the credentials need the permission s3:GetObject"));
}
