//! Flags for a single cloud, with kOps' names.

use clap::Args;
use kops_core::{Error, Result};

/// Flags for a single cloud.
#[derive(Debug, Default, Args)]
pub(crate) struct ProviderFlags {
    /// External network, by name or identifier; by default the only one.
    #[arg(long, value_name = "NETWORK", help_heading = "OpenStack")]
    os_ext_net: Option<String>,
    /// Name servers of machines; by default the cloud's own.
    #[arg(long, value_name = "ADDRESSES", help_heading = "OpenStack")]
    os_dns_servers: Option<String>,
    /// Subnet of the external network for the router's address.
    #[arg(long, value_name = "SUBNET", help_heading = "OpenStack")]
    os_ext_subnet: Option<String>,
    /// Subnet of the external network for the addresses of load balancers.
    #[arg(long, value_name = "SUBNET", help_heading = "OpenStack")]
    os_lb_floating_subnet: Option<String>,
    /// Existing network to use.
    #[arg(long, value_name = "ID", conflicts_with = "network_id", help_heading = "OpenStack")]
    pub(crate) os_network: Option<String>,
    /// Load balancers are Octavia's.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL",
          help_heading = "OpenStack")]
    os_octavia: Option<bool>,
    /// Octavia's provider: octavia, ovn, …
    #[arg(long, value_name = "PROVIDER", help_heading = "OpenStack")]
    os_octavia_provider: Option<String>,
    /// Volumes may be in other availability zones than their machines.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL",
          help_heading = "OpenStack")]
    os_kubelet_ignore_az: Option<bool>,
    /// Service account of the machines; by default one of the cluster's own.
    #[arg(long, value_name = "EMAIL", help_heading = "GCE")]
    gce_service_account: Option<String>,
    /// Subscription.
    #[arg(long, value_name = "ID", help_heading = "Azure")]
    azure_subscription_id: Option<String>,
    /// Tenant.
    #[arg(long, value_name = "ID", help_heading = "Azure")]
    azure_tenant_id: Option<String>,
    /// Resource group; by default one of the cluster's own.
    #[arg(long, value_name = "NAME", help_heading = "Azure")]
    azure_resource_group_name: Option<String>,
    /// Route table.
    #[arg(long, value_name = "NAME", help_heading = "Azure")]
    azure_route_table_name: Option<String>,
    /// User that may log in to machines.
    #[arg(long, value_name = "USER", help_heading = "Azure")]
    azure_admin_user: Option<String>,
}

impl ProviderFlags {
    /// The changes that the flags make to the specification, as `path=value`.
    ///
    /// # Errors
    /// `Invalid` if a flag is for another cloud.
    pub(crate) fn changes(&self, cloud: &str) -> Result<Vec<String>> {
        let word = |switch: Option<bool>| switch.map(|switch| switch.to_string());
        let (octavia, ignore_zone) = (word(self.os_octavia), word(self.os_kubelet_ignore_az));
        let flags = [
            ("os-ext-subnet", &self.os_ext_subnet, "openstack", "router.externalSubnet"),
            (
                "os-lb-floating-subnet",
                &self.os_lb_floating_subnet,
                "openstack",
                "loadbalancer.floatingSubnet",
            ),
            ("os-octavia", &octavia, "openstack", "loadbalancer.useOctavia"),
            ("os-octavia-provider", &self.os_octavia_provider, "openstack", "loadbalancer.provider"),
            ("os-kubelet-ignore-az", &ignore_zone, "openstack", "blockStorage.ignore-volume-az"),
            ("azure-route-table-name", &self.azure_route_table_name, "azure", "routeTableName"),
            ("os-ext-net", &self.os_ext_net, "openstack", "router.externalNetwork"),
            ("os-dns-servers", &self.os_dns_servers, "openstack", "router.dnsServers"),
            ("gce-service-account", &self.gce_service_account, "gce", "serviceAccount"),
            ("azure-subscription-id", &self.azure_subscription_id, "azure", "subscriptionID"),
            ("azure-tenant-id", &self.azure_tenant_id, "azure", "tenantID"),
            ("azure-resource-group-name", &self.azure_resource_group_name, "azure", "resourceGroupName"),
            ("azure-admin-user", &self.azure_admin_user, "azure", "adminUser"),
        ];
        if self.os_network.is_some() && cloud != "openstack" {
            return Err(Error::invalid(format!(
                "--os-network is for openstack, but the cluster is on {cloud}"
            ))
            .with_hint("use --network-id"));
        }
        let mut changes = Vec::new();
        for (flag, value, of, field) in flags {
            let Some(value) = value else { continue };
            if of != cloud {
                return Err(Error::invalid(format!("--{flag} is for {of}, but the cluster is on {cloud}"))
                    .with_hint("remove it"));
            }
            changes.push(format!("spec.cloudProvider.{of}.{field}={value}"));
        }
        Ok(changes)
    }
}
