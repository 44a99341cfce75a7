//! The permissions of a cluster's machines: the policies of their roles.
//!
//! Least privilege by tags. Everything the control plane creates must be tagged with the cluster's name, and
//! everything it changes must carry that tag; only reads are unrestricted, because AWS's `Describe` calls
//! have no resource-level permissions. In the state store, control planes read everything of their cluster and write
//! what they agree upon, and nodes read their bundles, the program and the join object, and write their own status;
//! nobody deletes anything but backups. Bastions have no permissions, and get no policy at all.
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
    /// Whether they pull images of other registries through it.
    registry_caches: bool,
    /// Whether their network plugin gives pods addresses of the network.
    interfaces: bool,
    /// Whether their network plugin sends packets with the addresses of pods.
    passes_packets: bool,
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
        registry_caches: extension.registry_caches,
        interfaces: extension.network_interfaces,
        passes_packets: extension.source_dest_check,
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
        if self.registry_caches {
            statements.push(allow(REGISTRY_CACHES, "*"));
        }
        if self.interfaces {
            // Interfaces are not all tagged as the cluster's: neither program can be told to for the first of a machine.
            statements.push(allow(INTERFACES, "*"));
            statements.push(allow(&["ec2:CreateTags"], self.arn("network-interface")));
        }
        if self.passes_packets && role == MachineRole::Node {
            statements.push(under(allow(SOURCE_DEST_CHECK, "*"), &self.owned()));
        }
        if self.zones > 0 {
            statements.extend(self.dns());
        }
        Ok(statements)
    }

    /// All objects of a type in EC2.
    fn arn(&self, what: &str) -> String {
        format!("arn:{}:ec2:*:*:{what}/*", self.partition)
    }

    /// The condition that an object is the cluster's.
    fn owned(&self) -> Value {
        json!({"StringEquals": {format!("aws:ResourceTag/{CLUSTER}"): self.cluster}})
    }

    /// The condition that a key is used by way of services: EC2 for disks, S3 for the state store.
    fn by_way_of(&self, services: &[&str]) -> Value {
        let domain = if self.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        let services: Vec<_> = services.iter().map(|service| format!("{service}.*.{domain}")).collect();
        json!({"StringLike": {"kms:ViaService": services}})
    }

    fn control_plane(&self) -> Vec<Value> {
        let arn = |what: &str| self.arn(what);
        let owned = self.owned();
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
            // So does the snapshot that a disk is created from.
            under(allow(&["ec2:CreateVolume"], arn("snapshot")), &owned),
            under(allow(&["ec2:CreateTags"], disks.clone()), &tagged(&["CreateVolume", "CreateSnapshot"])),
            under(allow(&["ec2:CreateTags", "ec2:DeleteTags"], disks), &kept),
            under(allow(&["ec2:CreateTags"], arn("security-group")), &tagged(&["CreateSecurityGroup"])),
            under(allow(&["ec2:CreateTags", "ec2:DeleteTags"], arn("security-group")), &kept),
            // Which keys these are is left to the policies of keys: those of disks are named in storage classes.
            under(allow(&["kms:CreateGrant"], "*"), &json!({"Bool": {"kms:GrantIsForAWSResource": "true"}})),
            under(allow(KEYS, "*"), &self.by_way_of(&["ec2", "s3"])),
            // The first load balancer of an account creates this role, on behalf of who creates the balancer.
            under(
                allow(&["iam:CreateServiceLinkedRole"], "*"),
                &json!({"StringEquals": {"iam:AWSServiceName": "elasticloadbalancing.amazonaws.com"}}),
            ),
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
        let all = |paths: &[&str]| json!(paths.iter().map(|path| inside(path)).collect::<Vec<_>>());
        Ok(match role {
            // S3 denies what is not there to whoever may not list: without listing, no cluster would ever begin.
            MachineRole::ControlPlane => vec![
                allow(BUCKET, bucket.as_str()),
                allow(&["s3:GetObject"], inside("*")),
                allow(&["s3:PutObject"], all(&["backups/*", "control-plane/*", "join/*", "machines/*"])),
                allow(&["s3:DeleteObject"], inside("backups/*")),
            ],
            // No keys: a node gets its certificate from the control plane. No listing.
            MachineRole::Node => vec![
                allow(&["s3:GetObject"], all(&["igconfig/node/*", "join/nodes", "kops-node/*"])),
                allow(&["s3:PutObject"], inside("machines/*")),
                // The bucket may be encrypted with its owner's key; then every object written needs a new data key.
                under(allow(&["kms:Decrypt", "kms:GenerateDataKey"], "*"), &self.by_way_of(&["s3"])),
            ],
            MachineRole::Bastion => Vec::new(),
        })
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

/// The permissions to pull from other registries through it: the first pull of an image creates a repository.
const REGISTRY_CACHES: &[&str] =
    &["ecr:BatchImportUpstreamImage", "ecr:CreateRepository", "ecr:ReplicateImage", "ecr:TagResource"];

/// What network plugins that give pods addresses of the network do.
const INTERFACES: &[&str] = &[
    "ec2:AssignPrivateIpAddresses",
    "ec2:AttachNetworkInterface",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeTags",
    "ec2:DescribeVpcs",
    "ec2:DetachNetworkInterface",
    "ec2:ModifyNetworkInterfaceAttribute",
    "ec2:UnassignPrivateIpAddresses",
];

/// What plugins without tunnels do on each machine: AWS drops packets with other addresses than the machine's, unless
/// its source/destination check is off.
const SOURCE_DEST_CHECK: &[&str] = &["ec2:ModifyInstanceAttribute", "ec2:ModifyNetworkInterfaceAttribute"];

/// What is done with the keys of disks and of the state store.
const KEYS: &[&str] =
    &["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"];

/// The permissions to list a bucket.
const BUCKET: &[&str] = &["s3:GetBucketLocation", "s3:ListBucket"];

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
            registry_caches: false,
            interfaces: false,
            passes_packets: false,
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
            let condition = statement["Condition"].to_string();
            let bounded = condition.contains("ha.example.com")
                || ["kms:ViaService", "kms:GrantIsForAWSResource", "iam:AWSServiceName"]
                    .iter()
                    .any(|bound| condition.contains(bound))
                || free.contains("store/ha.example.com/")
                || (action == "ec2:CreateSecurityGroup" && free.contains(":vpc/"));
            assert!(bounded, "{statement}");
        }
    }

    /// The objects of the store that a role may do something with.
    fn objects(role: MachineRole, action: &str) -> Vec<String> {
        let all = statements(role);
        let some = all.iter().filter(|it| actions(it).contains(&action));
        let resources = some.flat_map(|it| match &it["Resource"] {
            Value::Array(items) => items.clone(),
            one => vec![one.clone()],
        });
        let at = "arn:aws:s3:::store/ha.example.com/";
        resources.map(|it| it.as_str().unwrap().strip_prefix(at).unwrap().to_owned()).collect()
    }

    #[test]
    fn a_node_reads_what_is_for_nodes_and_writes_its_status() {
        assert_eq!(
            objects(MachineRole::Node, "s3:GetObject"),
            ["igconfig/node/*", "join/nodes", "kops-node/*"]
        );
        assert_eq!(objects(MachineRole::Node, "s3:PutObject"), ["machines/*"]);
        for action in statements(MachineRole::Node).iter().flat_map(actions) {
            assert!(
                action.starts_with("ec2:Describe")
                    || ["kms:Decrypt", "kms:GenerateDataKey", "s3:GetObject", "s3:PutObject"]
                        .contains(&action),
                "{action}"
            );
        }
    }

    /// Whether statements allow an action under a condition that contains these texts.
    fn allows(statements: &[Value], action: &str, conditions: &[&str]) -> bool {
        statements.iter().any(|statement| {
            let condition = statement["Condition"].to_string();
            actions(statement).contains(&action) && conditions.iter().all(|it| condition.contains(it))
        })
    }

    #[test]
    fn disks_and_the_store_may_be_encrypted_with_keys_of_the_owners() {
        let control_plane = statements(MachineRole::ControlPlane);
        assert!(allows(&control_plane, "kms:CreateGrant", &["kms:GrantIsForAWSResource"]));
        for action in KEYS {
            assert!(allows(&control_plane, action, &["kms:ViaService", "ec2.*.", "s3.*."]), "{action}");
        }
        let node = statements(MachineRole::Node);
        for action in ["kms:Decrypt", "kms:GenerateDataKey"] {
            assert!(allows(&node, action, &["kms:ViaService", "s3.*."]), "{action}");
            assert!(!allows(&node, action, &["ec2.*."]), "disks are attached by the service");
        }
        assert!(!allows(&node, "kms:CreateGrant", &[]) && !allows(&node, "kms:Encrypt", &[]));
        let china = Machines { partition: "aws-cn", ..machines() }.statements(MachineRole::Node).unwrap();
        assert!(allows(&china, "kms:Decrypt", &["s3.*.amazonaws.com.cn"]));
    }

    #[test]
    fn the_first_load_balancer_and_disks_of_snapshots_can_be_made() {
        let control_plane = statements(MachineRole::ControlPlane);
        let service = ["iam:AWSServiceName", "elasticloadbalancing.amazonaws.com"];
        assert!(allows(&control_plane, "iam:CreateServiceLinkedRole", &service));
        let of_snapshot = control_plane.iter().find(|statement| {
            actions(statement) == ["ec2:CreateVolume"]
                && statement["Resource"].to_string().contains(":snapshot/")
        });
        assert!(of_snapshot.unwrap()["Condition"].to_string().contains("aws:ResourceTag/KubernetesCluster"));
    }

    #[test]
    fn network_plugins_may_do_what_they_do_and_others_may_not() {
        let native = Machines { interfaces: true, ..machines() };
        for role in [MachineRole::ControlPlane, MachineRole::Node] {
            let with = native.statements(role).unwrap();
            assert!(INTERFACES.iter().all(|action| allows(&with, action, &[])));
            assert!(!allows(&statements(role), "ec2:CreateNetworkInterface", &[]));
        }
        let without_tunnels = Machines { passes_packets: true, ..machines() };
        let node = without_tunnels.statements(MachineRole::Node).unwrap();
        for action in SOURCE_DEST_CHECK {
            assert!(allows(&node, action, &["aws:ResourceTag/KubernetesCluster"]), "{action}");
            assert!(!allows(&statements(MachineRole::Node), action, &[]), "{action}");
        }
    }

    #[test]
    fn the_registry_makes_repositories_only_as_a_cache() {
        let cached = Machines { registry: true, registry_caches: true, ..machines() };
        for action in REGISTRY_CACHES {
            assert!(allows(&cached.statements(MachineRole::Node).unwrap(), action, &[]), "{action}");
            let plain = Machines { registry: true, ..machines() };
            assert!(!allows(&plain.statements(MachineRole::Node).unwrap(), action, &[]), "{action}");
        }
    }

    #[test]
    fn a_control_plane_reads_all_of_its_cluster_and_deletes_backups_only() {
        let role = MachineRole::ControlPlane;
        assert_eq!(objects(role, "s3:GetObject"), ["*"]);
        assert_eq!(objects(role, "s3:PutObject"), ["backups/*", "control-plane/*", "join/*", "machines/*"]);
        assert_eq!(objects(role, "s3:DeleteObject"), ["backups/*"]);
        assert!(statements(role).iter().flat_map(actions).all(|it| it != "s3:*"));
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
