//! The least-privilege IAM policy for managing a cluster.
//!
//! Reads are allowed in the whole account: `Describe` and `List` calls have no resource-level permissions.
//! New objects must be created with the cluster's tag (`aws:RequestTag`), and only objects with that tag may
//! be changed or deleted (`aws:ResourceTag`): credentials with this policy cannot affect another cluster, nor
//! anything else. IAM roles and instance profiles are separated by path, DNS records by name, files of the
//! state store by prefix.
//!
//! A creating call is checked once for each resource it names. Tags of the request apply to the new object
//! only, so for what contains it (a subnet's VPC) a second statement allows the same action without them.
//! That leaves one intentional gap: new objects can be put into a foreign network, which is what a shared
//! network is.
//!
//! Adopting marks what nobody has marked, and then changes it: whoever may do that may do anything to objects without
//! a cluster's tag. So it is not part of the policy, but a statement of its own ([`adopting`]), to be attached for as
//! long as objects are adopted. Objects of another cluster cannot be adopted even then.
//!
//! It is too long for a managed policy (6,144 characters) and is used as a role's inline policy
//! (`iam:PutRolePolicy`, [10,240 characters]).
//!
//! [10,240 characters]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
//!
//! The condition keys and resources of each action are listed per service in the [Service Authorization
//! Reference](https://docs.aws.amazon.com/service-authorization/latest/reference/).

use std::collections::BTreeSet;

use kops_core::cloud::Scope;

use serde_json::{Map, Value, json};

use crate::actions;
use crate::tags::CLUSTER;

/// Where a policy applies: the parts of an ARN.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    region: String,
    account: String,
}

impl Place {
    /// A region in an account; `*` is any account.
    pub(crate) fn new(region: &str, account: &str) -> Self {
        Self { region: region.to_owned(), account: account.to_owned() }
    }

    /// `arn:partition:service:region:account:rest`; global services have no region.
    fn arn(&self, service: &str, rest: &str) -> String {
        let partition = self.partition();
        let region = if service == "iam" { "" } else { &self.region };
        match service {
            "s3" | "route53" => format!("arn:{partition}:{service}:::{rest}"),
            _ => format!("arn:{partition}:{service}:{region}:{}:{rest}", self.account),
        }
    }

    /// <https://docs.aws.amazon.com/general/latest/gr/aws-arns-and-namespaces.html>
    fn partition(&self) -> &'static str {
        match self.region.split('-').take(2).collect::<Vec<_>>()[..] {
            ["cn", _] => "aws-cn",
            ["us", "gov"] => "aws-us-gov",
            ["us", "iso"] => "aws-iso",
            ["us", "isob"] => "aws-iso-b",
            _ => "aws",
        }
    }
}

/// A statement that allows something.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    id: &'static str,
    /// Actions, each with the resources it applies to. The policy allows all of the actions on all of the
    /// resources, which is shorter and no wider: IAM knows no subnet that is created on a volume.
    pub(crate) grants: Vec<(&'static str, Vec<String>)>,
    pub(crate) conditions: Vec<Condition>,
}

/// A condition of a statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    operator: &'static str,
    pub(crate) key: String,
    values: Vec<String>,
}

impl Condition {
    /// A value that satisfies the condition; `None` if the key must be absent.
    pub(crate) fn sample(&self) -> Option<&str> {
        let value = self.values.first().map_or("", String::as_str);
        match (self.operator, value) {
            ("Null", "true") => None,
            // `Null: false` requires any value; the only key it is used with names the creating call.
            ("Null", _) => Some("CreateVpc"),
            _ => Some(value),
        }
    }
}

impl Statement {
    fn new(id: &'static str, actions: &[&'static str], resource: impl Into<String>) -> Self {
        let resource = resource.into();
        let grants = actions.iter().map(|&action| (action, vec![resource.clone()])).collect();
        Self { id, grants, conditions: Vec::new() }
    }

    fn when(mut self, operator: &'static str, key: &str, values: &[&str]) -> Self {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        self.conditions.push(Condition { operator, key: key.to_owned(), values });
        self
    }

    fn to_json(&self) -> Value {
        let actions: BTreeSet<_> = self.grants.iter().map(|(action, _)| action).collect();
        let resources: BTreeSet<_> = self.grants.iter().flat_map(|(_, resources)| resources).collect();
        let mut statement =
            json!({ "Sid": self.id, "Effect": "Allow", "Action": actions, "Resource": resources });
        let mut conditions = Map::new();
        for Condition { operator, key, values } in &self.conditions {
            let of_operator = conditions.entry(*operator).or_insert_with(|| json!({}));
            of_operator[key] = json!(values);
        }
        if !conditions.is_empty() {
            statement["Condition"] = Value::Object(conditions);
        }
        statement
    }
}

/// The policy document.
pub(crate) fn document(cluster: &str, place: &Place) -> Value {
    let statements: Vec<_> = statements(cluster, place).iter().map(Statement::to_json).collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// The policy document of what adopting needs in addition.
pub(crate) fn adoption_document(cluster: &str, place: &Place) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [adopting(cluster, place).to_json()] })
}

/// The statement that allows to mark objects of EC2 that carry no cluster's tag.
pub(crate) fn adopting(cluster: &str, place: &Place) -> Statement {
    Statement::new("AdoptUnowned", &["ec2:CreateTags"], place.arn("ec2", "*/*"))
        .when("StringEquals", &format!("aws:RequestTag/{CLUSTER}"), &[cluster])
        .when("Null", &format!("aws:ResourceTag/{CLUSTER}"), &["true"])
}

/// The path of a cluster's IAM roles and instance profiles. Names of roles are unique in the account
/// regardless of the path; the path is used for listing them and in policies.
pub(crate) fn iam_paths(cluster: &str) -> String {
    format!("/kops/{cluster}/")
}

/// The path of the roles and profiles of a scope: its region, because IAM has no regions, and its place.
pub(crate) fn iam_path(scope: &Scope) -> String {
    let mut path = iam_paths(scope.name());
    for (word, part) in [("", scope.region()), ("within=", scope.place())] {
        if let Some(part) = part {
            path.extend([word, part, "/"]);
        }
    }
    path
}

/// The statements of the policy.
pub(crate) fn statements(cluster: &str, place: &Place) -> Vec<Statement> {
    let ec2 = |kind: &str| place.arn("ec2", &format!("{kind}/*"));
    let iam = |kind: &str| place.arn("iam", &format!("{kind}{}*", iam_paths(cluster)));
    let request_tag = format!("aws:RequestTag/{CLUSTER}");
    let resource_tag = format!("aws:ResourceTag/{CLUSTER}");
    let record = format!("*.{cluster}");
    let files = format!("{cluster}/*");
    vec![
        Statement::new("Look", &reads(), "*"),
        Statement {
            id: "MakeTagged",
            grants: MAKE.iter().map(|make| (make.action, vec![ec2(make.made)])).collect(),
            conditions: Vec::new(),
        }
        .when("StringEquals", &request_tag, &[cluster]),
        Statement {
            id: "MakeIn",
            grants: MAKE
                .iter()
                .filter(|make| !make.of.is_empty())
                .map(|make| (make.action, make.of.iter().map(|kind| ec2(kind)).collect()))
                .collect(),
            conditions: Vec::new(),
        },
        Statement::new("TagWhatIsMade", &["ec2:CreateTags"], ec2("*"))
            .when("StringEquals", &request_tag, &[cluster])
            .when("Null", "ec2:CreateAction", &["false"]),
        Statement::new("ChangeOwn", CHANGE, "*").when("StringEquals", &resource_tag, &[cluster]),
        // What controllers of the cluster made carries another of its tags.
        Statement::new("DeleteDependents", DEPENDENTS, "*").when(
            "StringEquals",
            &format!("aws:ResourceTag/kubernetes.io/cluster/{cluster}"),
            &["owned"],
        ),
        // Required of whoever creates a group with a launch template, for the machines that it will create.
        Statement::new("RunMachines", &["ec2:RunInstances"], "*"),
        Statement::new("MakeTaggedGroupsAndBalancers", MAKE_ELSEWHERE, "*").when(
            "StringEquals",
            &request_tag,
            &[cluster],
        ),
        Statement::new("OwnRoles", ROLES, iam("role")),
        Statement::new("OwnInstanceProfiles", PROFILES, iam("instance-profile")),
        Statement::new("GiveRolesToMachines", &["iam:PassRole"], iam("role")).when(
            "StringEquals",
            "iam:PassedToService",
            &["ec2.amazonaws.com"],
        ),
        // Created once per account, by the first user of the service.
        Statement::new("ServiceRoles", &["iam:CreateServiceLinkedRole"], "*").when(
            "StringEquals",
            "iam:AWSServiceName",
            &["autoscaling.amazonaws.com", "elasticloadbalancing.amazonaws.com", "spot.amazonaws.com"],
        ),
        Statement::new(
            "OwnRecords",
            &["route53:ChangeResourceRecordSets"],
            place.arn("route53", "hostedzone/*"),
        )
        .when(
            "ForAllValues:StringLike",
            "route53:ChangeResourceRecordSetsNormalizedRecordNames",
            &[cluster, &record],
        ),
        // Tags do not work for zones. Route 53 does not delete a zone that contains records.
        Statement::new(
            "MakeZones",
            &[
                "route53:AssociateVPCWithHostedZone",
                "route53:CreateHostedZone",
                "route53:DeleteHostedZone",
                "route53:DisassociateVPCFromHostedZone",
            ],
            place.arn("route53", "hostedzone/*"),
        ),
        Statement::new("FindState", &["s3:ListBucket", "s3:GetBucketLocation"], place.arn("s3", "*")),
        Statement::new(
            "OwnState",
            &["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            place.arn("s3", &format!("*/{files}")),
        ),
    ]
}

/// All reads, except for the files of the state store.
fn reads() -> Vec<&'static str> {
    let mut reads: Vec<_> = actions::ALL
        .iter()
        .flat_map(|kops_core::cloud::Actions { read, .. }| read.iter().copied())
        .filter(|action| !action.starts_with("s3:"))
        .collect();
    reads.sort_unstable();
    reads.dedup();
    reads
}

/// An EC2 call that creates something with tags.
struct Make {
    action: &'static str,
    /// What it creates.
    made: &'static str,
    /// The objects it is created in or from.
    of: &'static [&'static str],
}

impl Make {
    const fn new(action: &'static str, made: &'static str, of: &'static [&'static str]) -> Self {
        Self { action, made, of }
    }
}

const MAKE: &[Make] = &[
    Make::new("ec2:AllocateAddress", "elastic-ip", &[]),
    Make::new("ec2:CreateDhcpOptions", "dhcp-options", &[]),
    Make::new("ec2:CreateEgressOnlyInternetGateway", "egress-only-internet-gateway", &["vpc"]),
    Make::new("ec2:CreateInternetGateway", "internet-gateway", &[]),
    Make::new("ec2:CreateLaunchTemplate", "launch-template", &[]),
    Make::new("ec2:CreateNatGateway", "natgateway", &["elastic-ip", "subnet"]),
    Make::new("ec2:CreateRouteTable", "route-table", &["vpc"]),
    Make::new("ec2:CreateSecurityGroup", "security-group", &["vpc"]),
    Make::new("ec2:CreateSubnet", "subnet", &["vpc"]),
    Make::new("ec2:CreateVolume", "volume", &[]),
    Make::new("ec2:CreateVpc", "vpc", &[]),
    Make::new("ec2:ImportKeyPair", "key-pair", &[]),
];
/// Calls on existing objects.
const CHANGE: &[&str] = &[
    "autoscaling:AttachLoadBalancerTargetGroups",
    "autoscaling:CreateOrUpdateTags",
    "autoscaling:DeleteAutoScalingGroup",
    "autoscaling:DeleteLifecycleHook",
    "autoscaling:DetachInstances",
    "autoscaling:DetachLoadBalancerTargetGroups",
    "autoscaling:DisableMetricsCollection",
    "autoscaling:EnableMetricsCollection",
    "autoscaling:PutLifecycleHook",
    "autoscaling:ResumeProcesses",
    "autoscaling:SuspendProcesses",
    "autoscaling:TerminateInstanceInAutoScalingGroup",
    "autoscaling:UpdateAutoScalingGroup",
    "ec2:AssociateAddress",
    "ec2:AssociateDhcpOptions",
    "ec2:AssociateRouteTable",
    "ec2:AssociateVpcCidrBlock",
    "ec2:AttachInternetGateway",
    "ec2:AuthorizeSecurityGroupEgress",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:CreateLaunchTemplateVersion",
    "ec2:CreateRoute",
    "ec2:CreateTags",
    "ec2:DeleteDhcpOptions",
    "ec2:DeleteEgressOnlyInternetGateway",
    "ec2:DeleteInternetGateway",
    "ec2:DeleteKeyPair",
    "ec2:DeleteLaunchTemplate",
    "ec2:DeleteNatGateway",
    "ec2:DeleteRoute",
    "ec2:DeleteRouteTable",
    "ec2:DeleteSecurityGroup",
    "ec2:DeleteSubnet",
    "ec2:DeleteTags",
    "ec2:DeleteVolume",
    "ec2:DeleteVpc",
    "ec2:DetachInternetGateway",
    "ec2:DisassociateAddress",
    "ec2:DisassociateRouteTable",
    "ec2:DisassociateVpcCidrBlock",
    "ec2:ModifyInstanceAttribute",
    "ec2:ModifyInstanceMetadataOptions",
    "ec2:ModifyLaunchTemplate",
    "ec2:ModifySubnetAttribute",
    "ec2:ModifyVolume",
    "ec2:ModifyVpcAttribute",
    "ec2:MonitorInstances",
    "ec2:ReleaseAddress",
    "ec2:ReplaceRoute",
    "ec2:ReplaceRouteTableAssociation",
    "ec2:RevokeSecurityGroupEgress",
    "ec2:RevokeSecurityGroupIngress",
    "ec2:TerminateInstances",
    "ec2:UnmonitorInstances",
    "elasticloadbalancing:AddTags",
    "elasticloadbalancing:DeleteListener",
    "elasticloadbalancing:DeleteLoadBalancer",
    "elasticloadbalancing:DeleteTargetGroup",
    "elasticloadbalancing:DeregisterTargets",
    "elasticloadbalancing:ModifyListener",
    "elasticloadbalancing:ModifyLoadBalancerAttributes",
    "elasticloadbalancing:ModifyTargetGroup",
    "elasticloadbalancing:ModifyTargetGroupAttributes",
    "elasticloadbalancing:RegisterTargets",
    "elasticloadbalancing:SetSecurityGroups",
    "elasticloadbalancing:SetSubnets",
];
/// Calls that delete objects that controllers of the cluster have created.
const DEPENDENTS: &[&str] = &[
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteSecurityGroup",
    "ec2:DeleteVolume",
    "ec2:ReleaseAddress",
    "ec2:RevokeSecurityGroupEgress",
    "ec2:RevokeSecurityGroupIngress",
    "elasticloadbalancing:DeleteLoadBalancer",
    "elasticloadbalancing:DeleteTargetGroup",
];
/// Calls of other services that create something with tags.
const MAKE_ELSEWHERE: &[&str] = &[
    "autoscaling:CreateAutoScalingGroup",
    "autoscaling:CreateOrUpdateTags",
    "elasticloadbalancing:AddTags",
    "elasticloadbalancing:CreateListener",
    "elasticloadbalancing:CreateLoadBalancer",
    "elasticloadbalancing:CreateTargetGroup",
];
const ROLES: &[&str] = &[
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:TagRole",
    "iam:UpdateRole",
    "iam:UpdateAssumeRolePolicy",
];
const PROFILES: &[&str] = &[
    "iam:AddRoleToInstanceProfile",
    "iam:CreateInstanceProfile",
    "iam:DeleteInstanceProfile",
    "iam:RemoveRoleFromInstanceProfile",
    "iam:TagInstanceProfile",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Statement> {
        statements("ha.example.com", &Place::new("eu-central-1", "*"))
    }

    fn resources(statement: &Statement) -> Vec<String> {
        statement.grants.iter().flat_map(|(_, resources)| resources.clone()).collect()
    }

    #[test]
    fn every_action_in_use_is_allowed_and_no_other() {
        let allowed: BTreeSet<_> =
            all().iter().flat_map(|it| it.grants.iter().map(|(action, _)| *action)).collect();
        let used = kops_core::cloud::Actions::names(actions::ALL);
        assert_eq!(allowed, used);
    }

    #[test]
    fn what_changes_things_is_confined_to_the_cluster() {
        for statement in all() {
            let confined = !statement.conditions.is_empty()
                || resources(&statement).iter().all(|resource| resource.contains("ha.example.com"));
            let reads = ["Look", "FindState"].contains(&statement.id);
            // See the module's documentation.
            let open = ["MakeIn", "RunMachines", "MakeZones"].contains(&statement.id);
            assert!(confined || reads || open, "{statement:?}");
        }
    }

    #[test]
    fn statements_are_written_as_iam_reads_them() {
        let document = document("ha.example.com", &Place::new("cn-north-1", "*"));
        let tagging =
            document["Statement"].as_array().unwrap().iter().find(|it| it["Sid"] == "TagWhatIsMade");
        assert_eq!(
            *tagging.unwrap(),
            json!({
                "Sid": "TagWhatIsMade",
                "Effect": "Allow",
                "Action": ["ec2:CreateTags"],
                "Resource": ["arn:aws-cn:ec2:cn-north-1:*:*/*"],
                "Condition": {
                    "StringEquals": { "aws:RequestTag/KubernetesCluster": ["ha.example.com"] },
                    "Null": { "ec2:CreateAction": ["false"] },
                },
            })
        );
        // A role's own policies end at 10,240 characters together.
        assert!(document.to_string().len() < 10_240, "{}", document.to_string().len());
    }

    #[test]
    fn adopting_is_for_what_no_cluster_owns() {
        let place = Place::new("eu-central-1", "*");
        let document = adoption_document("ha.example.com", &place);
        assert_eq!(
            document["Statement"],
            json!([{
                "Sid": "AdoptUnowned",
                "Effect": "Allow",
                "Action": ["ec2:CreateTags"],
                "Resource": ["arn:aws:ec2:eu-central-1:*:*/*"],
                "Condition": {
                    "StringEquals": { "aws:RequestTag/KubernetesCluster": ["ha.example.com"] },
                    "Null": { "aws:ResourceTag/KubernetesCluster": ["true"] },
                },
            }])
        );
        // The policy itself does not allow it.
        assert!(all().iter().all(|statement| statement.id != "AdoptUnowned"));
        let conditions = adopting("ha.example.com", &place).conditions;
        let samples: Vec<_> = conditions.iter().map(Condition::sample).collect();
        assert_eq!(samples, [Some("ha.example.com"), None]);
    }

    #[test]
    fn roles_are_told_by_their_path() {
        let resources: Vec<_> = all().iter().filter(|it| it.id == "OwnRoles").flat_map(resources).collect();
        let expected = "arn:aws:iam::*:role/kops/ha.example.com/*";
        assert!(
            !resources.is_empty() && resources.iter().all(|resource| resource == expected),
            "{resources:?}"
        );
    }
}
