//! What the machines of a cluster may do: the policies of their roles.
//!
//! Least privilege by tags. Whatever the control plane makes it tags with the cluster's name, and whatever it
//! changes must carry that tag; only looking around is open, because AWS's `Describe` calls know no resources.
//! Nodes look themselves up and read what the state store keeps for nodes; bastions may do nothing, and get no
//! policy at all.
//!
//! Not granted here, although kOps does: the queue of its node termination handler, and roles for single
//! service accounts. Both come with what uses them.

use kops_cluster::extensions::{ClusterIdentity, MachineRole};
use kops_core::cloud::Scope;
use kops_core::resource::Identity;
use kops_core::{Error, Result};
use serde_json::{Value, json};

use crate::extensions::AwsIdentity;
use crate::lower::slot;
use crate::tags::CLUSTER;

/// Whose machines they are and what they use.
#[derive(Debug)]
struct Machines<'a> {
    cluster: &'a str,
    /// `aws`, `aws-cn` …: the first part of an ARN.
    partition: &'a str,
    /// `s3://bucket/prefix`, when the store is one that machines of AWS read by their role.
    state_store: Option<&'a str>,
    /// How many zones they keep the records of.
    zones: usize,
    /// Whether they pull from the account's registry.
    registry: bool,
}

/// What machines of an identity may do because of what they are in a cluster; nothing for an identity of none. Zones are
/// written as [`slot`]s.
pub(crate) fn statements(
    spec: &Identity,
    extension: &AwsIdentity,
    scope: &Scope,
    partition: &str,
) -> Result<Vec<Value>> {
    let Some(identity) = spec.extensions.get::<ClusterIdentity>()? else { return Ok(Vec::new()) };
    let machines = Machines {
        cluster: scope.name(),
        partition,
        state_store: identity.state_store.as_deref(),
        zones: extension.dns_zones.len(),
        registry: extension.container_registry,
    };
    machines.statements(identity.role)
}

impl Machines<'_> {
    /// The statements that a role needs; none for a bastion.
    fn statements(&self, role: MachineRole) -> Result<Vec<Value>> {
        let mut statements = match role {
            MachineRole::ControlPlane => self.control_plane(),
            MachineRole::Node => vec![allow(NODE_LOOKS, "*")],
            MachineRole::Bastion => return Ok(Vec::new()),
        };
        statements.extend(self.store(role)?);
        if self.registry {
            statements.push(allow(REGISTRY, "*"));
        }
        if self.zones > 0 {
            statements.extend(self.dns());
        }
        Ok(statements)
    }

    fn control_plane(&self) -> Vec<Value> {
        let arn = |what: &str| format!("arn:{}:ec2:*:*:{what}/*", self.partition);
        let owned = json!({"StringEquals": {format!("aws:ResourceTag/{CLUSTER}"): self.cluster}});
        let made = json!({"StringEquals": {format!("aws:RequestTag/{CLUSTER}"): self.cluster}});
        let tagged = |by: &[&str]| {
            json!({"StringEquals": {
                format!("aws:RequestTag/{CLUSTER}"): self.cluster,
                "ec2:CreateAction": by,
            }})
        };
        // Tags of what is the cluster's change freely, but for the one that says so.
        let kept = json!({
            "StringEquals": {format!("aws:ResourceTag/{CLUSTER}"): self.cluster},
            "Null": {format!("aws:RequestTag/{CLUSTER}"): "true"},
        });
        let disks = json!([arn("volume"), arn("snapshot")]);
        vec![
            allow(LOOKS, "*"),
            under(allow(MAKES, "*"), &made),
            under(allow(CHANGES, "*"), &owned),
            // The group that is made is tagged; the network it is made in need not be the cluster's.
            allow(&["ec2:CreateSecurityGroup"], arn("vpc")),
            // A snapshot is made of a disk, which carries tags of its own.
            under(allow(&["ec2:CreateSnapshot"], arn("volume")), &owned),
            under(allow(&["ec2:CreateTags"], disks.clone()), &tagged(&["CreateVolume", "CreateSnapshot"])),
            under(allow(&["ec2:CreateTags", "ec2:DeleteTags"], disks), &kept),
            under(allow(&["ec2:CreateTags"], arn("security-group")), &tagged(&["CreateSecurityGroup"])),
            under(allow(&["ec2:CreateTags", "ec2:DeleteTags"], arn("security-group")), &kept),
        ]
    }

    fn store(&self, role: MachineRole) -> Result<Vec<Value>> {
        let Some(url) = self.state_store else { return Ok(Vec::new()) };
        // Stores elsewhere are not read by the machine's role.
        let Some(place) = url.strip_prefix("s3://") else { return Ok(Vec::new()) };
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() {
            return Err(Error::invalid(format!("the state store {url:?} names no bucket"))
                .with_hint("it is written s3://bucket/prefix"));
        }
        let prefix = prefix.trim_matches('/');
        let bucket = format!("arn:{}:s3:::{bucket}", self.partition);
        let inside = |path: &str| match prefix {
            "" => format!("{bucket}/{path}"),
            prefix => format!("{bucket}/{prefix}/{path}"),
        };
        let mut statements = vec![allow(BUCKET, bucket.as_str())];
        match role {
            MachineRole::ControlPlane => {
                statements.push(allow(&["s3:Get*"], inside("*")));
                statements.push(allow(BACKUPS, inside("backups/etcd/*")));
            }
            // No keys: a node gets its certificates from the control plane.
            MachineRole::Node => {
                let paths = ["addons/*", "cluster-completed.spec", "igconfig/node/*", "secrets/dockerconfig"];
                statements.push(allow(&["s3:Get*"], json!(paths.map(inside))));
            }
            MachineRole::Bastion => {}
        }
        Ok(statements)
    }

    fn dns(&self) -> Vec<Value> {
        let zone = |zone| format!("arn:{}:route53:::hostedzone/{}", self.partition, slot(zone));
        let zones: Vec<_> = (0..self.zones).map(zone).collect();
        vec![
            allow(ZONE, json!(zones)),
            allow(&["route53:GetChange"], format!("arn:{}:route53:::change/*", self.partition)),
            allow(&["route53:ListHostedZones", "route53:ListHostedZonesByName"], "*"),
        ]
    }
}

fn allow(actions: &[&str], resources: impl Into<Value>) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resources.into()})
}

fn under(mut statement: Value, condition: &Value) -> Value {
    statement["Condition"] = condition.clone();
    statement
}

/// What a control plane looks at: the cloud controllers, the disk driver, the autoscaler.
const LOOKS: &[&str] = &[
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeAutoScalingInstances",
    "autoscaling:DescribeLaunchConfigurations",
    "autoscaling:DescribeScalingActivities",
    "autoscaling:DescribeTags",
    "ec2:DescribeAccountAttributes",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceTopology",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRegions",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSnapshots",
    "ec2:DescribeSubnets",
    "ec2:DescribeTags",
    "ec2:DescribeVolumes",
    "ec2:DescribeVolumesModifications",
    "ec2:DescribeVpcs",
    "ec2:GetInstanceTypesFromInstanceRequirements",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancerAttributes",
    "elasticloadbalancing:DescribeLoadBalancerPolicies",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroupAttributes",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "iam:GetServerCertificate",
    "iam:ListServerCertificates",
    "kms:DescribeKey",
];

/// What it makes, tagged as the cluster's: disks and load balancers of workloads.
const MAKES: &[&str] = &[
    "ec2:CreateSecurityGroup",
    "ec2:CreateSnapshot",
    "ec2:CreateVolume",
    "elasticloadbalancing:CreateListener",
    "elasticloadbalancing:CreateLoadBalancer",
    "elasticloadbalancing:CreateTargetGroup",
];

/// What it does to what is tagged as the cluster's.
const CHANGES: &[&str] = &[
    "autoscaling:CompleteLifecycleAction",
    "autoscaling:SetDesiredCapacity",
    "autoscaling:TerminateInstanceInAutoScalingGroup",
    "ec2:AttachVolume",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:CreateRoute",
    "ec2:DeleteRoute",
    "ec2:DeleteSecurityGroup",
    "ec2:DeleteSnapshot",
    "ec2:DeleteVolume",
    "ec2:DetachVolume",
    "ec2:ModifyInstanceAttribute",
    "ec2:ModifyNetworkInterfaceAttribute",
    "ec2:ModifyVolume",
    "ec2:RevokeSecurityGroupIngress",
    "elasticloadbalancing:AddTags",
    "elasticloadbalancing:ApplySecurityGroupsToLoadBalancer",
    "elasticloadbalancing:AttachLoadBalancerToSubnets",
    "elasticloadbalancing:ConfigureHealthCheck",
    "elasticloadbalancing:CreateLoadBalancerListeners",
    "elasticloadbalancing:CreateLoadBalancerPolicy",
    "elasticloadbalancing:DeleteListener",
    "elasticloadbalancing:DeleteLoadBalancer",
    "elasticloadbalancing:DeleteLoadBalancerListeners",
    "elasticloadbalancing:DeleteTargetGroup",
    "elasticloadbalancing:DeregisterInstancesFromLoadBalancer",
    "elasticloadbalancing:DeregisterTargets",
    "elasticloadbalancing:DetachLoadBalancerFromSubnets",
    "elasticloadbalancing:ModifyListener",
    "elasticloadbalancing:ModifyLoadBalancerAttributes",
    "elasticloadbalancing:ModifyTargetGroup",
    "elasticloadbalancing:ModifyTargetGroupAttributes",
    "elasticloadbalancing:RegisterInstancesWithLoadBalancer",
    "elasticloadbalancing:RegisterTargets",
    "elasticloadbalancing:SetLoadBalancerPoliciesForBackendServer",
    "elasticloadbalancing:SetLoadBalancerPoliciesOfListener",
    "elasticloadbalancing:SetSecurityGroups",
    "elasticloadbalancing:SetSubnets",
];

/// What a node looks at: itself, to know its name and its types' limits.
const NODE_LOOKS: &[&str] = &["ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeRegions"];

/// What reading from a registry takes.
const REGISTRY: &[&str] = &[
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:DescribeRepositories",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
    "ecr:GetRepositoryPolicy",
    "ecr:ListImages",
];

/// What finding things in a bucket takes.
const BUCKET: &[&str] =
    &["s3:GetBucketLocation", "s3:GetEncryptionConfiguration", "s3:ListBucket", "s3:ListBucketVersions"];

/// What etcd's backups take.
const BACKUPS: &[&str] = &["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject", "s3:PutObject"];

/// What keeping a zone's records takes.
const ZONE: &[&str] =
    &["route53:ChangeResourceRecordSets", "route53:GetHostedZone", "route53:ListResourceRecordSets"];

#[cfg(test)]
mod tests {
    use super::*;

    fn machines() -> Machines<'static> {
        Machines {
            cluster: "ha.example.com",
            partition: "aws",
            state_store: Some("s3://store/ha.example.com/"),
            zones: 0,
            registry: false,
        }
    }

    fn statements(role: MachineRole) -> Vec<Value> {
        machines().statements(role).unwrap()
    }

    fn actions(statement: &Value) -> Vec<&str> {
        statement["Action"].as_array().unwrap().iter().map(|action| action.as_str().unwrap()).collect()
    }

    #[test]
    fn whatever_a_control_plane_changes_carries_the_clusters_tag() {
        for statement in statements(MachineRole::ControlPlane) {
            let changes = actions(&statement).into_iter().find(|action| {
                let verb = action.split_once(':').unwrap().1;
                !["Describe", "List", "Get"].iter().any(|read| verb.starts_with(read))
            });
            let Some(action) = changes else { continue };
            let free = statement["Resource"].to_string();
            let bounded = statement["Condition"].to_string().contains("ha.example.com")
                || free.contains("store/ha.example.com/")
                || (action == "ec2:CreateSecurityGroup" && free.contains(":vpc/"));
            assert!(bounded, "{statement}");
        }
    }

    #[test]
    fn a_node_reads_no_keys_and_changes_nothing() {
        let node = statements(MachineRole::Node);
        assert!(!node.iter().any(|statement| statement["Resource"].to_string().contains("pki")));
        let every = node.iter().flat_map(actions);
        for action in every {
            let verb = action.split_once(':').unwrap().1;
            assert!(
                verb.starts_with("Describe") || verb.starts_with("Get") || verb.starts_with("List"),
                "{action}"
            );
        }
    }

    #[test]
    fn a_bastion_may_do_nothing() {
        assert_eq!(statements(MachineRole::Bastion), Vec::<Value>::new());
    }

    #[test]
    fn a_store_elsewhere_needs_no_permission_and_one_without_bucket_is_refused() {
        let elsewhere = Machines { state_store: Some("file:///tmp/store"), ..machines() };
        assert_eq!(elsewhere.statements(MachineRole::Node).unwrap().len(), 1);
        let broken = Machines { state_store: Some("s3:///x"), ..machines() };
        assert!(broken.statements(MachineRole::Node).unwrap_err().to_string().contains("names no bucket"));
    }
}
