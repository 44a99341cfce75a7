//! Parts of a machine: volumes, identity, user data, purchase options.

use crate::spec::schema::{Opaque, spec};

spec! {
    /// The root volume of a machine.
    pub struct RootVolumeSpec {
        /// The size in GiB.
        size: Option<i32> => "size",
        /// The cloud's volume type.
        r#type: Option<String> => "type",
        /// The provisioned I/O operations per second.
        iops: Option<i32> => "iops",
        /// The provisioned throughput in MiB per second.
        throughput: Option<i32> => "throughput",
        /// Whether it is encrypted.
        encryption: Option<bool> => "encryption",
        /// The key it is encrypted with.
        encryption_key: Option<String> => "encryptionKey",
        /// Whether the machine is EBS-optimised.
        optimization: Option<bool> => "optimization",
        /// Whether it is deleted with the machine.
        delete_on_termination: Option<bool> => "deleteOnTermination",
    }
}

spec! {
    /// An additional volume.
    pub struct VolumeSpec {
        /// The device name.
        device: String => "device",
        /// The size in GiB.
        size: Option<i64> => "size",
        /// The cloud's volume type.
        r#type: Option<String> => "type",
        /// The provisioned I/O operations per second.
        iops: Option<i64> => "iops",
        /// The provisioned throughput in MiB per second.
        throughput: Option<i64> => "throughput",
        /// Whether it is encrypted.
        encrypted: Option<bool> => "encrypted",
        /// The key it is encrypted with.
        key: Option<String> => "key",
        /// Whether it is deleted with the machine.
        delete_on_termination: Option<bool> => "deleteOnTermination",
    }
}

spec! {
    /// The mount point of a volume.
    pub struct VolumeMount {
        /// The device name.
        device: String => "device",
        /// The file system.
        filesystem: Option<String> => "filesystem",
        /// Options for creating the file system.
        format_options: Vec<String> => "formatOptions",
        /// Mount options.
        mount_options: Vec<String> => "mountOptions",
        /// The mount point.
        path: String => "path",
    }
}

spec! {
    /// An existing identity.
    pub struct IamProfile {
        /// The ARN of an instance profile (AWS).
        profile: Option<String> => "profile",
    }
}

spec! {
    /// Access of machines to the metadata service.
    pub struct InstanceMetadataOptions {
        /// The maximum number of network hops.
        http_put_response_hop_limit: Option<i64> => "httpPutResponseHopLimit",
        /// Whether a token is `required` or `optional`.
        http_tokens: Option<String> => "httpTokens",
    }
}

spec! {
    /// Several machine types in one group, on-demand and spot (AWS).
    pub struct MixedInstancesPolicy {
        /// The machine types.
        instances: Vec<String> => "instances",
        /// The required properties of machine types, instead of their names.
        instance_requirements: Option<InstanceRequirements> => "instanceRequirements",
        /// The allocation strategy of on-demand machines.
        on_demand_allocation_strategy: Option<String> => "onDemandAllocationStrategy",
        /// The minimum number of on-demand machines.
        on_demand_base: Option<i64> => "onDemandBase",
        /// The percentage of on-demand machines above that minimum.
        on_demand_above_base: Option<i64> => "onDemandAboveBase",
        /// The allocation strategy of spot machines.
        spot_allocation_strategy: Option<String> => "spotAllocationStrategy",
        /// The number of spot pools to use.
        spot_instance_pools: Option<i64> => "spotInstancePools",
    }
}

spec! {
    /// Required properties of machine types.
    pub struct InstanceRequirements {
        /// The number of vCPUs.
        cpu: Option<MinMax> => "cpu",
        /// The memory.
        memory: Option<MinMax> => "memory",
        /// Machine types to exclude.
        excluded_instance_types: Vec<String> => "excludedInstanceTypes",
    }
}

spec! {
    /// A range of a quantity.
    pub struct MinMax {
        /// The minimum.
        min: Option<Opaque> => "min",
        /// The maximum.
        max: Option<Opaque> => "max",
    }
}

spec! {
    /// One part of the user data.
    pub struct UserData {
        /// Its name.
        name: String => "name",
        /// Its MIME type.
        r#type: String => "type",
        /// Its content.
        content: String => "content",
    }
}

spec! {
    /// An existing load balancer.
    pub struct ExternalLoadBalancer {
        /// A classic load balancer, by name.
        load_balancer_name: Option<String> => "loadBalancerName",
        /// A target group, by ARN.
        target_group_arn: Option<String> => "targetGroupArn",
    }
}

spec! {
    /// Accelerators of a machine (GCE).
    pub struct GuestAccelerator {
        /// The number of accelerators.
        accelerator_count: Option<i64> => "acceleratorCount",
        /// The accelerator type.
        accelerator_type: Option<String> => "acceleratorType",
    }
}
