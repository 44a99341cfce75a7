//! The calls that this crate makes, by kind: the source of rate limits and permissions.
//!
//! Names are those of IAM, `service:Action`, which are also the names of the API's calls, except for S3 (see
//! [`error`](crate::error)). In debug builds, [`Clients::call`](crate::clients::Clients::call) asserts that a
//! call is listed, so the table cannot become outdated.

use kops_core::cloud::Actions;

/// The kind under which the actions on single machines of groups are listed.
pub(crate) const MACHINES: &str = "Machines";
/// The kind under which the actions on the state store are listed.
pub(crate) const STATE_STORE: &str = "StateStore";
/// The kind under which the actions of the permission check itself are listed; any of them may be missing.
pub(crate) const CHECK: &str = "PermissionCheck";

/// The kind under which the actions are listed that adopting needs in addition to those of the object's kind.
pub(crate) const ADOPTION: &str = "Adoption";

/// All actions.
pub(crate) const ALL: &[Actions] = &[
    Actions { kind: ADOPTION, read: &["ec2:DescribeTags"], write: &["ec2:CreateTags"] },
    Actions {
        kind: "Vpc",
        read: &["ec2:DescribeVpcs", "ec2:DescribeVpcAttribute"],
        write: &[
            "ec2:CreateVpc",
            "ec2:CreateTags",
            "ec2:DeleteTags",
            "ec2:ModifyVpcAttribute",
            "ec2:AssociateVpcCidrBlock",
            "ec2:DisassociateVpcCidrBlock",
            "ec2:DeleteVpc",
        ],
    },
    Actions {
        kind: "VpcCidrBlock",
        read: &["ec2:DescribeVpcs"],
        write: &["ec2:AssociateVpcCidrBlock", "ec2:DisassociateVpcCidrBlock"],
    },
    Actions {
        kind: "DhcpOptions",
        read: &["ec2:DescribeDhcpOptions"],
        write: &["ec2:CreateDhcpOptions", "ec2:CreateTags", "ec2:DeleteDhcpOptions"],
    },
    Actions {
        kind: "DhcpOptionsAssociation",
        read: &["ec2:DescribeVpcs"],
        write: &["ec2:AssociateDhcpOptions"],
    },
    Actions {
        kind: "Ec2InternetGateway",
        read: &["ec2:DescribeInternetGateways"],
        write: &[
            "ec2:CreateInternetGateway",
            "ec2:CreateTags",
            "ec2:AttachInternetGateway",
            "ec2:DetachInternetGateway",
            "ec2:DeleteInternetGateway",
        ],
    },
    Actions {
        kind: "EgressOnlyInternetGateway",
        read: &["ec2:DescribeEgressOnlyInternetGateways"],
        write: &[
            "ec2:CreateEgressOnlyInternetGateway",
            "ec2:CreateTags",
            "ec2:DeleteEgressOnlyInternetGateway",
        ],
    },
    Actions {
        kind: "Ec2Subnet",
        read: &["ec2:DescribeSubnets"],
        write: &[
            "ec2:CreateSubnet",
            "ec2:CreateTags",
            "ec2:DeleteTags",
            "ec2:ModifySubnetAttribute",
            "ec2:DeleteSubnet",
        ],
    },
    Actions {
        kind: "NetworkInterface",
        read: &["ec2:DescribeVpcs", "ec2:DescribeNetworkInterfaces", "ec2:DescribeInstances"],
        write: &["ec2:DeleteNetworkInterface"],
    },
    Actions {
        kind: "ClassicLoadBalancer",
        read: &[
            "ec2:DescribeVpcs",
            "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:DescribeTags",
        ],
        write: &["elasticloadbalancing:DeleteLoadBalancer"],
    },
    Actions {
        kind: "RouteTable",
        read: &["ec2:DescribeRouteTables"],
        write: &["ec2:CreateRouteTable", "ec2:CreateTags", "ec2:DeleteRouteTable"],
    },
    Actions {
        kind: "Route",
        read: &["ec2:DescribeRouteTables"],
        write: &["ec2:CreateRoute", "ec2:ReplaceRoute", "ec2:DeleteRoute"],
    },
    Actions {
        kind: "RouteTableAssociation",
        read: &["ec2:DescribeRouteTables"],
        write: &["ec2:AssociateRouteTable", "ec2:ReplaceRouteTableAssociation", "ec2:DisassociateRouteTable"],
    },
    Actions {
        kind: "ElasticIp",
        read: &["ec2:DescribeAddresses"],
        write: &["ec2:AllocateAddress", "ec2:CreateTags", "ec2:ReleaseAddress"],
    },
    Actions {
        kind: "Ec2NatGateway",
        read: &["ec2:DescribeNatGateways"],
        write: &["ec2:CreateNatGateway", "ec2:CreateTags", "ec2:DeleteNatGateway"],
    },
    Actions {
        kind: "SecurityGroup",
        read: &["ec2:DescribeSecurityGroups"],
        write: &["ec2:CreateSecurityGroup", "ec2:CreateTags", "ec2:DeleteTags", "ec2:DeleteSecurityGroup"],
    },
    Actions {
        kind: "SecurityGroupRules",
        read: &["ec2:DescribeSecurityGroups"],
        write: &[
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:CreateTags",
            "ec2:RevokeSecurityGroupIngress",
            "ec2:RevokeSecurityGroupEgress",
        ],
    },
    Actions { kind: "AvailabilityZone", read: &["ec2:DescribeAvailabilityZones"], write: &[] },
    Actions { kind: "Image", read: &["ec2:DescribeImages"], write: &[] },
    Actions { kind: "InstanceType", read: &["ec2:DescribeInstanceTypes"], write: &[] },
    Actions {
        kind: "KeyPair",
        read: &["ec2:DescribeKeyPairs"],
        write: &["ec2:ImportKeyPair", "ec2:CreateTags", "ec2:DeleteKeyPair"],
    },
    Actions {
        kind: "EbsVolume",
        read: &["ec2:DescribeVolumes"],
        write: &["ec2:CreateVolume", "ec2:CreateTags", "ec2:ModifyVolume", "ec2:DeleteVolume"],
    },
    Actions {
        kind: "LaunchTemplate",
        read: &["ec2:DescribeLaunchTemplates", "ec2:DescribeLaunchTemplateVersions"],
        write: &[
            "ec2:CreateLaunchTemplate",
            "ec2:CreateTags",
            "ec2:CreateLaunchTemplateVersion",
            "ec2:ModifyLaunchTemplate",
            "ec2:DeleteLaunchTemplate",
        ],
    },
    Actions {
        kind: "AutoScalingGroup",
        read: &["autoscaling:DescribeAutoScalingGroups"],
        write: &[
            "autoscaling:CreateAutoScalingGroup",
            "autoscaling:CreateOrUpdateTags",
            "autoscaling:UpdateAutoScalingGroup",
            "autoscaling:AttachLoadBalancerTargetGroups",
            "autoscaling:DetachLoadBalancerTargetGroups",
            "autoscaling:SuspendProcesses",
            "autoscaling:ResumeProcesses",
            "autoscaling:EnableMetricsCollection",
            "autoscaling:DisableMetricsCollection",
            "autoscaling:DeleteAutoScalingGroup",
            // Required of whoever creates a group with a launch template.
            "ec2:RunInstances",
            "ec2:CreateTags",
            "iam:PassRole",
            "iam:CreateServiceLinkedRole",
        ],
    },
    Actions {
        kind: "LifecycleHook",
        read: &["autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeLifecycleHooks"],
        write: &["autoscaling:PutLifecycleHook", "autoscaling:DeleteLifecycleHook"],
    },
    Actions {
        kind: "Ec2Instance",
        read: &[
            "ec2:DescribeInstances",
            "ec2:DescribeInstanceAttribute",
            "ec2:DescribeVolumes",
            "ec2:DescribeAddresses",
            "elasticloadbalancing:DescribeTargetGroups",
            "elasticloadbalancing:DescribeTags",
            "elasticloadbalancing:DescribeTargetHealth",
        ],
        write: &[
            "ec2:RunInstances",
            "ec2:CreateTags",
            "ec2:AssociateAddress",
            "ec2:DisassociateAddress",
            "elasticloadbalancing:RegisterTargets",
            "elasticloadbalancing:DeregisterTargets",
            "ec2:ModifyInstanceAttribute",
            "ec2:ModifyInstanceMetadataOptions",
            "ec2:MonitorInstances",
            "ec2:UnmonitorInstances",
            "ec2:TerminateInstances",
            "iam:PassRole",
        ],
    },
    Actions {
        kind: "NetworkLoadBalancer",
        read: &[
            "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:DescribeLoadBalancerAttributes",
            "elasticloadbalancing:DescribeTags",
        ],
        write: &[
            "elasticloadbalancing:CreateLoadBalancer",
            "elasticloadbalancing:AddTags",
            "elasticloadbalancing:ModifyLoadBalancerAttributes",
            "elasticloadbalancing:SetSecurityGroups",
            "elasticloadbalancing:SetSubnets",
            "elasticloadbalancing:DeleteLoadBalancer",
            "iam:CreateServiceLinkedRole",
        ],
    },
    Actions {
        kind: "TargetGroup",
        read: &[
            "elasticloadbalancing:DescribeTargetGroups",
            "elasticloadbalancing:DescribeTargetGroupAttributes",
            "elasticloadbalancing:DescribeTags",
        ],
        write: &[
            "elasticloadbalancing:CreateTargetGroup",
            "elasticloadbalancing:AddTags",
            "elasticloadbalancing:ModifyTargetGroup",
            "elasticloadbalancing:ModifyTargetGroupAttributes",
            "elasticloadbalancing:DeleteTargetGroup",
        ],
    },
    Actions {
        kind: "NetworkLoadBalancerListener",
        read: &[
            "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:DescribeTargetGroups",
            "elasticloadbalancing:DescribeListeners",
            "elasticloadbalancing:DescribeTags",
        ],
        write: &[
            "elasticloadbalancing:CreateListener",
            "elasticloadbalancing:AddTags",
            "elasticloadbalancing:ModifyListener",
            "elasticloadbalancing:DeleteListener",
        ],
    },
    Actions {
        kind: "HostedZone",
        read: &["route53:ListHostedZones", "route53:GetHostedZone"],
        write: &["route53:CreateHostedZone", "route53:DeleteHostedZone"],
    },
    Actions {
        kind: "HostedZoneAssociation",
        read: &["ec2:DescribeVpcs", "route53:ListHostedZonesByVPC"],
        write: &["route53:AssociateVPCWithHostedZone", "route53:DisassociateVPCFromHostedZone"],
    },
    Actions {
        kind: "RecordSet",
        read: &["route53:ListHostedZones", "route53:ListResourceRecordSets"],
        write: &["route53:ChangeResourceRecordSets"],
    },
    Actions { kind: "ManagedPolicy", read: &["iam:GetPolicy"], write: &[] },
    Actions {
        kind: "Certificate",
        read: &["acm:DescribeCertificate", "iam:GetServerCertificate"],
        write: &[],
    },
    Actions { kind: "KmsKey", read: &["kms:DescribeKey"], write: &[] },
    Actions { kind: "SslPolicy", read: &["elasticloadbalancing:DescribeSSLPolicies"], write: &[] },
    Actions { kind: "Bucket", read: &["s3:ListBucket"], write: &[] },
    Actions {
        kind: "IamRole",
        read: &["iam:ListRoles", "iam:GetRole", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"],
        write: &[
            "iam:CreateRole",
            "iam:TagRole",
            "iam:UpdateRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:AttachRolePolicy",
            "iam:DetachRolePolicy",
            "iam:PutRolePermissionsBoundary",
            "iam:DeleteRolePermissionsBoundary",
            "iam:DeleteRolePolicy",
            "iam:DeleteRole",
        ],
    },
    Actions {
        kind: "IamRolePolicy",
        read: &["iam:ListRoles", "iam:GetRolePolicy"],
        write: &["iam:PutRolePolicy", "iam:DeleteRolePolicy"],
    },
    Actions {
        kind: "InstanceProfile",
        read: &["iam:ListInstanceProfiles", "iam:GetInstanceProfile"],
        write: &[
            "iam:CreateInstanceProfile",
            "iam:TagInstanceProfile",
            "iam:AddRoleToInstanceProfile",
            "iam:PassRole",
            "iam:RemoveRoleFromInstanceProfile",
            "iam:DeleteInstanceProfile",
        ],
    },
    Actions {
        kind: MACHINES,
        read: &[
            "autoscaling:DescribeAutoScalingGroups",
            "ec2:DescribeInstances",
            "ec2:DescribeLaunchTemplates",
        ],
        write: &[
            "ec2:CreateTags",
            "autoscaling:DetachInstances",
            "autoscaling:TerminateInstanceInAutoScalingGroup",
            "elasticloadbalancing:DeregisterTargets",
            "ec2:TerminateInstances",
        ],
    },
    Actions {
        kind: STATE_STORE,
        read: &["s3:ListBucket", "s3:GetBucketLocation", "s3:GetObject"],
        write: &["s3:PutObject", "s3:DeleteObject"],
    },
    Actions {
        kind: CHECK,
        read: &["sts:GetCallerIdentity", "iam:GetRole", "iam:SimulatePrincipalPolicy"],
        write: &[],
    },
];

/// Whether a call is read-only.
pub(crate) fn read_only(call: &str) -> bool {
    let action = call.split_once(':').map_or(call, |(_, action)| action);
    ["Describe", "Get", "Head", "List", "Simulate"].iter().any(|verb| action.starts_with(verb))
}
