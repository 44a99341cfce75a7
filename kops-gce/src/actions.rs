//! The permissions of this crate's calls, by kind: the source of rate limits and of the permission check.
//!
//! A call is named after its permission: `compute.networks.create`. Further permissions in a list are
//! required as well (`use` of objects that a new one refers to), see the method's page in
//! <https://cloud.google.com/compute/docs/reference/rest/v1>. In debug builds,
//! [`Clients::call`](crate::clients::Clients::call) asserts that a call is listed, so the table cannot become
//! outdated.

use kops_core::cloud::Actions;

/// The kind under which the permissions on single machines of groups are listed.
pub(crate) const MACHINES: &str = "Machines";
/// The kind under which those on the state store are listed.
pub(crate) const STATE_STORE: &str = "StateStore";
/// Operations are read for every kind of Compute Engine.
pub(crate) const OPERATIONS: &str = "Operations";

/// All actions.
pub(crate) const ALL: &[Actions] = &[
    Actions {
        kind: OPERATIONS,
        read: &[
            "compute.globalOperations.list",
            "compute.regionOperations.list",
            "compute.zoneOperations.list",
        ],
        write: &[],
    },
    Actions {
        kind: "GceNetwork",
        read: &["compute.networks.list"],
        write: &["compute.networks.create", "compute.networks.update", "compute.networks.delete"],
    },
    Actions {
        kind: "Subnetwork",
        read: &["compute.subnetworks.list"],
        write: &[
            "compute.subnetworks.create",
            "compute.subnetworks.update",
            "compute.subnetworks.setPrivateIpGoogleAccess",
            "compute.subnetworks.delete",
            "compute.networks.updatePolicy",
        ],
    },
    Actions {
        kind: "GceFirewall",
        // The host project of a shared VPC, which has the rules, is read from the project.
        read: &["compute.firewalls.list", "compute.projects.get"],
        write: &[
            "compute.firewalls.create",
            "compute.firewalls.update",
            "compute.firewalls.delete",
            "compute.networks.updatePolicy",
        ],
    },
    Actions {
        kind: "Router",
        read: &["compute.routers.list", "compute.routers.get"],
        write: &[
            "compute.routers.create",
            "compute.routers.update",
            "compute.routers.delete",
            "compute.networks.updatePolicy",
        ],
    },
    Actions {
        kind: "GceAddress",
        read: &["compute.addresses.list"],
        write: &[
            "compute.addresses.create",
            "compute.addresses.createInternal",
            "compute.addresses.setLabels",
            "compute.addresses.delete",
            "compute.addresses.deleteInternal",
            "compute.subnetworks.use",
        ],
    },
    Actions { kind: "Zone", read: &["compute.zones.list"], write: &[] },
    Actions {
        kind: "MachineType",
        read: &["compute.machineTypes.list", "compute.machineTypes.get"],
        write: &[],
    },
    Actions { kind: "Image", read: &["compute.images.get", "compute.images.getFromFamily"], write: &[] },
    Actions {
        kind: "Disk",
        read: &["compute.disks.list"],
        write: &[
            "compute.disks.create",
            "compute.disks.resize",
            "compute.disks.update",
            "compute.disks.setLabels",
            "compute.disks.delete",
        ],
    },
    Actions {
        kind: "InstanceTemplate",
        read: &["compute.instanceTemplates.list"],
        write: &[
            "compute.instanceTemplates.create",
            "compute.instanceTemplates.delete",
            // Required of whoever creates machines that run under a service account.
            "iam.serviceAccounts.actAs",
        ],
    },
    Actions {
        kind: "InstanceGroupManager",
        read: &["compute.instanceGroupManagers.list"],
        write: &[
            "compute.instanceGroupManagers.create",
            "compute.instanceGroupManagers.update",
            "compute.instanceGroupManagers.delete",
            "compute.instanceGroups.create",
            "compute.instanceGroups.delete",
            "compute.instanceTemplates.useReadOnly",
            "compute.instances.create",
            "compute.instances.delete",
            "compute.disks.create",
            "compute.subnetworks.use",
            "compute.subnetworks.useExternalIp",
        ],
    },
    Actions {
        kind: "GceInstance",
        read: &["compute.instances.list"],
        write: &[
            "compute.instances.create",
            "compute.instances.setLabels",
            "compute.instances.setTags",
            "compute.instances.setMetadata",
            "compute.instances.setServiceAccount",
            "compute.instances.addAccessConfig",
            "compute.instances.deleteAccessConfig",
            "compute.instances.delete",
            "compute.addresses.use",
            "compute.disks.create",
            "compute.subnetworks.use",
            "compute.subnetworks.useExternalIp",
            "iam.serviceAccounts.actAs",
        ],
    },
    Actions {
        kind: "UnmanagedInstanceGroup",
        read: &["compute.instanceGroups.list", "compute.instanceGroups.listInstances"],
        write: &[
            "compute.instanceGroups.create",
            "compute.instanceGroups.update",
            "compute.instanceGroups.delete",
            "compute.instances.use",
        ],
    },
    Actions {
        kind: "RegionHealthCheck",
        read: &["compute.regionHealthChecks.list"],
        write: &[
            "compute.regionHealthChecks.create",
            "compute.regionHealthChecks.update",
            "compute.regionHealthChecks.delete",
        ],
    },
    Actions {
        kind: "BackendService",
        read: &["compute.regionBackendServices.list"],
        write: &[
            "compute.regionBackendServices.create",
            "compute.regionBackendServices.update",
            "compute.regionBackendServices.delete",
            "compute.instanceGroups.use",
            "compute.regionHealthChecks.useReadOnly",
        ],
    },
    Actions {
        kind: "ForwardingRule",
        read: &["compute.forwardingRules.list"],
        write: &[
            "compute.forwardingRules.create",
            "compute.forwardingRules.setLabels",
            "compute.forwardingRules.delete",
            "compute.regionBackendServices.use",
            "compute.addresses.use",
            "compute.addresses.useInternal",
            "compute.subnetworks.use",
        ],
    },
    Actions {
        kind: "ServiceAccount",
        read: &["iam.serviceAccounts.list"],
        write: &["iam.serviceAccounts.create", "iam.serviceAccounts.update", "iam.serviceAccounts.delete"],
    },
    Actions {
        kind: "ProjectIamBinding",
        read: &["resourcemanager.projects.getIamPolicy", "iam.serviceAccounts.list"],
        write: &["resourcemanager.projects.setIamPolicy"],
    },
    Actions {
        kind: "ManagedZone",
        read: &["dns.managedZones.list"],
        write: &[
            "dns.managedZones.create",
            "dns.managedZones.update",
            "dns.managedZones.delete",
            "dns.networks.bindPrivateDNSZone",
        ],
    },
    Actions {
        kind: "ManagedZoneNetwork",
        read: &["dns.managedZones.list", "compute.networks.list"],
        write: &["dns.managedZones.update", "dns.networks.bindPrivateDNSZone"],
    },
    Actions {
        kind: "ResourceRecordSet",
        read: &["dns.managedZones.list", "dns.resourceRecordSets.list"],
        write: &[
            "dns.changes.create",
            "dns.resourceRecordSets.create",
            "dns.resourceRecordSets.update",
            "dns.resourceRecordSets.delete",
        ],
    },
    Actions {
        kind: "UnmanagedObject",
        // Read only when everything is deleted.
        read: &[
            "compute.projects.get",
            "compute.networks.list",
            "compute.instanceGroupManagers.list",
            "compute.instances.list",
            "compute.disks.list",
            "compute.firewalls.list",
            "compute.routes.list",
            "compute.forwardingRules.list",
            "compute.targetPools.list",
            "compute.addresses.list",
            "compute.httpHealthChecks.list",
            "compute.healthChecks.list",
            "compute.regionBackendServices.list",
            "compute.instanceGroups.list",
        ],
        write: &[
            "compute.firewalls.delete",
            "compute.routes.delete",
            "compute.forwardingRules.delete",
            "compute.targetPools.delete",
            "compute.addresses.delete",
            "compute.regionBackendServices.delete",
            "compute.httpHealthChecks.delete",
            "compute.healthChecks.delete",
            "compute.instanceGroups.delete",
            "compute.disks.delete",
            "compute.networks.updatePolicy",
        ],
    },
    Actions {
        kind: MACHINES,
        read: &[
            "compute.instances.list",
            "compute.instanceGroupManagers.list",
            "compute.instanceGroupManagers.get",
        ],
        write: &[
            "compute.instanceGroupManagers.update",
            "compute.instances.setLabels",
            "compute.instances.delete",
        ],
    },
    Actions {
        kind: STATE_STORE,
        read: &["storage.objects.list", "storage.objects.get"],
        write: &["storage.objects.create", "storage.objects.delete"],
    },
];

/// Calls that are not named after their permission: testing one's own permissions needs none.
pub(crate) const WITHOUT: &[&str] = &["resourcemanager.projects.testIamPermissions"];

/// Whether a call is read-only.
pub(crate) fn read_only(call: &str) -> bool {
    let verb = call.rsplit('.').next().unwrap_or_default();
    ["get", "list", "test"].iter().any(|look| verb.starts_with(look))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_looks_and_what_writes_does_not() {
        for actions in ALL {
            assert!(actions.read.iter().all(|call| read_only(call)), "{}", actions.kind);
            assert!(!actions.write.iter().any(|call| read_only(call)), "{}", actions.kind);
        }
    }
}
