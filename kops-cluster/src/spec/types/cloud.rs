//! The cloud of the cluster, and the settings of that cloud.

use serde::{Deserialize, Serialize};

use super::{SecretText, WarmPool};
use crate::spec::schema::{Field, Opaque, Schema, Shape, spec};

/// The cloud, with its settings: in documents an object with the cloud's name as its only field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "a cluster has one, and boxes would be part of the API")]
pub enum CloudProvider {
    /// Amazon Web Services.
    #[serde(rename = "aws")]
    Aws(AwsCloud),
    /// Microsoft Azure.
    #[serde(rename = "azure")]
    Azure(AzureCloud),
    /// Google Compute Engine.
    #[serde(rename = "gce")]
    Gce(GceCloud),
    /// OpenStack.
    #[serde(rename = "openstack")]
    Openstack(OpenstackCloud),
    /// The in-memory cloud, for trying things out.
    #[serde(rename = "memory")]
    Memory(MemoryCloudSettings),
    /// DigitalOcean.
    #[serde(rename = "digitalocean")]
    DigitalOcean(OtherCloud),
    /// Hetzner Cloud.
    #[serde(rename = "hetzner")]
    Hetzner(OtherCloud),
    /// Linode.
    #[serde(rename = "linode")]
    Linode(OtherCloud),
    /// Machines without a cloud.
    #[serde(rename = "metal")]
    Metal(OtherCloud),
    /// Scaleway.
    #[serde(rename = "scaleway")]
    Scaleway(OtherCloud),
}

impl CloudProvider {
    /// The cloud's name in documents and on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Aws(_) => "aws",
            Self::Azure(_) => "azure",
            Self::Gce(_) => "gce",
            Self::Openstack(_) => "openstack",
            Self::Memory(_) => "memory",
            Self::DigitalOcean(_) => "digitalocean",
            Self::Hetzner(_) => "hetzner",
            Self::Linode(_) => "linode",
            Self::Metal(_) => "metal",
            Self::Scaleway(_) => "scaleway",
        }
    }

    /// A cloud by its name, without settings; `None` if kOps knows no such cloud.
    pub fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "aws" => Self::Aws(AwsCloud::default()),
            "azure" => Self::Azure(AzureCloud::default()),
            "gce" => Self::Gce(GceCloud::default()),
            "openstack" => Self::Openstack(OpenstackCloud::default()),
            "memory" => Self::Memory(MemoryCloudSettings::default()),
            "digitalocean" => Self::DigitalOcean(OtherCloud::default()),
            "hetzner" => Self::Hetzner(OtherCloud::default()),
            "linode" => Self::Linode(OtherCloud::default()),
            "metal" => Self::Metal(OtherCloud::default()),
            "scaleway" => Self::Scaleway(OtherCloud::default()),
            _ => return None,
        })
    }

    /// The settings for AWS, if that is the cloud.
    pub fn aws(&self) -> Option<&AwsCloud> {
        if let Self::Aws(settings) = self { Some(settings) } else { None }
    }

    /// The settings for Azure, if that is the cloud.
    pub fn azure(&self) -> Option<&AzureCloud> {
        if let Self::Azure(settings) = self { Some(settings) } else { None }
    }

    /// The settings for GCE, if that is the cloud.
    pub fn gce(&self) -> Option<&GceCloud> {
        if let Self::Gce(settings) = self { Some(settings) } else { None }
    }

    /// The settings for OpenStack, if that is the cloud.
    pub fn openstack(&self) -> Option<&OpenstackCloud> {
        if let Self::Openstack(settings) = self { Some(settings) } else { None }
    }

    /// The existing identity of all machines, if the settings name one.
    pub fn machine_identity(&self) -> Option<&str> {
        self.gce()?.service_account.as_deref()
    }
}

impl Schema for CloudProvider {
    const SHAPE: &'static Shape = &Shape::OneOf(&[
        Field { name: "aws", shape: AwsCloud::SHAPE },
        Field { name: "azure", shape: AzureCloud::SHAPE },
        Field { name: "gce", shape: GceCloud::SHAPE },
        Field { name: "openstack", shape: OpenstackCloud::SHAPE },
        Field { name: "memory", shape: MemoryCloudSettings::SHAPE },
        Field { name: "digitalocean", shape: OtherCloud::SHAPE },
        Field { name: "hetzner", shape: OtherCloud::SHAPE },
        Field { name: "linode", shape: OtherCloud::SHAPE },
        Field { name: "metal", shape: OtherCloud::SHAPE },
        Field { name: "scaleway", shape: OtherCloud::SHAPE },
    ]);
}

spec! {
    /// Settings for AWS.
    pub struct AwsCloud {
        /// The EBS volume driver.
        ebs_csi_driver: Option<Opaque> => "ebsCSIDriver",
        /// The node termination handler.
        node_termination_handler: Option<Opaque> => "nodeTerminationHandler",
        /// The AWS Load Balancer Controller, which provisions load balancers for services.
        load_balancer_controller: Option<Opaque> => "loadBalancerController",
        /// The webhook that gives pods an identity.
        pod_identity_webhook: Option<Opaque> => "podIdentityWebhook",
        /// Warm pools, for every group without settings of its own.
        warm_pool: Option<WarmPool> => "warmPool",
        /// The address families of nodes: `ipv4`, `ipv6`.
        node_ip_families: Vec<String> => "nodeIPFamilies",
        /// Whether security groups of services' load balancers are left unmanaged.
        disable_security_group_ingress: Option<bool> => "disableSecurityGroupIngress",
        /// A security group for all load balancers of services.
        elb_security_group: Option<String> => "elbSecurityGroup",
        /// Who manages the security groups of network load balancers of services.
        nlb_security_group_mode: Option<String> => "nlbSecurityGroupMode",
        /// Whether nodes are named after their addresses.
        use_ip_based_node_names: Option<bool> => "useIPBasedNodeNames",
        /// Spot.io: the product.
        spotinst_product: Option<String> => "spotinstProduct",
        /// Spot.io: how machines are chosen.
        spotinst_orientation: Option<String> => "spotinstOrientation",
        /// The location of the binaries of the cloud's credential provider.
        binaries_location: Option<String> => "binariesLocation",
    }
}

spec! {
    /// Settings for GCE.
    pub struct GceCloud {
        /// The project.
        project: Option<String> => "project",
        /// The service account of the machines.
        service_account: Option<String> => "serviceAccount",
        /// Whether the cluster's nodes are in several zones.
        multizone: Option<bool> => "multizone",
        /// The network tag of nodes.
        node_tags: Option<String> => "nodeTags",
        /// The prefix of the names of nodes.
        node_instance_prefix: Option<String> => "nodeInstancePrefix",
        /// The persistent disk driver.
        pd_csi_driver: Option<Opaque> => "pdCSIDriver",
        /// Whether machines boot with a startup script.
        use_startup_script: Option<bool> => "useStartupScript",
        /// The location of the binaries of the cloud's credential provider.
        binaries_location: Option<String> => "binariesLocation",
    }
}

spec! {
    /// Settings for Azure.
    pub struct AzureCloud {
        /// The subscription.
        subscription_id: Option<String> => "subscriptionID",
        /// The storage account for blobs.
        storage_account_id: Option<String> => "storageAccountID",
        /// The tenant.
        tenant_id: Option<String> => "tenantID",
        /// The resource group.
        resource_group_name: Option<String> => "resourceGroupName",
        /// The route table.
        route_table_name: Option<String> => "routeTableName",
        /// The name of the administrator account.
        admin_user: Option<String> => "adminUser",
    }
}

spec! {
    /// Settings for OpenStack.
    pub struct OpenstackCloud {
        /// Load balancer settings.
        loadbalancer: Option<OpenstackLoadBalancer> => "loadbalancer",
        /// Health monitor settings of load balancers.
        monitor: Option<OpenstackMonitor> => "monitor",
        /// The router.
        router: Option<OpenstackRouter> => "router",
        /// Volume settings.
        block_storage: Option<OpenstackBlockStorage> => "blockStorage",
        /// Whether TLS certificates of the cloud's API are not verified.
        insecure_skip_verify: Option<bool> => "insecureSkipVerify",
        /// Network settings.
        network: Option<OpenstackNetwork> => "network",
        /// Metadata service settings.
        metadata: Option<Opaque> => "metadata",
    }
}

spec! {
    /// OpenStack's load balancers.
    pub struct OpenstackLoadBalancer {
        /// The load balancing method: `ROUND_ROBIN`, …
        method: Option<String> => "method",
        /// The driver: `octavia`, `ovn`, …
        provider: Option<String> => "provider",
        /// Whether Octavia is used.
        use_octavia: Option<bool> => "useOctavia",
        /// The network of floating IP addresses, by name.
        floating_network: Option<String> => "floatingNetwork",
        /// The network of floating IP addresses, by id.
        floating_network_id: Option<String> => "floatingNetworkID",
        /// The subnet of floating IP addresses.
        floating_subnet: Option<String> => "floatingSubnet",
        /// The subnet of the load balancers.
        subnet_id: Option<String> => "subnetID",
        /// Their flavor.
        flavor_id: Option<String> => "flavorID",
        /// Whether security groups of services' load balancers are managed.
        manage_security_groups: Option<bool> => "manageSecurityGroups",
        /// Whether services get a host name instead of an address.
        enable_ingress_hostname: Option<bool> => "enableIngressHostname",
        /// The suffix of such host names.
        ingress_hostname_suffix: Option<String> => "ingressHostnameSuffix",
    }
}

spec! {
    /// Health monitors of OpenStack's load balancers.
    pub struct OpenstackMonitor {
        /// The interval between checks.
        delay: Option<String> => "delay",
        /// The timeout of a check.
        timeout: Option<String> => "timeout",
        /// The number of failed checks after which a member is unhealthy.
        max_retries: Option<i64> => "maxRetries",
    }
}

spec! {
    /// OpenStack's router.
    pub struct OpenstackRouter {
        /// Its external network.
        external_network: Option<String> => "externalNetwork",
        /// The subnet of the external network.
        external_subnet: Option<String> => "externalSubnet",
        /// The DNS servers of the subnets, separated by commas.
        dns_servers: Option<String> => "dnsServers",
        /// The availability zones in which it should run.
        availability_zone_hints: Vec<String> => "availabilityZoneHints",
    }
}

spec! {
    /// OpenStack's volumes.
    pub struct OpenstackBlockStorage {
        /// The version of the block storage API.
        version: Option<String> => "bs-version",
        /// Whether volumes of any availability zone are accepted.
        ignore_az: Option<bool> => "ignore-volume-az",
        /// The availability zone of volumes, instead of the machine's.
        override_az: Option<String> => "override-volume-az",
        /// The cluster's name for the CSI driver.
        cluster_name: Option<String> => "clusterName",
        /// Whether the CSI driver creates a storage class.
        create_storage_class: Option<bool> => "createStorageClass",
        /// Whether the CSI driver serves metrics.
        metrics_enabled: Option<bool> => "metricsEnabled",
        /// Whether the microversion of the compute API is not checked.
        ignore_volume_microversion: Option<bool> => "ignoreVolumeMicroVersion",
        /// The image of the CSI driver.
        csi_plugin_image: Option<String> => "csiPluginImage",
        /// Whether the CSI driver supports topology.
        csi_topology_support: Option<bool> => "csiTopologySupport",
    }
}

spec! {
    /// OpenStack's networks.
    pub struct OpenstackNetwork {
        /// The availability zones in which networks should be created.
        availability_zone_hints: Vec<String> => "availabilityZoneHints",
        /// Whether IPv6 is disabled.
        ipv6_support_disabled: Option<bool> => "ipv6SupportDisabled",
        /// The networks with public addresses.
        public_network_names: Vec<String> => "publicNetworkNames",
        /// The networks with internal addresses.
        internal_network_names: Vec<String> => "internalNetworkNames",
        /// The order in which addresses are preferred.
        address_sort_order: Option<String> => "addressSortOrder",
    }
}

spec! {
    /// Settings for the in-memory cloud; there are none.
    pub struct MemoryCloudSettings {
    }
}

spec! {
    /// Settings for a cloud that this project does not support: preserved as they are.
    pub struct OtherCloud {
    }
}

spec! {
    /// Settings that several clouds share.
    pub struct CloudConfig {
        /// Whether storage classes are managed.
        manage_storage_classes: Option<bool> => "manageStorageClasses",
        /// vSphere's server, in specifications of older versions.
        vsphere_server: Option<String> => "vSphereServer",
        /// vSphere's user, in specifications of older versions.
        vsphere_username: Option<String> => "vSphereUsername",
        /// vSphere's password, in specifications of older versions.
        vsphere_password: Option<SecretText> => "vSpherePassword",
        /// vSphere's data center, in specifications of older versions.
        vsphere_datacenter: Option<String> => "vSphereDatacenter",
        /// vSphere's resource pool, in specifications of older versions.
        vsphere_resource_pool: Option<String> => "vSphereResourcePool",
        /// vSphere's data store, in specifications of older versions.
        vsphere_datastore: Option<String> => "vSphereDatastore",
        /// The DNS server of clusters on vSphere, in specifications of older versions.
        vsphere_core_dns_server: Option<String> => "vSphereCoreDNSServer",
    }
}
