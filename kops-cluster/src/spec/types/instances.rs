//! Parts of a machine: disks, identity, user data, what it may be bought as.

use crate::spec::schema::{Opaque, spec};

spec! {
    /// The disk that a machine starts from.
    pub struct RootVolumeSpec {
        /// The size in GiB.
        size: Option<i32> => "size",
        /// The cloud's volume type.
        r#type: Option<String> => "type",
        /// The input/output operations a second.
        iops: Option<i32> => "iops",
        /// The throughput in MiB a second.
        throughput: Option<i32> => "throughput",
        /// Whether it is encrypted.
        encryption: Option<bool> => "encryption",
        /// The key it is encrypted with.
        encryption_key: Option<String> => "encryptionKey",
        /// Whether the machine has a path of its own to its disks.
        optimization: Option<bool> => "optimization",
        /// Whether the disk ends with the machine.
        delete_on_termination: Option<bool> => "deleteOnTermination",
    }
}

spec! {
    /// A further disk.
    pub struct VolumeSpec {
        /// The name of the device.
        device: String => "device",
        /// The size in GiB.
        size: Option<i64> => "size",
        /// The cloud's volume type.
        r#type: Option<String> => "type",
        /// The input/output operations a second.
        iops: Option<i64> => "iops",
        /// The throughput in MiB a second.
        throughput: Option<i64> => "throughput",
        /// Whether it is encrypted.
        encrypted: Option<bool> => "encrypted",
        /// The key it is encrypted with.
        key: Option<String> => "key",
        /// Whether it ends with the machine.
        delete_on_termination: Option<bool> => "deleteOnTermination",
    }
}

spec! {
    /// Where a disk is mounted.
    pub struct VolumeMount {
        /// The name of the device.
        device: String => "device",
        /// The file system.
        filesystem: Option<String> => "filesystem",
        /// How it is made.
        format_options: Vec<String> => "formatOptions",
        /// How it is mounted.
        mount_options: Vec<String> => "mountOptions",
        /// Where.
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
    /// How machines may ask the cloud about themselves.
    pub struct InstanceMetadataOptions {
        /// Over how many hops.
        http_put_response_hop_limit: Option<i64> => "httpPutResponseHopLimit",
        /// Whether a token is `required` or `optional`.
        http_tokens: Option<String> => "httpTokens",
    }
}

spec! {
    /// Several kinds of machines in one group, on demand and spot (AWS).
    pub struct MixedInstancesPolicy {
        /// The kinds.
        instances: Vec<String> => "instances",
        /// What a kind must have, instead of naming kinds.
        instance_requirements: Option<InstanceRequirements> => "instanceRequirements",
        /// How kinds are chosen on demand.
        on_demand_allocation_strategy: Option<String> => "onDemandAllocationStrategy",
        /// How many are on demand in any case.
        on_demand_base: Option<i64> => "onDemandBase",
        /// Which share of the others is on demand, in percent.
        on_demand_above_base: Option<i64> => "onDemandAboveBase",
        /// How kinds are chosen among spot machines.
        spot_allocation_strategy: Option<String> => "spotAllocationStrategy",
        /// From how many pools spot machines come.
        spot_instance_pools: Option<i64> => "spotInstancePools",
    }
}

spec! {
    /// What a kind of machine must have.
    pub struct InstanceRequirements {
        /// Processors.
        cpu: Option<MinMax> => "cpu",
        /// Memory.
        memory: Option<MinMax> => "memory",
        /// Kinds that are out.
        excluded_instance_types: Vec<String> => "excludedInstanceTypes",
    }
}

spec! {
    /// Bounds of a quantity.
    pub struct MinMax {
        /// At least.
        min: Option<Opaque> => "min",
        /// At most.
        max: Option<Opaque> => "max",
    }
}

spec! {
    /// A part of the user data.
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
    /// A load balancer of somebody else's.
    pub struct ExternalLoadBalancer {
        /// A classic one, by name.
        load_balancer_name: Option<String> => "loadBalancerName",
        /// A target group, by ARN.
        target_group_arn: Option<String> => "targetGroupArn",
    }
}

spec! {
    /// Accelerators of a machine (GCE).
    pub struct GuestAccelerator {
        /// How many.
        accelerator_count: Option<i64> => "acceleratorCount",
        /// Which.
        accelerator_type: Option<String> => "acceleratorType",
    }
}
