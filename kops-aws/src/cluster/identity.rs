//! The permissions of a cluster's machines: the policies of their roles.
//!
//! Least privilege by tags. Everything the control plane creates must be tagged with the cluster's name, and
//! everything it changes must carry that tag; only reads are unrestricted, because AWS's `Describe` calls
//! have no resource-level permissions. Nodes may describe themselves and read the files of the state store
//! that are meant for nodes; bastions have no permissions, and get no policy at all.
//!
//! Not granted here, unlike in kOps: the queue of its node termination handler, and roles for single service
//! accounts. Both will come with the features that use them.

use kops_cluster::extensions::{ClusterIdentity, MachineRole};
use kops_core::cloud::Scope;
use kops_core::resource::Identity;
use kops_core::{Error, Result};
use serde_json::{Value, json};

use crate::extensions::AwsIdentity;
use crate::lower::slot;
use crate::tags::CLUSTER;

/// The cluster of the machines, and what they use.
#[derive(Debug)]
struct Machines<'a> {
    cluster: &'a str,
    /// `aws`, `aws-cn`, …: the partition of ARNs.
    partition: &'a str,
    /// `s3://bucket/prefix`, if the state store is one that machines on AWS read with their role.
    state_store: Option<&'a str>,
    /// The number of zones whose records they manage.
    zones: usize,
    /// Whether they pull images from the account's registry.
    registry: bool,
}

/// The statements for an identity's role in a cluster; none for an identity outside of clusters. Zones are
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
        // Tags of the cluster's objects may be changed freely, except for the one that assigns them to the
        // cluster.
        let kept = json!({
            "StringEquals": {format!("aws:ResourceTag/{CLUSTER}"): self.cluster},
            "Null": {format!("aws:RequestTag/{CLUSTER}"): "true"},
        });
        let disks = json!([arn("volume"), arn("snapshot")]);
        vec![
            allow(LOOKS, "*"),
            under(allow(MAKES, "*"), &made),
            under(allow(CHANGES, "*"), &owned),
            // The new group is tagged; the network that contains it need not be the cluster's.
            allow(&["ec2:CreateSecurityGroup"], arn("vpc")),
            // A snapshot is created from a disk, which carries tags of its own.
            under(allow(&["ec2:CreateSnapshot"], arn("volume")), &owned),
            under(allow(&["ec2:CreateTags"], disks.clone()), &tagged(&["CreateVolume", "CreateSnapshot"])),
            under(allow(&["ec2:CreateTags", "ec2:DeleteTags"], disks), &kept),
            under(allow(&["ec2:CreateTags"], arn("security-group")), &tagged(&["CreateSecurityGroup"])),
            under(allow(&["ec2:CreateTags", "ec2:DeleteTags"], arn("security-group")), &kept),
        ]
    }

    fn store(&self, role: MachineRole) -> Result<Vec<Value>> {
        let Some(url) = self.state_store else { return Ok(Vec::new()) };
        // Other stores are not read with the machine's role.
        let Some(place) = url.strip_prefix("s3://") else { return Ok(Vec::new()) };
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() {
            return Err(Error::invalid(format!("the state store {url:?} has no bucket"))
                .with_hint("use s3://bucket/prefix"));
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

/// What a control plane reads: cloud controllers, disk driver, autoscaler.
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

/// What it creates with the cluster's tag: disks and load balancers of workloads.
const MAKES: &[&str] = &[
    "ec2:CreateSecurityGroup",
    "ec2:CreateSnapshot",
    "ec2:CreateVolume",
    "elasticloadbalancing:CreateListener",
    "elasticloadbalancing:CreateLoadBalancer",
    "elasticloadbalancing:CreateTargetGroup",
];

/// What it may do to objects with the cluster's tag.
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

/// What a node reads: itself, for its name and the limits of its machine type.
const NODE_LOOKS: &[&str] = &["ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeRegions"];

/// The permissions to pull from a registry.
const REGISTRY: &[&str] = &[
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:DescribeRepositories",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
    "ecr:GetRepositoryPolicy",
    "ecr:ListImages",
];

/// The permissions to list a bucket.
const BUCKET: &[&str] =
    &["s3:GetBucketLocation", "s3:GetEncryptionConfiguration", "s3:ListBucket", "s3:ListBucketVersions"];

/// The permissions for etcd backups.
const BACKUPS: &[&str] = &["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject", "s3:PutObject"];

/// The permissions to manage the records of a zone.
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
        assert!(broken.statements(MachineRole::Node).unwrap_err().to_string().contains("has no bucket"));
    }
}
