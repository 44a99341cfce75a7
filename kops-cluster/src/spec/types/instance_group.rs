//! A group of like machines.

use std::collections::BTreeMap;

use super::{
    ExternalLoadBalancer, GuestAccelerator, IamProfile, InstanceMetadataOptions, MixedInstancesPolicy,
    RollingUpdate, RootVolumeSpec, UpdatePolicy, UserData, VolumeMount, VolumeSpec, WarmPool,
};
use crate::spec::meta::{CLUSTER_LABEL, ObjectMeta};
use crate::spec::schema::{Opaque, choice, spec};

spec! {
    /// A group of like machines.
    pub struct InstanceGroup {
        /// Name, labels and history.
        metadata: ObjectMeta => "metadata",
        /// What it should be.
        spec: InstanceGroupSpec => "spec",
    }
}

impl InstanceGroup {
    /// A group of that name, role and cluster, with nothing else specified.
    pub fn named(name: impl Into<String>, role: Role, cluster: &str) -> Self {
        let mut group = Self { metadata: ObjectMeta::named(name), ..Self::default() };
        group.metadata.labels.insert(CLUSTER_LABEL.to_owned(), cluster.to_owned());
        group.spec.role = Some(role);
        group
    }

    /// The name, unique in its cluster.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// What its machines do; a node is what a group is that does not say.
    pub fn role(&self) -> Role {
        self.spec.role.unwrap_or(Role::Node)
    }

    /// Whether its machines run the control plane.
    pub fn is_control_plane(&self) -> bool {
        self.role() == Role::ControlPlane
    }

    /// Whether its machines are bastions.
    pub fn is_bastion(&self) -> bool {
        self.role() == Role::Bastion
    }
}

choice! {
    /// What the machines of a group do.
    pub enum Role {
        /// They run the control plane.
        ControlPlane => "ControlPlane",
        /// They run what users run.
        Node => "Node",
        /// They let SSH in.
        Bastion => "Bastion",
        /// They run API servers without etcd.
        ApiServer => "APIServer",
        /// They run etcd alone.
        Etcd => "Etcd",
        /// They run the scheduler alone.
        Scheduler => "Scheduler",
        /// They run the controller manager alone.
        KubeControllerManager => "KubeControllerManager",
    }
}

choice! {
    /// Who makes and ends the machines of a group.
    pub enum Manager {
        /// The cloud's own group.
        CloudGroup => "CloudGroup",
        /// Karpenter.
        Karpenter => "Karpenter",
    }
}

spec! {
    /// What a group of machines should be.
    pub struct InstanceGroupSpec {
        /// What its machines do.
        role: Option<Role> => "role",
        /// Who makes and ends its machines.
        manager: Option<Manager> => "manager",
        /// The image: an id, or the form of the cloud (`owner/name` on AWS).
        image: Option<String> => "image",
        /// The kind of machine.
        machine_type: Option<String> => "machineType",
        /// How many machines at least.
        min_size: Option<i32> => "minSize",
        /// How many machines at most.
        max_size: Option<i32> => "maxSize",
        /// Whether the cluster autoscaler may change its size.
        autoscale: Option<bool> => "autoscale",
        /// The priority the autoscaler gives it.
        autoscale_priority: Option<i32> => "autoscalePriority",
        /// The names of its subnets.
        subnets: Vec<String> => "subnets",
        /// Its zones, where subnets are regional.
        zones: Vec<String> => "zones",
        /// The disk that machines start from.
        root_volume: Option<RootVolumeSpec> => "rootVolume",
        /// Further disks.
        volumes: Vec<VolumeSpec> => "volumes",
        /// Where disks are mounted.
        volume_mounts: Vec<VolumeMount> => "volumeMounts",
        /// Labels of its nodes.
        node_labels: BTreeMap<String, String> => "nodeLabels",
        /// Taints of its nodes: `key=value:Effect`.
        taints: Vec<String> => "taints",
        /// Labels for everything it has in the cloud.
        cloud_labels: BTreeMap<String, String> => "cloudLabels",
        /// Whether its machines have public addresses.
        associate_public_ip: Option<bool> => "associatePublicIP",
        /// Further security groups.
        additional_security_groups: Vec<String> => "additionalSecurityGroups",
        /// A security group of somebody else's to use instead of an own one.
        security_group_override: Option<String> => "securityGroupOverride",
        /// An existing identity to use.
        iam: Option<IamProfile> => "iam",
        /// Several kinds of machines, on demand and spot.
        mixed_instances_policy: Option<MixedInstancesPolicy> => "mixedInstancesPolicy",
        /// The most to pay for a spot machine.
        max_price: Option<String> => "maxPrice",
        /// What happens to a spot machine that is taken back.
        instance_interruption_behavior: Option<String> => "instanceInterruptionBehavior",
        /// Whether spot machines at risk are replaced before they are taken back.
        capacity_rebalance: Option<bool> => "capacityRebalance",
        /// How long spot machines last, in minutes.
        spot_duration_in_minutes: Option<i64> => "spotDurationInMinutes",
        /// Burst credits: `standard` or `unlimited`.
        cpu_credits: Option<String> => "cpuCredits",
        /// Whose hardware: `default`, `dedicated` or `host`.
        tenancy: Option<String> => "tenancy",
        /// How machines may ask the cloud about themselves.
        instance_metadata: Option<InstanceMetadataOptions> => "instanceMetadata",
        /// Whether machines are safe when the group shrinks.
        instance_protection: Option<bool> => "instanceProtection",
        /// Scaling processes that are off.
        suspend_processes: Vec<String> => "suspendProcesses",
        /// Load balancers of somebody else's to stand behind.
        external_load_balancers: Vec<ExternalLoadBalancer> => "externalLoadBalancers",
        /// Whether machines are measured every minute.
        detailed_instance_monitoring: Option<bool> => "detailedInstanceMonitoring",
        /// How long a machine may live.
        max_instance_lifetime: Option<Opaque> => "maxInstanceLifetime",
        /// Further user data.
        additional_user_data: Vec<UserData> => "additionalUserData",
        /// Whether user data is compressed.
        compress_user_data: Option<bool> => "compressUserData",
        /// How machines are replaced.
        rolling_update: Option<RollingUpdate> => "rollingUpdate",
        /// Whether machines update their operating system.
        update_policy: Option<UpdatePolicy> => "updatePolicy",
        /// A pool of stopped machines (AWS).
        warm_pool: Option<WarmPool> => "warmPool",
        /// Accelerators (GCE).
        guest_accelerators: Vec<GuestAccelerator> => "guestAccelerators",
        /// `STANDARD` or `SPOT` (GCE).
        gcp_provisioning_model: Option<String> => "gcpProvisioningModel",
        /// Files for machines.
        file_assets: Option<Opaque> => "fileAssets",
        /// Programs that run as machines start.
        hooks: Option<Opaque> => "hooks",
        /// Packages for machines.
        packages: Vec<String> => "packages",
        /// Kernel settings.
        sysctl_parameters: Vec<String> => "sysctlParameters",
        /// The kubelet.
        kubelet: Option<Opaque> => "kubelet",
        /// containerd.
        containerd: Option<Opaque> => "containerd",
    }
}
