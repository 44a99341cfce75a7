//! Flags that mean something on one cloud only, called as kOps calls them.

use clap::Args;
use kops_core::{Error, Result};

/// What one cloud alone understands.
#[derive(Debug, Default, Args)]
pub(crate) struct ProviderFlags {
    /// The network that leads to the internet, by name or identifier; the only one unless given.
    #[arg(long, value_name = "NETWORK", help_heading = "OpenStack")]
    os_ext_net: Option<String>,
    /// Name servers for machines; the cloud's own unless given.
    #[arg(long, value_name = "ADDRESSES", help_heading = "OpenStack")]
    os_dns_servers: Option<String>,
    /// The service account of the machines; one of the cluster's own unless given.
    #[arg(long, value_name = "EMAIL", help_heading = "GCE")]
    gce_service_account: Option<String>,
    /// The subscription.
    #[arg(long, value_name = "ID", help_heading = "Azure")]
    azure_subscription_id: Option<String>,
    /// The tenant.
    #[arg(long, value_name = "ID", help_heading = "Azure")]
    azure_tenant_id: Option<String>,
    /// The resource group; one of the cluster's own unless given.
    #[arg(long, value_name = "NAME", help_heading = "Azure")]
    azure_resource_group_name: Option<String>,
    /// The user that may log in to machines.
    #[arg(long, value_name = "USER", help_heading = "Azure")]
    azure_admin_user: Option<String>,
}

impl ProviderFlags {
    /// What the flags set in the specification, as `path=value`.
    ///
    /// # Errors
    /// `Invalid` when one is for another cloud.
    pub(crate) fn changes(&self, cloud: &str) -> Result<Vec<String>> {
        let flags = [
            ("os-ext-net", &self.os_ext_net, "openstack", "router.externalNetwork"),
            ("os-dns-servers", &self.os_dns_servers, "openstack", "router.dnsServers"),
            ("gce-service-account", &self.gce_service_account, "gce", "serviceAccount"),
            ("azure-subscription-id", &self.azure_subscription_id, "azure", "subscriptionID"),
            ("azure-tenant-id", &self.azure_tenant_id, "azure", "tenantID"),
            ("azure-resource-group-name", &self.azure_resource_group_name, "azure", "resourceGroupName"),
            ("azure-admin-user", &self.azure_admin_user, "azure", "adminUser"),
        ];
        let mut changes = Vec::new();
        for (flag, value, of, field) in flags {
            let Some(value) = value else { continue };
            if of != cloud {
                return Err(Error::invalid(format!("--{flag} is for {of}, and the cluster is on {cloud}"))
                    .with_hint("leave it out"));
            }
            changes.push(format!("spec.cloudProvider.{of}.{field}={value}"));
        }
        Ok(changes)
    }
}
