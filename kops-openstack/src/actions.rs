//! The calls that this crate makes, by kind: the source of access rules and of the permission check.
//!
//! A call is written as in errors, `GET network/ports`, with `*` for an identifier. In debug builds,
//! [`Clients::request`](crate::clients::Clients::request) asserts that a call is listed, so the table cannot
//! become outdated.

use kops_core::cloud::Actions;

use crate::access_rules::matches;

/// The kind under which the calls for single machines of groups are listed.
pub(crate) const MACHINES: &str = "Machines";
/// The kind under which those of the state store are listed.
pub(crate) const STATE_STORE: &str = "StateStore";

/// A collection of Networking: listed, created, tagged, deleted.
macro_rules! network {
    ($kind:literal, $path:literal $(, $more:literal)*) => {
        Actions {
            kind: $kind,
            read: &[concat!("GET network/", $path)],
            write: &[
                concat!("POST network/", $path),
                concat!("GET network/", $path, "/*/tags"),
                concat!("PUT network/", $path, "/*/tags"),
                concat!("DELETE network/", $path, "/*")
                $(, $more)*
            ],
        }
    };
}

/// A collection of the load balancing service: listed, created, updated, and read before it is deleted.
macro_rules! balancing {
    ($kind:literal, $path:literal $(, $more:literal)*) => {
        Actions {
            kind: $kind,
            read: &[concat!("GET load-balancer/", $path)],
            write: &[
                concat!("POST load-balancer/", $path),
                concat!("GET load-balancer/", $path, "/*"),
                concat!("PUT load-balancer/", $path, "/*"),
                concat!("DELETE load-balancer/", $path, "/*")
                $(, $more)*
            ],
        }
    };
}

/// All actions.
pub(crate) const ALL: &[Actions] = &[
    Actions {
        kind: "ApplicationCredential",
        read: &["GET identity/users/*/application_credentials"],
        write: &[
            "POST identity/users/*/application_credentials",
            "DELETE identity/users/*/application_credentials/*",
            "DELETE identity/users/*/access_rules/*",
            "GET object-store/*/**",
            "PUT object-store/*/**",
            "DELETE object-store/*/**",
        ],
    },
    Actions { kind: "TempUrlKey", read: &[], write: &["HEAD object-store/*", "POST object-store/*"] },
    network!("NeutronNetwork", "networks"),
    network!("NeutronSubnet", "subnets", "PUT network/subnets/*"),
    network!("Router", "routers", "PUT network/routers/*"),
    Actions {
        kind: "RouterInterface",
        read: &["GET network/ports", "GET network/routers", "GET network/subnets"],
        write: &[
            "PUT network/routers/*/add_router_interface",
            "PUT network/routers/*/remove_router_interface",
        ],
    },
    network!("SecurityGroup", "security-groups"),
    Actions {
        kind: "SecurityGroupRules",
        read: &["GET network/security-groups"],
        write: &["POST network/security-group-rules", "DELETE network/security-group-rules/*"],
    },
    network!("NeutronPort", "ports", "PUT network/ports/*"),
    network!("FloatingIp", "floatingips", "PUT network/floatingips/*"),
    Actions {
        kind: "KeyPair",
        read: &["GET compute/os-keypairs"],
        write: &["POST compute/os-keypairs", "DELETE compute/os-keypairs/*"],
    },
    Actions {
        kind: "ServerGroup",
        read: &["GET compute/os-server-groups"],
        write: &["POST compute/os-server-groups", "DELETE compute/os-server-groups/*"],
    },
    Actions {
        kind: "NovaServer",
        read: &[
            "GET compute/servers/detail",
            "GET network/ports",
            "GET compute/os-server-groups",
            "GET block-storage/volumes/detail",
        ],
        write: &[
            "POST compute/servers",
            "GET compute/servers/*/metadata",
            "POST compute/servers/*/metadata",
            "POST compute/servers/*/os-volume_attachments",
            "DELETE compute/servers/*/os-volume_attachments/*",
            "DELETE compute/servers/*",
        ],
    },
    Actions {
        kind: "CinderVolume",
        read: &["GET block-storage/volumes/detail"],
        write: &[
            "POST block-storage/volumes",
            "POST block-storage/volumes/*/action",
            "GET block-storage/volumes/*/metadata",
            "POST block-storage/volumes/*/metadata",
            "DELETE block-storage/volumes/*",
        ],
    },
    Actions {
        kind: "VolumeAttachment",
        read: &["GET compute/servers/detail", "GET block-storage/volumes/detail"],
        write: &[
            "POST compute/servers/*/os-volume_attachments",
            "DELETE compute/servers/*/os-volume_attachments/*",
        ],
    },
    // Octavia reads the subnet itself, with the token of the request.
    balancing!("OctaviaLoadBalancer", "lbaas/loadbalancers", "GET network/subnets/*"),
    balancing!("Listener", "lbaas/listeners"),
    balancing!("Pool", "lbaas/pools"),
    Actions {
        kind: "PoolMembers",
        read: &["GET load-balancer/lbaas/pools", "GET load-balancer/lbaas/loadbalancers/*/status"],
        write: &["PUT load-balancer/lbaas/pools/*/members"],
    },
    balancing!("HealthMonitor", "lbaas/healthmonitors"),
    Actions {
        kind: "UnmanagedObject",
        // Read only when everything is deleted.
        read: &[
            "GET load-balancer/lbaas/loadbalancers",
            "GET network/floatingips",
            "GET network/security-groups",
            "GET network/networks",
            "GET network/subnets",
            "GET network/routers",
            "GET network/ports",
            "GET block-storage/volumes/detail",
        ],
        write: &[
            "DELETE load-balancer/lbaas/loadbalancers/*",
            "DELETE network/floatingips/*",
            "DELETE network/security-groups/*",
            "DELETE block-storage/volumes/*",
        ],
    },
    Actions {
        kind: "DesignateZone",
        read: &["GET dns/zones"],
        write: &["POST dns/zones", "GET dns/zones/*", "PATCH dns/zones/*", "DELETE dns/zones/*"],
    },
    Actions {
        kind: "RecordSet",
        read: &["GET dns/zones", "GET dns/recordsets", "GET dns/zones/*/recordsets"],
        write: &[
            "POST dns/zones/*/recordsets",
            "PUT dns/zones/*/recordsets/*",
            "DELETE dns/zones/*/recordsets/*",
        ],
    },
    Actions { kind: "AvailabilityZone", read: &["GET compute/os-availability-zone"], write: &[] },
    Actions { kind: "ExternalNetwork", read: &["GET network/networks"], write: &[] },
    Actions { kind: "Flavor", read: &["GET compute/flavors/detail"], write: &[] },
    Actions { kind: "GlanceImage", read: &["GET image/images"], write: &[] },
    Actions {
        kind: MACHINES,
        read: &["GET compute/servers/detail", "GET network/ports", "GET network/floatingips"],
        write: &[
            "PUT network/ports/*",
            "GET network/ports/*/tags",
            "PUT network/ports/*/tags",
            "POST compute/servers/*/metadata",
            "DELETE compute/servers/*",
            "GET load-balancer/lbaas/pools",
            "GET load-balancer/lbaas/loadbalancers/*/status",
            "DELETE load-balancer/lbaas/pools/*/members/*",
        ],
    },
    Actions {
        kind: STATE_STORE,
        read: &[
            "HEAD object-store/*",
            "GET object-store/*",
            "HEAD object-store/*/**",
            "GET object-store/*/**",
        ],
        write: &["PUT object-store/*/**", "DELETE object-store/*/**"],
    },
];

/// Whether a call is in the table.
pub(crate) fn is_listed(call: &str) -> bool {
    Actions::names(ALL).iter().any(|action| matches(action, call))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_changes_nothing() {
        for action in ALL.iter().flat_map(|row| row.read) {
            assert!(action.starts_with("GET ") || action.starts_with("HEAD "), "{action}");
        }
    }
}
