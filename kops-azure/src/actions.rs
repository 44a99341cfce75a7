//! The permissions that each kind needs.

use kops_core::cloud::Actions;

/// Reading, writing and deleting a type of resource.
macro_rules! resource {
    ($kind:literal, $type:literal $(, $more:literal)*) => {
        Actions {
            kind: $kind,
            read: &[concat!($type, "/read")],
            write: &[concat!($type, "/write"), concat!($type, "/delete") $(, $more)*],
        }
    };
}

/// The kind under which the permissions are listed that adopting needs in addition to those of the object's kind.
pub(crate) const ADOPTION: &str = "Adoption";

/// All actions.
///
/// A PUT that refers to another resource needs that resource's `join/action` as well:
/// <https://learn.microsoft.com/en-us/azure/virtual-network/virtual-network-manage-subnet#permissions>.
pub(crate) const ALL: &[Actions] = &[
    Actions {
        kind: ADOPTION,
        read: &[],
        write: &["Microsoft.Resources/tags/read", "Microsoft.Resources/tags/write"],
    },
    Actions {
        kind: "ResourceGroup",
        read: &["Microsoft.Resources/subscriptions/resourceGroups/read"],
        write: &[
            "Microsoft.Resources/subscriptions/resourceGroups/write",
            "Microsoft.Resources/subscriptions/resourceGroups/delete",
            "Microsoft.Resources/subscriptions/resourceGroups/resources/read",
        ],
    },
    resource!(
        "VirtualNetwork",
        "Microsoft.Network/virtualNetworks",
        "Microsoft.Network/virtualNetworks/join/action"
    ),
    resource!(
        "AzureSubnet",
        "Microsoft.Network/virtualNetworks/subnets",
        "Microsoft.Network/virtualNetworks/subnets/join/action"
    ),
    resource!(
        "NetworkSecurityGroup",
        "Microsoft.Network/networkSecurityGroups",
        "Microsoft.Network/networkSecurityGroups/join/action"
    ),
    resource!(
        "ApplicationSecurityGroup",
        "Microsoft.Network/applicationSecurityGroups",
        "Microsoft.Network/applicationSecurityGroups/joinIpConfiguration/action",
        "Microsoft.Network/applicationSecurityGroups/joinNetworkSecurityRule/action"
    ),
    resource!("RouteTable", "Microsoft.Network/routeTables", "Microsoft.Network/routeTables/join/action"),
    resource!(
        "PublicIpAddress",
        "Microsoft.Network/publicIPAddresses",
        "Microsoft.Network/publicIPAddresses/join/action"
    ),
    resource!(
        "AzureNatGateway",
        "Microsoft.Network/natGateways",
        "Microsoft.Network/natGateways/join/action"
    ),
    resource!(
        "AzureLoadBalancer",
        "Microsoft.Network/loadBalancers",
        "Microsoft.Network/loadBalancers/backendAddressPools/join/action"
    ),
    resource!("ManagedDisk", "Microsoft.Compute/disks"),
    resource!("SshPublicKey", "Microsoft.Compute/sshPublicKeys"),
    resource!(
        "VirtualMachineScaleSet",
        "Microsoft.Compute/virtualMachineScaleSets",
        "Microsoft.Compute/virtualMachineScaleSets/delete/action",
        "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read",
        "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/write",
        "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces/read"
    ),
    resource!(
        "UserAssignedIdentity",
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
    ),
    Actions {
        kind: "UnmanagedObject",
        // The listings of other kinds, when everything is deleted.
        read: &[
            "Microsoft.Network/virtualNetworks/read",
            "Microsoft.Network/loadBalancers/read",
            "Microsoft.Network/publicIPAddresses/read",
            "Microsoft.Compute/disks/read",
            "Microsoft.Compute/virtualMachineScaleSets/read",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
        ],
        write: &[
            "Microsoft.Network/loadBalancers/delete",
            "Microsoft.Network/publicIPAddresses/delete",
            "Microsoft.Compute/disks/delete",
        ],
    },
    resource!("RoleAssignment", "Microsoft.Authorization/roleAssignments"),
    Actions {
        kind: "AzureDnsZone",
        read: &["Microsoft.Network/dnszones/read", "Microsoft.Network/privateDnsZones/read"],
        write: &[
            "Microsoft.Network/dnszones/write",
            "Microsoft.Network/dnszones/delete",
            "Microsoft.Network/privateDnsZones/write",
            "Microsoft.Network/privateDnsZones/delete",
        ],
    },
    resource!("VirtualNetworkLink", "Microsoft.Network/privateDnsZones/virtualNetworkLinks"),
    Actions {
        kind: "AzureRecordSet",
        read: &[
            "Microsoft.Network/dnszones/recordsets/read",
            "Microsoft.Network/privateDnsZones/recordsets/read",
        ],
        // By type: there is no permission for records of all types.
        write: &[
            "Microsoft.Network/dnszones/A/write",
            "Microsoft.Network/dnszones/A/delete",
            "Microsoft.Network/dnszones/CNAME/write",
            "Microsoft.Network/dnszones/CNAME/delete",
            "Microsoft.Network/dnszones/TXT/write",
            "Microsoft.Network/dnszones/TXT/delete",
            "Microsoft.Network/privateDnsZones/A/write",
            "Microsoft.Network/privateDnsZones/A/delete",
            "Microsoft.Network/privateDnsZones/CNAME/write",
            "Microsoft.Network/privateDnsZones/CNAME/delete",
            "Microsoft.Network/privateDnsZones/TXT/write",
            "Microsoft.Network/privateDnsZones/TXT/delete",
        ],
    },
    Actions {
        kind: "Image",
        read: &[
            "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/versions/read",
            "Microsoft.Compute/images/read",
            "Microsoft.Compute/galleries/images/versions/read",
        ],
        write: &[],
    },
    Actions { kind: "VmSize", read: &["Microsoft.Compute/skus/read"], write: &[] },
    Actions { kind: "AzureZone", read: &["Microsoft.Compute/skus/read"], write: &[] },
];
