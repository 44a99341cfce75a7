//! The types of the specifications.
//!
//! They have the shape of kOps' newer API: settings are grouped by subject (`networking`, `api`,
//! `cloudProvider`) instead of being in one flat list. Documents in other versions are converted when they
//! are read or written (see [`ApiVersion`](super::ApiVersion)). Fields that affect machines and cloud objects
//! are typed; settings of Kubernetes components, which nothing here uses yet, are [`Opaque`](super::Opaque).
//!
//! They mirror kOps' API field by field, so they are plain structs, to be written with `..Default::default()`: they
//! get a field when that API gets one.

mod api;
mod cloud;
mod cluster;
mod etcd;
mod iam;
mod instance_group;
mod instances;
mod keys;
mod networking;

pub use api::{
    AccessLog, Api, ApiDns, ApiLoadBalancer, LoadBalancerClass, LoadBalancerSubnet, LoadBalancerType,
};
pub use cloud::{
    AwsCloud, AzureCloud, CloudConfig, CloudProvider, GceCloud, MemoryCloudSettings, OpenstackBlockStorage,
    OpenstackCloud, OpenstackLoadBalancer, OpenstackMonitor, OpenstackNetwork, OpenstackRouter, OtherCloud,
};
pub use cluster::{Cluster, ClusterSpec, ConfigStore, RollingUpdate, UpdatePolicy, WarmPool};
pub use etcd::{EtcdBackups, EtcdCluster, EtcdManager, EtcdMember};
pub use iam::{AwsPermissions, Iam, ServiceAccountPermission};
pub use instance_group::{InstanceGroup, InstanceGroupSpec, Manager, Role};
pub use instances::{
    ExternalLoadBalancer, GuestAccelerator, IamProfile, InstanceMetadataOptions, InstanceRequirements,
    MinMax, MixedInstancesPolicy, RootVolumeSpec, UserData, VolumeMount, VolumeSpec,
};
pub use keys::{KeyItem, Keyset, KeysetSpec, KeysetType, SecretText, SshCredential, SshCredentialSpec};
pub use networking::{
    AccessSource, Bastion, BastionLoadBalancer, DnsType, Networking, RouteSpec, SubnetSpec, SubnetType,
    Topology,
};
