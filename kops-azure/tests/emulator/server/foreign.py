"""Objects that a cluster does not own, one of every kind it would make: they must survive whatever is done to it.

Two sets: `plain` belongs to nobody and carries no tags; the other belongs to a *sibling* cluster whose name begins
with the cluster's own (`ha.example.com` and `ha.example.com.au`), tagged the way kOps tags, so that a filter by
prefix or by tag key alone would take it for the cluster's. Each has a resource group of its own, unless a `group` is
given: then both are in that one, beside the cluster's objects.
"""

import hashlib
import uuid

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8vQ0Jm5rjsMfE2TqX1xL0bQ3Jk0VvO2YJg8fJcE2nW other"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


def seed(request, sub, cluster, location="westeurope", group=None):
    """Makes both sets beside `cluster`. `request(method, path, body)` is a call by somebody else."""
    sibling = f"{cluster}.au"
    _make(request, sub, location, "plain", group or "plain", "10.201.0.0/16", {})
    _make(
        request,
        sub,
        location,
        sibling,
        group or sibling,
        "10.202.0.0/16",
        {"KubernetesCluster": sibling, f"kubernetes.io_cluster_{sibling}": "owned"},
    )


def _make(request, sub, location, owner, group, cidr, tags):
    root = f"/subscriptions/{sub.id}/resourceGroups/{group}"
    network = f"{root}/providers/Microsoft.Network"
    compute = f"{root}/providers/Microsoft.Compute"

    def put(path, properties=None, **more):
        body = {"location": location, "tags": tags, **more}
        if properties is not None:
            body["properties"] = properties
        return request("PUT", path, body)

    if sub.group(group) is None:
        put(root)
    standard = {"name": "Standard"}
    first = put(f"{network}/applicationSecurityGroups/control-plane.{owner}")["id"]
    rules = put(
        f"{network}/networkSecurityGroups/{owner}",
        {"securityRules": [{"name": "ssh", "properties": _rule(first)}]},
    )["id"]
    table = put(
        f"{network}/routeTables/{owner}",
        {"routes": [{"name": "out", "properties": {"addressPrefix": "192.0.2.0/24", "nextHopType": "None"}}]},
    )["id"]
    static = {"publicIPAllocationMethod": "Static"}
    outward = put(f"{network}/publicIPAddresses/nat-{owner}", static, sku=standard)["id"]
    inward = put(f"{network}/publicIPAddresses/api-{owner}", static, sku=standard)["id"]
    nat = put(f"{network}/natGateways/{owner}", {"publicIpAddresses": [{"id": outward}]}, sku=standard)["id"]
    vnet = put(
        f"{network}/virtualNetworks/{owner}",
        {
            "addressSpace": {"addressPrefixes": [cidr]},
            "subnets": [
                {
                    "name": "nodes",
                    "properties": {
                        "addressPrefix": cidr.replace("/16", "/20"),
                        "networkSecurityGroup": {"id": rules},
                        "routeTable": {"id": table},
                        "natGateway": {"id": nat},
                    },
                }
            ],
        },
    )["id"]
    balancer = f"{network}/loadBalancers/api-{owner}"
    put(
        balancer,
        {
            "frontendIPConfigurations": [{"name": "front", "properties": {"publicIPAddress": {"id": inward}}}],
            "backendAddressPools": [{"name": "pool"}],
            "probes": [{"name": "api", "properties": {"protocol": "Tcp", "port": 443}}],
            "loadBalancingRules": [
                {
                    "name": "api",
                    "properties": {
                        "protocol": "Tcp",
                        "frontendPort": 443,
                        "frontendIPConfiguration": {"id": f"{balancer}/frontendIPConfigurations/front"},
                        "backendAddressPool": {"id": f"{balancer}/backendAddressPools/pool"},
                        "probe": {"id": f"{balancer}/probes/api"},
                    },
                }
            ],
        },
        sku=standard,
    )
    address = {"name": "ip", "properties": {"subnet": {"id": f"{vnet}/subnets/nodes"}}}
    put(f"{network}/networkInterfaces/{owner}", {"ipConfigurations": [address]})
    put(f"{compute}/disks/etcd-main.{owner}", {"creationData": {"createOption": "Empty"}, "diskSizeGB": 20})
    put(f"{compute}/sshPublicKeys/{owner}", {"publicKey": KEY})
    identity = put(f"{root}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/nodes-{owner.replace('.', '-')}")
    pool = {**address, "properties": {**address["properties"], "loadBalancerBackendAddressPools": [{"id": f"{balancer}/backendAddressPools/pool"}]}}
    put(
        f"{compute}/virtualMachineScaleSets/nodes.{owner}",
        {
            "upgradePolicy": {"mode": "Manual"},
            "virtualMachineProfile": {
                "osProfile": {
                    "computerNamePrefix": "other-",
                    "adminUsername": "kops",
                    "linuxConfiguration": {
                        "disablePasswordAuthentication": True,
                        "ssh": {"publicKeys": [{"path": "/home/kops/.ssh/authorized_keys", "keyData": KEY}]},
                    },
                },
                "storageProfile": {
                    "imageReference": {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}
                },
                "networkProfile": {
                    "networkInterfaceConfigurations": [{"name": "nic", "properties": {"primary": True, "ipConfigurations": [pool]}}]
                },
            },
        },
        sku={"name": "Standard_D2s_v3", "capacity": 1},
        identity={"type": "UserAssigned", "userAssignedIdentities": {identity["id"]: {}}},
    )
    assignment = uuid.UUID(hashlib.md5(f"{root}{owner}".encode()).hexdigest())
    role = f"/subscriptions/{sub.id}/providers/Microsoft.Authorization/roleDefinitions/{READER}"
    request(
        "PUT",
        f"{root}/providers/Microsoft.Authorization/roleAssignments/{assignment}",
        {"properties": {"roleDefinitionId": role, "principalId": identity["properties"]["principalId"], "principalType": "ServicePrincipal"}},
    )
    zone = f"{network}/dnsZones/{owner}.test"
    request("PUT", zone, {"location": "global", "tags": tags})
    request("PUT", f"{zone}/A/api", {"properties": {"TTL": 60, "ARecords": [{"ipv4Address": "192.0.2.1"}]}})
    private = f"{network}/privateDnsZones/{owner}.internal"
    request("PUT", private, {"location": "global", "tags": tags})
    request(
        "PUT",
        f"{private}/virtualNetworkLinks/{owner}",
        {"location": "global", "tags": tags, "properties": {"virtualNetwork": {"id": vnet}, "registrationEnabled": False}},
    )
    request("PUT", f"{private}/A/api", {"properties": {"ttl": 60, "aRecords": [{"ipv4Address": "10.201.0.4"}]}})


def _rule(group):
    return {
        "protocol": "Tcp",
        "access": "Allow",
        "direction": "Inbound",
        "priority": 100,
        "sourceAddressPrefix": "192.0.2.0/24",
        "sourcePortRange": "*",
        "destinationApplicationSecurityGroups": [{"id": group}],
        "destinationPortRange": "22",
    }
