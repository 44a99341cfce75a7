//! A group of identical machines.

use std::collections::BTreeMap;

use super::{
    ExternalLoadBalancer, GuestAccelerator, IamProfile, InstanceMetadataOptions, MixedInstancesPolicy,
    RollingUpdate, RootVolumeSpec, UpdatePolicy, UserData, VolumeMount, VolumeSpec, WarmPool,
};
use crate::spec::duration::GoDuration;
use crate::spec::meta::{CLUSTER_LABEL, ObjectMeta};
use crate::spec::schema::{Opaque, choice, spec};

spec! {
    /// A group of identical machines.
    pub struct InstanceGroup {
        /// Name, labels and history.
        metadata: ObjectMeta => "metadata",
        /// The desired state.
        spec: InstanceGroupSpec => "spec",
    }
}

impl InstanceGroup {
    /// A group with a name, role and cluster, and nothing else specified.
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

    /// The role of its machines; by default `Node`.
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
    /// The role of a group's machines.
    pub enum Role {
        /// Control plane.
        ControlPlane => "ControlPlane",
        /// Workloads.
        Node => "Node",
        /// SSH bastion.
        Bastion => "Bastion",
        /// API servers without etcd.
        ApiServer => "APIServer",
        /// etcd only.
        Etcd => "Etcd",
        /// Scheduler only.
        Scheduler => "Scheduler",
        /// Controller manager only.
        KubeControllerManager => "KubeControllerManager",
    }
}

choice! {
    /// Who creates and terminates the machines of a group.
    pub enum Manager {
        /// The cloud's own group.
        CloudGroup => "CloudGroup",
        /// Karpenter.
        Karpenter => "Karpenter",
    }
}

spec! {
    /// The desired state of an instance group.
    pub struct InstanceGroupSpec {
        /// The role of its machines.
        role: Option<Role> => "role",
        /// Who creates and terminates its machines.
        manager: Option<Manager> => "manager",
        /// The image: an id, or a cloud-specific form (`owner/name` on AWS).
        image: Option<String> => "image",
        /// The machine type.
        machine_type: Option<String> => "machineType",
        /// The minimum number of machines.
        min_size: Option<i32> => "minSize",
        /// The maximum number of machines.
        max_size: Option<i32> => "maxSize",
        /// Whether the cluster autoscaler may change its size.
        autoscale: Option<bool> => "autoscale",
        /// Its priority for the cluster autoscaler.
        autoscale_priority: Option<i32> => "autoscalePriority",
        /// The names of its subnets.
        subnets: Vec<String> => "subnets",
        /// Its zones, on clouds with regional subnets.
        zones: Vec<String> => "zones",
        /// The root volume.
        root_volume: Option<RootVolumeSpec> => "rootVolume",
        /// Additional volumes.
        volumes: Vec<VolumeSpec> => "volumes",
        /// Mount points of volumes.
        volume_mounts: Vec<VolumeMount> => "volumeMounts",
        /// Labels of its nodes.
        node_labels: BTreeMap<String, String> => "nodeLabels",
        /// Taints of its nodes: `key=value:Effect`.
        taints: Vec<String> => "taints",
        /// Labels for all its objects in the cloud.
        cloud_labels: BTreeMap<String, String> => "cloudLabels",
        /// Whether its machines have public addresses.
        associate_public_ip: Option<bool> => "associatePublicIP",
        /// Additional security groups.
        additional_security_groups: Vec<String> => "additionalSecurityGroups",
        /// An existing security group to use instead of creating one.
        security_group_override: Option<String> => "securityGroupOverride",
        /// An existing identity to use.
        iam: Option<IamProfile> => "iam",
        /// Several machine types, on-demand and spot (AWS).
        mixed_instances_policy: Option<MixedInstancesPolicy> => "mixedInstancesPolicy",
        /// The maximum price of a spot machine.
        max_price: Option<String> => "maxPrice",
        /// What happens to a spot machine that is interrupted.
        instance_interruption_behavior: Option<String> => "instanceInterruptionBehavior",
        /// Whether spot machines at risk are replaced before they are interrupted.
        capacity_rebalance: Option<bool> => "capacityRebalance",
        /// The duration of spot machines, in minutes.
        spot_duration_in_minutes: Option<i64> => "spotDurationInMinutes",
        /// Burst credits: `standard` or `unlimited`.
        cpu_credits: Option<String> => "cpuCredits",
        /// The tenancy: `default`, `dedicated` or `host`.
        tenancy: Option<String> => "tenancy",
        /// Access of machines to the metadata service.
        instance_metadata: Option<InstanceMetadataOptions> => "instanceMetadata",
        /// Whether machines are protected from scale-in.
        instance_protection: Option<bool> => "instanceProtection",
        /// Scaling processes to suspend.
        suspend_processes: Vec<String> => "suspendProcesses",
        /// Existing load balancers to attach the machines to.
        external_load_balancers: Vec<ExternalLoadBalancer> => "externalLoadBalancers",
        /// Whether machines are monitored in one-minute intervals.
        detailed_instance_monitoring: Option<bool> => "detailedInstanceMonitoring",
        /// The maximum lifetime of a machine; zero means that there is no limit.
        max_instance_lifetime: Option<GoDuration> => "maxInstanceLifetime",
        /// Additional user data.
        additional_user_data: Vec<UserData> => "additionalUserData",
        /// Whether user data is compressed.
        compress_user_data: Option<bool> => "compressUserData",
        /// The rolling update settings.
        rolling_update: Option<RollingUpdate> => "rollingUpdate",
        /// Whether machines update their operating system.
        update_policy: Option<UpdatePolicy> => "updatePolicy",
        /// The warm pool (AWS).
        warm_pool: Option<WarmPool> => "warmPool",
        /// Accelerators (GCE).
        guest_accelerators: Vec<GuestAccelerator> => "guestAccelerators",
        /// `STANDARD` or `SPOT` (GCE).
        gcp_provisioning_model: Option<String> => "gcpProvisioningModel",
        /// Files to write on machines.
        file_assets: Option<Opaque> => "fileAssets",
        /// Units to run when machines boot.
        hooks: Option<Opaque> => "hooks",
        /// Packages to install on machines.
        packages: Vec<String> => "packages",
        /// Kernel parameters.
        sysctl_parameters: Vec<String> => "sysctlParameters",
        /// The kubelet.
        kubelet: Option<Opaque> => "kubelet",
        /// containerd.
        containerd: Option<Opaque> => "containerd",
    }
}
